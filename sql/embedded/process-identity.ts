/** Which process a pid is: pids are given out again, a pid with its start time is not. */
import { execFile } from "node:child_process";
import { readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";
import { codeOf } from "./embedded-postgres-error.js";

const execFileAsync = promisify(execFile);

/** When the process started, in the system's own terms (to compare only); undefined when it is gone or hidden. */
export async function startOfProcess(pid: number): Promise<string | undefined> {
  return process.platform === "linux" ? (await statOf(pid))?.[startField] : await ps(pid, "lstart=");
}

/** Whether the process that had this pid and start is still there, and alive. */
export async function isSameProcess(pid: number, start: string | undefined): Promise<boolean> {
  if (!mayExist(pid)) return false;
  if (process.platform === "linux" && (await statOf(pid))?.[stateField] === "Z") return false;
  const now = await startOfProcess(pid);
  // where other accounts' processes are hidden, an existing pid has to be believed
  return start === undefined || now === undefined || now === start;
}

/** What is known of a process: its command line, and its working folder where the system tells. */
export interface ProcessDescription {
  readonly args: readonly string[];
  readonly folder: string | undefined;
}

/** Undefined when there is no such process, or only a dead one that nobody has buried. */
export async function describeProcess(pid: number): Promise<ProcessDescription | undefined> {
  if (!mayExist(pid)) return undefined;
  if (process.platform !== "linux") {
    const command = await ps(pid, "command=");
    return command === undefined ? undefined : { args: command.split(" "), folder: undefined };
  }
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (line === "") return undefined;
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
  return { args: line.split("\0").slice(0, -1), folder };
}

/** Whether the system knows the pid, alive or dead and unburied. */
export function mayExist(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
}

const stateField = 0;
const startField = 19;

/** The fields of /proc/PID/stat behind the name, which stands in parentheses and may hold parentheses itself. */
async function statOf(pid: number): Promise<string[] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
}

async function ps(pid: number, field: string): Promise<string | undefined> {
  const result = await execFileAsync("ps", ["-o", field, "-p", String(pid)]).catch(() => undefined);
  return result?.stdout.trim() || undefined;
}
