/** A commit log as programs of the past have written it: all kinds of state that there are, a snapshot and deltas. */
import { cp } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { NO_COUNTS } from "../../../../runners/bundle/bundle-ledger.js";
import type { EpochState } from "../../../../runners/direct/epoch.js";
import { Records } from "../../../../runners/direct/packed-state.js";
import { unpackDelta } from "../../../../runners/engine/durable/delta-format.js";
import type { StateRecord } from "../../../../runners/engine/durable/state-record.js";
import type { StoredMoment } from "../../../support/state-fixture.js";
import { openLog } from "./log-scene.js";

const FIXTURE = fileURLToPath(new URL("../../../../../test/runners/direct/log/format-1", import.meta.url));

export const COUNTS = { ...NO_COUNTS, recordsRead: 3, deadLetters: { bad: 1 } };

/** The fixture is not written to. */
export async function copyFixture(folder: string): Promise<void> {
  await cp(FIXTURE, folder, { recursive: true });
}

export function recordsOf({ state }: StoredMoment): readonly StateRecord[] {
  const records = new Records();
  records.add(unpackDelta(Buffer.from(state, "base64")));
  return [...records.finish().handOut()];
}

/** Writes the fixture of today's format: once for each version, never again. A commit for each moment. */
export async function writeFixture(moments: readonly StoredMoment[]): Promise<void> {
  const log = await openLog(FIXTURE);
  let before: readonly StateRecord[] = [];
  for (const [n, moment] of moments.entries()) {
    const epoch = n + 1;
    const watermarkMs = epoch * 1_000;
    const totals = { ...NO_COUNTS, recordsRead: 3 * epoch, deadLetters: { bad: epoch } };
    await log.commit(
      { epoch, atMs: 0, counts: COUNTS, totals, watermarkMs },
      changed(before, recordsOf(moment)),
    );
    before = recordsOf(moment);
  }
  await log.close();
}

function changed(before: readonly StateRecord[], now: readonly StateRecord[]): EpochState {
  const was = new Map(before.map(({ key, value }) => [key, Buffer.from(value)]));
  const is = new Set(now.map(({ key }) => key));
  return {
    hasChanges: true,
    takeSnapshot: () => now,
    takeDelta: () => ({
      puts: now.filter(({ key, value }) => !was.get(key)?.equals(value)),
      removed: before.flatMap(({ key }) => (is.has(key) ? [] : [key])),
    }),
  };
}
