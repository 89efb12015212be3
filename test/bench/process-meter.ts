/** Runs a command and measures it: wall time, CPU, memory, and how much of the machine others took meanwhile. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { performance } from "node:perf_hooks";

export interface Measurement {
  readonly wallS: number;
  /** User and system time of the command and whatever it waited for. */
  readonly cpuS: number;
  readonly userS: number;
  /** Largest resident set of the command itself. */
  readonly peakRssMb: number;
  /** CPU of all processes of the PostgreSQL server. */
  readonly postgresCpuS: number;
  /** Share of the machine's CPU time that neither of them nor this process took: above 0.1 a run is noisy. */
  readonly foreignShare: number;
  readonly load: number;
}

export interface MeteredCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly postmasterPid: number;
  readonly timeoutMs: number;
}

/** USER_HZ, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const SAMPLE_MS = 40;

/** Runs one command at a time: CPU is told apart by what this process has waited for. @throws when it fails. */
export async function measure(options: MeteredCommand): Promise<Measurement> {
  const machine = new MachineMeter(options.postmasterPid);
  const { child, output } = startCommand(options.command, options.args, options.env);
  let peakRssMb = 0;
  const sampler = setInterval(() => {
    peakRssMb = Math.max(peakRssMb, peakRss(child.pid as number));
  }, SAMPLE_MS);
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs);
  try {
    await once(child, "exit");
  } finally {
    clearInterval(sampler);
    clearTimeout(timer);
  }
  if (child.exitCode !== 0) {
    throw new Error(`${options.command} ended with ${child.exitCode ?? child.signalCode}:\n${output()}`);
  }
  return { ...machine.read(), peakRssMb, load: loadavg()[0] as number };
}

/** What this process, the children it has waited for, the server and everybody else have used since it was made. */
export class MachineMeter {
  readonly #before: Snapshot;
  readonly #startMs = performance.now();

  constructor(private readonly postmasterPid: number) {
    this.#before = snapshot(postmasterPid);
  }

  read() {
    const before = this.#before;
    const after = snapshot(this.postmasterPid);
    const wallS = (performance.now() - this.#startMs) / 1000;
    const cpuS = after.childrenS - before.childrenS;
    const userS = after.childrenUserS - before.childrenUserS;
    const postgresCpuS = after.postgresS - before.postgresS;
    const oursS = cpuS + postgresCpuS + (after.selfS - before.selfS);
    const foreignShare = Math.max(0, (after.busyS - before.busyS - oursS) / (wallS * cpus().length));
    return { wallS, cpuS, userS, postgresCpuS, foreignShare };
  }

  /** The share of others while a child is still alive that has used `childCpuS`. */
  foreignShare(childCpuS: number): number {
    const { foreignShare, wallS } = this.read();
    return Math.max(0, foreignShare - childCpuS / (wallS * cpus().length));
  }
}

/** Starts a command; `output` is the end of what it wrote. */
export function startCommand(
  command: string,
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): { readonly child: ChildProcess; readonly output: () => string } {
  const options: SpawnOptions = { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } };
  const child = spawn(command, [...args], options);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-4_000);
    });
  }
  return { child, output: () => text };
}

/** Largest resident set so far in MB; 0 once the process is gone. */
export function peakRss(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? "")?.[1];
  return Number(kilobytes ?? 0) / 1024;
}

/** User and system time of a live process in seconds. */
export function processCpuS(pid: number): number {
  const times = processTimes(pid);
  return times === undefined ? 0 : times.user + times.system;
}

/** The same of a process, all that descend from it, and those of them that have ended and been waited for. */
export function processTreeCpuS(root: number): number {
  const processes = new Map<number, NonNullable<ReturnType<typeof processTimes>>>();
  for (const name of readdirSync("/proc")) {
    const times = /^\d+$/.test(name) ? processTimes(Number(name)) : undefined;
    if (times !== undefined) processes.set(Number(name), times);
  }
  const descends = (pid: number): boolean => {
    if (pid === root) return true;
    const parent = processes.get(pid)?.parent;
    return parent !== undefined && descends(parent);
  };
  let sum = 0;
  for (const [pid, times] of processes) {
    if (descends(pid)) sum += times.user + times.system + times.childrenUser + times.childrenSystem;
  }
  return sum;
}

interface Snapshot {
  readonly selfS: number;
  readonly childrenS: number;
  readonly childrenUserS: number;
  readonly postgresS: number;
  readonly busyS: number;
}

function snapshot(postmasterPid: number): Snapshot {
  const self = processTimes(process.pid);
  if (self === undefined) throw new Error("the benchmark needs Linux: it measures by /proc");
  return {
    selfS: self.user + self.system,
    childrenS: self.childrenUser + self.childrenSystem,
    childrenUserS: self.childrenUser,
    postgresS: serverCpuS(postmasterPid),
    busyS: machineBusyS(),
  };
}

/** Live server processes, and those that the postmaster has seen end. */
function serverCpuS(postmasterPid: number): number {
  let sum = 0;
  for (const name of readdirSync("/proc")) {
    const times = /^\d+$/.test(name) ? processTimes(Number(name)) : undefined;
    if (times?.parent === postmasterPid) sum += times.user + times.system;
    if (Number(name) !== postmasterPid || times === undefined) continue;
    sum += times.user + times.system + times.childrenUser + times.childrenSystem;
  }
  return sum;
}

/** Seconds of CPU that the machine has spent on anything, stolen time included. */
function machineBusyS(): number {
  const line = read("/proc/stat")?.split("\n")[0] ?? "";
  const [user, nice, system, , , irq, softIrq, steal] = line.split(/\s+/).slice(1).map(Number) as number[];
  return (user! + nice! + system! + irq! + softIrq! + steal!) / TICKS_PER_SECOND;
}

function processTimes(pid: number) {
  // The command name, in parentheses, may hold anything; the state is the first field after it.
  const fields = read(`/proc/${pid}/stat`)?.split(") ").at(-1)?.split(" ");
  if (fields === undefined) return undefined;
  const seconds = (index: number) => Number(fields[index]) / TICKS_PER_SECOND;
  return {
    parent: Number(fields[1]),
    user: seconds(11),
    system: seconds(12),
    childrenUser: seconds(13),
    childrenSystem: seconds(14),
  };
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // the process is gone
  }
}
