/** One command at a time: the lock file of a state folder. */
import { randomUUID } from "node:crypto";
import { link, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { codeOf, EmbeddedPostgresError, unless } from "./embedded-postgres-error.js";
import { pause } from "./pause.js";
import { isSameProcess, startOfProcess } from "./process-identity.js";

const lockPollMs = 50;
/** Longer than the longest start, so that whoever waits for one sees its end. */
const lockWaitMs = 180_000;
/** An empty lock file is one whose maker is about to write it, unless it is this old. */
const unwrittenLockMaxMs = 5_000;
/** Of a process on another host nothing can be known but the age of its lock. */
const foreignLockMaxMs = 2 * lockWaitMs;

/**
 * Runs the work while no other command holds the lock. The lock of a dead process is broken. PostgreSQL's own
 * interlock still stands behind this one: two servers never run on one data folder.
 * @throws EmbeddedPostgresError `lock_timeout`, `aborted`
 */
export async function withStateLock<Result>(
  file: string,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  const token = await acquire(file, signal);
  try {
    return await work();
  } finally {
    await release(file, token);
  }
}

/** What the lock file holds. */
interface LockHolder {
  readonly pid: number;
  readonly start: string | undefined;
  readonly host: string;
  readonly token: string;
}

async function acquire(file: string, signal: AbortSignal | undefined): Promise<string> {
  const token = randomUUID();
  const holder: LockHolder = {
    pid: process.pid,
    start: await startOfProcess(process.pid),
    host: hostname(),
    token,
  };
  const deadline = Date.now() + lockWaitMs;
  for (;;) {
    if (await create(file, JSON.stringify(holder))) return token;
    const text = await readFile(file, "utf8").catch(unless("ENOENT"));
    if (text !== undefined && (await isStale(file, text))) await breakLock(file, text);
    if (Date.now() > deadline) throw lockTimeout(file, text);
    await pause(lockPollMs, signal);
  }
}

async function create(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

async function release(file: string, token: string): Promise<void> {
  const text = await readFile(file, "utf8").catch(unless("ENOENT"));
  if (parse(text)?.token === token) await unlink(file).catch(unless("ENOENT"));
}

async function isStale(file: string, text: string): Promise<boolean> {
  const holder = parse(text);
  if (holder?.host === hostname()) return !(await isSameProcess(holder.pid, holder.start));
  const age = Date.now() - ((await stat(file).catch(unless("ENOENT")))?.mtimeMs ?? Date.now());
  return age > (holder === undefined ? unwrittenLockMaxMs : foreignLockMaxMs);
}

/** Two commands may find the same stale lock: whoever comes second would remove the first one's new lock. */
async function breakLock(file: string, staleText: string): Promise<void> {
  const aside = `${file}.stale-${randomUUID()}`;
  if ((await rename(file, aside).then(() => true, unless("ENOENT"))) === undefined) return;
  if ((await readFile(aside, "utf8")) !== staleText) await link(aside, file).catch(unless("EEXIST"));
  await unlink(aside);
}

function parse(text: string | undefined): LockHolder | undefined {
  try {
    return JSON.parse(text ?? "") as LockHolder;
  } catch {
    return undefined; // made and not yet written, or torn by a crash: its age decides
  }
}

function lockTimeout(file: string, text: string | undefined): EmbeddedPostgresError {
  const holder = parse(text);
  const who = holder ? `pid ${holder.pid} on ${holder.host}` : "somebody unknown";
  return new EmbeddedPostgresError(
    "lock_timeout",
    `the lock ${file} must come free within ${lockWaitMs / 1000} s, but ${who} still holds it`,
  );
}
