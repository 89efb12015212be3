/** A local store in a folder of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalStore } from "../../runners/direct/local-store/local-store.js";
import { createStore, type StorePlace } from "../../runners/direct/local-store/open-store.js";

export interface TempStore {
  readonly place: StorePlace;
  readonly store: LocalStore;
  remove(): Promise<void>;
}

export async function tempStore(waitingBytesMax?: number): Promise<TempStore> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-store-"));
  const place = { directory, pipeline: "test", shard: 0, isSynced: false };
  const store = await createStore(place, waitingBytesMax);
  return {
    place,
    store,
    remove: async () => {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
}
