/** The server as a process: found by its pid file, started and stopped by pg_ctl. */

import { randomInt } from "node:crypto";
import { open, readFile, realpath, rename, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { EmbeddedPostgresError, unless } from "./embedded-postgres-error.js";
import { type PostgresPrograms, programPath } from "./postgres-programs.js";
import { describeProcess, mayExist, type ProcessDescription } from "./process-identity.js";
import { runProgram } from "./run-program.js";
import type { ServerAccount } from "./server-account.js";

/** A crash recovery may have to read `max_wal_size` again before the server answers. */
export const startTimeoutMs = 120_000;
const stopTimeoutMs = 60_000;
const logTailBytes = 2_000;
const logBytesMax = 20 * 1024 * 1024;

// below the ports that systems give to outgoing connections, which would be taken at the next start
const portFirst = 20_000;
const portLast = 32_000;
const portTriesMax = 100;

/** A server that runs on a data folder. */
export interface LiveServer {
  readonly pid: number;
  /** Undefined while the server is still writing its pid file. */
  readonly port: number | undefined;
}

/** The server that runs on the data folder, answering or not; undefined when the pid file is missing or stale. */
export async function findLiveServer(dataDir: string): Promise<LiveServer | undefined> {
  const lines = await readPidFile(dataDir);
  const [pid, port] = [Number(lines?.[0]), Number(lines?.[3])];
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const found = await describeProcess(pid);
  if (!isPostgres(found)) return undefined;
  // a server stands in its data folder; where the system does not tell, its arguments name the folder
  const isOurs =
    found.folder === undefined ? found.args.includes(dataDir) : found.folder === (await realpath(dataDir));
  return isOurs ? { pid, port: port > 0 ? port : undefined } : undefined;
}

function isPostgres(found: ProcessDescription | undefined): found is ProcessDescription {
  return basename(found?.args[0] ?? "").startsWith("postgres");
}

/** What pg_ctl needs to know. */
export interface ServerControl {
  readonly dataDir: string;
  readonly programs: PostgresPrograms;
  readonly account: ServerAccount | undefined;
}

/**
 * Starts a server on the port and returns when it takes connections.
 * @throws EmbeddedPostgresError `start_failed` with the end of the server's log
 */
export async function startServer(
  { dataDir, programs, account }: ServerControl,
  port: number,
): Promise<void> {
  await settleStalePidFile(dataDir);
  const logFile = serverLogFile(dataDir);
  await rotateLog(logFile);
  const timeout = ["-w", "-t", String(startTimeoutMs / 1000)];
  // pg_ctl makes the server the leader of a session of its own
  const args = ["start", "-D", dataDir, "-l", logFile, ...timeout, "-o", `-p ${port}`];
  const result = await runProgram(programPath(programs, "pg_ctl"), args, { account });
  if (result.code === 0) return;
  throw new EmbeddedPostgresError(
    "start_failed",
    `PostgreSQL did not start on ${dataDir}, port ${port}: ${result.output}\n${await tailOf(logFile)}`.trim(),
  );
}

/** Ends every session and stops the server, after a checkpoint. @throws EmbeddedPostgresError `stop_failed` */
export async function stopServer({ dataDir, programs, account }: ServerControl): Promise<void> {
  const args = ["stop", "-D", dataDir, "-m", "fast", "-w", "-t", String(stopTimeoutMs / 1000)];
  const result = await runProgram(programPath(programs, "pg_ctl"), args, { account });
  if (result.code === 0 || (await findLiveServer(dataDir)) === undefined) return;
  throw new EmbeddedPostgresError("stop_failed", `PostgreSQL on ${dataDir} did not stop: ${result.output}`);
}

/** Where the server on this data folder writes what happens to it. */
export function serverLogFile(dataDir: string): string {
  return join(dataDir, "server.log");
}

/** A port where nobody listens. @throws EmbeddedPostgresError `start_failed` */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < portTriesMax; tries++) {
    const port = randomInt(portFirst, portLast + 1);
    if (await isFree(port)) return port;
  }
  throw new EmbeddedPostgresError(
    "start_failed",
    `a port between ${portFirst} and ${portLast} must be free on 127.0.0.1, and ${portTriesMax} tries found none`,
  );
}

/** Whether a server could listen on the port of 127.0.0.1. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/**
 * A pid that was given to another program since would make PostgreSQL refuse to start. The file itself must stay:
 * it names the shared memory by which PostgreSQL sees whether backends of the killed server still write.
 */
async function settleStalePidFile(dataDir: string): Promise<void> {
  const lines = await readPidFile(dataDir);
  const pid = Number(lines?.[0]);
  if (!lines || !Number.isInteger(pid) || pid <= 0 || !mayExist(pid)) return;
  const found = await describeProcess(pid);
  if (isPostgres(found) && (found.folder === undefined || found.folder === (await realpath(dataDir)))) return;
  await writeFile(join(dataDir, "postmaster.pid"), [pidOfNobody, ...lines.slice(1)].join("\n"));
}

/** Larger than any system's largest pid. */
const pidOfNobody = 2_147_483_646;

/** Whether a server runs on the data folder or was killed there. */
export async function hasPidFile(dataDir: string): Promise<boolean> {
  return (await readPidFile(dataDir)) !== undefined;
}

async function readPidFile(dataDir: string): Promise<string[] | undefined> {
  const text = await readFile(join(dataDir, "postmaster.pid"), "utf8").catch(unless("ENOENT"));
  return text?.split("\n");
}

async function rotateLog(file: string): Promise<void> {
  const size = (await stat(file).catch(unless("ENOENT")))?.size ?? 0;
  if (size > logBytesMax) await rename(file, `${file}.1`);
}

async function tailOf(file: string): Promise<string> {
  const handle = await open(file, "r").catch(unless("ENOENT"));
  if (!handle) return "";
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - logTailBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(logTailBytes), 0, logTailBytes, from);
    return buffer.toString("utf8", 0, bytesRead).trim();
  } finally {
    await handle.close();
  }
}
