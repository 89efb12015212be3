/** State beyond memory: repeats dropped among many ids, and events counted by key, beside the same in bare LMDB. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { open } from "lmdb";
import type { BenchServer } from "./bench-server.js";
import { printTable } from "./report.js";
import { keyAt, newKeys, type StateKind } from "./state-keys.js";

const PROGRAM = fileURLToPath(new URL("./state-run.js", import.meta.url));
/** V8 lets garbage lie as long as it may: what is to stay below 700 MB has to be told. */
const FLAGS = ["--max-semi-space-size=32", "--max-old-space-size=400"];
/** Of the second process: enough to see that it has begun. */
const MORE_EVENTS = 20_000;
/** Of an id its state and its timer, which comes with it; of a key that is counted its state, each time. */
const UPDATES: Readonly<Record<StateKind, (events: number, keys: number) => number>> = {
  ids: (_events, keys) => 2 * keys,
  counts: (events) => events,
};
const BATCH = 50_000;
/** What the store has of a key: its record, and its timer's place. */
const RECORD_BYTES = 36;
const OUTPUT_BYTES_MAX = 100 * 1024 * 1024;

export interface StateResult {
  readonly kind: StateKind;
  readonly events: number;
  /** Remembered in the end. */
  readonly keys: number;
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

/** @throws when a process fails, or a key was lost or came twice */
export async function measureState(
  server: BenchServer,
  kind: StateKind,
  events: number,
): Promise<StateResult> {
  const database = await server.migrated();
  const directory = mkdtempSync(join(tmpdir(), "millrace-bench-state-"));
  const run = (from: number, to: number): RunOutput => {
    const output = runProcess({
      MILLRACE_BENCH_URL: database.url,
      MILLRACE_BENCH_STORE: directory,
      MILLRACE_BENCH_DURABILITY: "database",
      MILLRACE_BENCH_KIND: kind,
      MILLRACE_BENCH_FROM: String(from),
      MILLRACE_BENCH_TO: String(to),
    });
    const expected = newKeys(kind, from, to);
    if (output.passed !== expected) throw new Error(`${output.passed} keys were new instead of ${expected}`);
    return output;
  };
  try {
    const first = run(0, events);
    const again = run(events, events + MORE_EVENTS);
    return {
      ...{ kind, events, keys: first.passed, wallS: first.wallS, cpuS: first.cpuS },
      ...{ anonPeakMb: first.anonPeakMb, restartS: again.readyS, restartAnonMb: again.anonPeakMb },
      lmdbCpuS: await bareLmdb(join(directory, "bare.mdb"), kind, kind === "ids" ? first.passed : events),
    };
  } finally {
    rmSync(directory, { recursive: true });
    await database.drop();
  }
}

export function printState({ kind, events, keys, wallS, cpuS, anonPeakMb, ...rest }: StateResult): void {
  const perSecond = (count: number, s: number) => Math.round(count / s).toLocaleString("en-US");
  const updates = UPDATES[kind](events, keys);
  const [all, known] = [events, keys].map((one) => one.toLocaleString("en-US"));
  const title =
    kind === "ids"
      ? `${all} ids, ${known} of them new: one value and one timer each, committed in PostgreSQL`
      : `${all} events counted by ${known} keys: one value each, committed in PostgreSQL`;
  printTable(
    title,
    ["", "wall s", "CPU s", "updates a CPU second", "anonymous memory MB"],
    [
      ["pipeline", wallS.toFixed(1), cpuS.toFixed(1), perSecond(updates, cpuS), anonPeakMb.toFixed(0)],
      ["the same in bare LMDB", "", rest.lmdbCpuS.toFixed(1), perSecond(updates, rest.lmdbCpuS), ""],
      ["ratio", "", (rest.lmdbCpuS / cpuS).toFixed(2), "", ""],
      ["next process to its first commit", rest.restartS.toFixed(1), "", "", rest.restartAnonMb.toFixed(0)],
    ],
  );
}

function runProcess(variables: Readonly<Record<string, string>>): RunOutput {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...FLAGS, PROGRAM], {
    env: { ...process.env, ...variables },
    encoding: "utf8",
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  if (status !== 0) throw new Error(`${PROGRAM} ended with ${status}:\n${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as RunOutput;
}

/** A transaction for so many: of ids the puts alone, of counts what was there before, and the put. */
async function bareLmdb(path: string, kind: StateKind, count: number): Promise<number> {
  const root = open<Buffer, Buffer>({
    ...{ path, noSubdir: true, encoding: "binary", keyEncoding: "binary", maxDbs: 2, noSync: true },
    useWritemap: true,
  });
  const table = (name: string) =>
    root.openDB<Buffer, Buffer>({ name, encoding: "binary", keyEncoding: "binary" });
  const [keys, order] = [table("keys"), table("order")];
  const value = Buffer.alloc(RECORD_BYTES, 1);
  const putOne = (at: number) => {
    const key = Buffer.from(`\0\0\0\x01${keyAt(kind, at)}`, "latin1");
    if (kind === "counts") keys.getBinary(key);
    keys.putSync(key, value);
    if (kind === "counts") return;
    const place = Buffer.alloc(19);
    place.writeUIntBE(at, 13, 6);
    order.putSync(place, key);
  };
  const before = process.cpuUsage();
  for (let from = 0; from < count; from += BATCH) {
    root.transactionSync(() => {
      for (let at = from; at < Math.min(count, from + BATCH); at++) putOne(at);
    });
  }
  const { user, system } = process.cpuUsage(before);
  await root.close();
  return (user + system) / 1e6;
}
