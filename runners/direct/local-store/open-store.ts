/** Opens the local store of a pipeline, and finds out first whether what is on the disk can be used. */
import { readFileSync, statfsSync } from "node:fs";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { open } from "lmdb";
import { STATE_FORMAT_VERSION } from "../../engine/durable/delta-format.js";
import { syncFolder } from "../log/log-files.js";
import { LocalStore } from "./local-store.js";

const DATA = "state.mdb";
const ABOUT = "state.json";
/** Of the tables and their keys; what their values hold has the version of state. */
const STORE_FORMAT_VERSION = 1;
const TABLES = 8;

/** What is known of a store without opening it. */
interface About {
  readonly pipeline: string;
  readonly shard: number;
  readonly storeFormat: number;
  readonly stateFormat: number;
  /** Of the data at the least: less, and some of it is lost. The file may have more, and less of that when it is opened. */
  readonly bytes: number;
  /** Of the machine's start, where what was written since may not be on the disk; null: it is. */
  readonly boot: string | null;
}

export interface StorePlace {
  readonly directory: string;
  readonly pipeline: string;
  readonly shard: number;
  /** Whether everything is to be on the disk when a flush resolves, whatever happens to the machine. */
  readonly isSynced: boolean;
}

/** The directory holds the state of another pipeline. */
export class ForeignStoreError extends Error {
  override readonly name = "ForeignStoreError";
  readonly code = "MILLRACE_FOREIGN_STORE";

  constructor(directory: string, found: string, wanted: string) {
    super(
      `the local store in ${directory} is that of pipeline ${found}, not of ${wanted}: ` +
        "give each pipeline a directory of its own, or move the store away",
    );
  }
}

/** A store that is open, or why there is none that could be used. */
export type OpenedStore =
  | { readonly store: LocalStore; readonly why: undefined }
  | { readonly store: undefined; readonly why: string };

/** Opens what is there. @throws ForeignStoreError when it is another pipeline's */
export async function openStore(place: StorePlace, waitingBytesMax?: number): Promise<OpenedStore> {
  const { directory, pipeline, shard } = place;
  const about = await readAbout(directory);
  if (about === undefined) return { store: undefined, why: "is missing" };
  if (about === "damaged") return { store: undefined, why: `has a damaged ${ABOUT}` };
  if (about.pipeline !== pipeline || about.shard !== shard) {
    throw new ForeignStoreError(directory, named(about), named(place));
  }
  const why = await whyNot(directory, about);
  if (why !== undefined) return { store: undefined, why };
  try {
    return { store: openData(place, waitingBytesMax), why: undefined };
  } catch (error) {
    return { store: undefined, why: `cannot be opened: ${String(error)}` };
  }
}

/** Begins with nothing; what was there is gone. */
export async function createStore(place: StorePlace, waitingBytesMax?: number): Promise<LocalStore> {
  const { directory } = place;
  await rm(join(directory, ABOUT), { force: true });
  for (const name of [DATA, `${DATA}-lock`]) await rm(join(directory, name), { force: true });
  await mkdir(directory, { recursive: true });
  return openData(place, waitingBytesMax);
}

/** Says what of the store can be relied on from now on. After each flush. */
export async function writeAbout(
  { directory, pipeline, shard, isSynced }: StorePlace,
  { bytes }: LocalStore,
): Promise<void> {
  const about: About = {
    ...{ pipeline, shard, storeFormat: STORE_FORMAT_VERSION, stateFormat: STATE_FORMAT_VERSION },
    ...{ bytes, boot: isSynced ? null : bootId() },
  };
  const path = join(directory, ABOUT);
  await writeFile(`${path}.new`, `${JSON.stringify(about)}\n`, { flush: isSynced });
  await rename(`${path}.new`, path);
  if (isSynced) await syncFolder(directory);
}

function openData({ directory, isSynced }: StorePlace, waitingBytesMax?: number): LocalStore {
  const root = open<Buffer, Buffer>({
    path: join(directory, DATA),
    noSubdir: true,
    encoding: "binary",
    keyEncoding: "binary",
    maxDbs: TABLES,
    noSync: !isSynced,
    // Pages are written where they are: a change costs a third of what it costs otherwise.
    useWritemap: true,
  });
  const freeBytes = () => {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  };
  return new LocalStore(root, { directory, freeBytes }, waitingBytesMax);
}

async function whyNot(directory: string, about: About): Promise<string | undefined> {
  if (about.storeFormat !== STORE_FORMAT_VERSION || about.stateFormat !== STATE_FORMAT_VERSION) {
    return `is of format ${about.storeFormat}.${about.stateFormat}, and this program's is ${STORE_FORMAT_VERSION}.${STATE_FORMAT_VERSION}`;
  }
  if (about.boot !== null && about.boot !== bootId())
    return "was written before the machine was started anew";
  const size = await stat(join(directory, DATA)).then(
    (found) => found.size,
    () => undefined,
  );
  if (size === undefined) return `has no ${DATA}`;
  return size < about.bytes ? `is cut off: ${DATA} has ${size} of ${about.bytes} bytes` : undefined;
}

async function readAbout(directory: string): Promise<About | "damaged" | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, ABOUT), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const about = JSON.parse(text) as About;
    return typeof about.pipeline === "string" && typeof about.bytes === "number" ? about : "damaged";
  } catch {
    return "damaged";
  }
}

/** Of the time since the machine was started. Where the system does not say, nothing is taken over unless it was synced. */
function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return `unknown ${process.pid}`;
  }
}

function named({ pipeline, shard }: { readonly pipeline: string; readonly shard: number }): string {
  return `"${pipeline}" (shard ${shard})`;
}
