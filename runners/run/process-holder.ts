/** The process that holds a pipeline: which it is, and whether it still lives. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Holder } from "../../sql/pipelines.js";

/** Process start times are compared with this tolerance, in ms. */
const SAME_START_MS = 5_000;

/** Whether a process of this host that held something still lives. */
export function isAlive({ pid, startedAtMs }: Holder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  return !isGone(pid, startedAtMs);
}

/**
 * Whether the pid now belongs to a process that started at another time, or to a dead one that nobody has buried: known
 * where /proc tells.
 */
function isGone(pid: number, startedAtMs: number): boolean {
  const ticksPerSecond = 100; // USER_HZ, the same on every Linux that Node runs on
  try {
    const bootSeconds = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1]);
    // The command name, in parentheses, may hold anything; the start time is the 20th field after it.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    if (fields[0] === "Z") return true;
    const startMs = (bootSeconds + Number(fields[19]) / ticksPerSecond) * 1000;
    return Math.abs(startMs - startedAtMs) > SAME_START_MS;
  } catch {
    return false; // no /proc: the pid alone must do
  }
}

export function self(): Holder {
  return {
    host: hostname(),
    pid: process.pid,
    startedAtMs: Math.round(Date.now() - process.uptime() * 1000),
  };
}

/** For people. */
export function describeHolder({ pid, host, startedAtMs }: Holder): string {
  return `process ${pid} on host ${host}, started ${new Date(startedAtMs).toISOString()}`;
}
