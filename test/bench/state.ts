/** State beyond memory: repeats dropped among many ids, each remembered with a timer, beside the same in bare LMDB. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { open } from "lmdb";
import type { BenchServer } from "./bench-server.js";
import { printTable } from "./report.js";

const PROGRAM = fileURLToPath(new URL("./state-run.js", import.meta.url));
/** V8 lets garbage lie as long as it may: what is to stay below 700 MB has to be told. */
const FLAGS = ["--max-semi-space-size=32", "--max-old-space-size=400"];
/** Of the second process: enough to see that it has begun. */
const MORE_IDS = 20_000;
/** State and timer. */
const UPDATES_PER_ID = 2;
const BATCH = 50_000;
/** What the store has of an id: the record of its key, and its timer's place. */
const RECORD_BYTES = 36;
const OUTPUT_BYTES_MAX = 100 * 1024 * 1024;

export interface StateResult {
  readonly ids: number;
  /** Remembered in the end. */
  readonly passed: number;
  readonly wallS: number;
  /** Of the process, all threads. */
  readonly cpuS: number;
  readonly anonPeakMb: number;
  /** From the start of the next process to its first commit. */
  readonly restartS: number;
  readonly restartAnonMb: number;
  readonly lmdbCpuS: number;
}

interface RunOutput {
  readonly passed: number;
  readonly wallS: number;
  readonly cpuS: number;
  readonly anonPeakMb: number;
  readonly readyS: number;
}

/** @throws when a process fails, or an id was lost or came twice */
export async function measureState(server: BenchServer, ids: number): Promise<StateResult> {
  const database = await server.migrated();
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-state-"));
  try {
    const first = run(database.url, directory, 0, ids);
    const again = run(database.url, directory, ids, ids + MORE_IDS);
    if (first.passed !== passing(0, ids) || again.passed !== passing(ids, ids + MORE_IDS)) {
      throw new Error(`${first.passed} and ${again.passed} ids passed of ${ids} and ${MORE_IDS}`);
    }
    return {
      ...{ ids, passed: first.passed, wallS: first.wallS, cpuS: first.cpuS, anonPeakMb: first.anonPeakMb },
      ...{ restartS: again.readyS, restartAnonMb: again.anonPeakMb },
      lmdbCpuS: await bareLmdb(join(directory, "bare.mdb"), first.passed),
    };
  } finally {
    rmSync(directory, { recursive: true });
    await database.drop();
  }
}

export function printState({ ids, passed, wallS, cpuS, anonPeakMb, ...rest }: StateResult): void {
  const perSecond = (count: number, s: number) => Math.round(count / s).toLocaleString("en-US");
  const updates = UPDATES_PER_ID * passed;
  printTable(
    `${ids.toLocaleString("en-US")} ids, ${passed.toLocaleString("en-US")} of them new: one value and one timer each, committed in PostgreSQL`,
    ["", "wall s", "CPU s", "updates a CPU second", "anonymous memory MB"],
    [
      ["pipeline", wallS.toFixed(1), cpuS.toFixed(1), perSecond(updates, cpuS), anonPeakMb.toFixed(0)],
      ["the same puts in bare LMDB", "", rest.lmdbCpuS.toFixed(1), perSecond(updates, rest.lmdbCpuS), ""],
      ["ratio", "", (rest.lmdbCpuS / cpuS).toFixed(2), "", ""],
      ["next process to its first commit", rest.restartS.toFixed(1), "", "", rest.restartAnonMb.toFixed(0)],
    ],
  );
}

function run(url: string, directory: string, from: number, to: number): RunOutput {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...FLAGS, PROGRAM], {
    env: {
      ...process.env,
      MILLRACE_BENCH_URL: url,
      MILLRACE_BENCH_STORE: directory,
      MILLRACE_BENCH_DURABILITY: "database",
      MILLRACE_BENCH_FROM: String(from),
      MILLRACE_BENCH_TO: String(to),
    },
    encoding: "utf8",
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  if (status !== 0) throw new Error(`${PROGRAM} ended with ${status}:\n${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as RunOutput;
}

/** How many of these places have an id that no place before has: see state-run.ts. */
function passing(from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) if (at % 10 !== 0 || at < 1_000) count++;
  return count;
}

/** In the order in which ids come, a transaction for so many. */
async function bareLmdb(path: string, ids: number): Promise<number> {
  const root = open<Buffer, Buffer>({
    ...{ path, noSubdir: true, encoding: "binary", keyEncoding: "binary", maxDbs: 2, noSync: true },
    useWritemap: true,
  });
  const table = (name: string) =>
    root.openDB<Buffer, Buffer>({ name, encoding: "binary", keyEncoding: "binary" });
  const [keys, order] = [table("keys"), table("order")];
  const value = Buffer.alloc(RECORD_BYTES, 1);
  const before = process.cpuUsage();
  for (let from = 0; from < ids; from += BATCH) {
    root.transactionSync(() => {
      for (let id = from; id < Math.min(ids, from + BATCH); id++) {
        const mixed = Math.imul(id, 2_654_435_761) >>> 0;
        const key = Buffer.from(
          `\0\0\0\x01${mixed.toString(16).padStart(8, "0")}-${id.toString(36)}`,
          "latin1",
        );
        keys.putSync(key, value);
        const place = Buffer.alloc(19);
        place.writeUIntBE(id, 13, 6);
        order.putSync(place, key);
      }
    });
  }
  const { user, system } = process.cpuUsage(before);
  await root.close();
  return (user + system) / 1e6;
}
