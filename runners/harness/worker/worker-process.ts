/** A worker in a process of its own, forked by a pool. */
import { type ChildProcess, fork } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { heapFlags } from "./heap-flags.js";
import type { RunningWorker, WorkerEnd } from "./running-worker.js";
import type { FromWorker } from "./worker-messages.js";
import type { WorkerSpec } from "./worker-spec.js";

export interface WorkerProcessOptions {
  /** Takes what the worker logs and prints. */
  readonly log: Log;
  readonly stopGraceMs: number;
  /** Called with the reason of a failed start, before the runner has asked for it. */
  readonly onRefused: (reason: string) => void;
  /** Beside this process's own, e.g. which database to use. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

const ENTRY = fileURLToPath(new URL("./worker-process-entry.js", import.meta.url));

/** Forks it at once. It ends by itself when this process does, however that ends. */
export function startWorkerProcess(spec: WorkerSpec, options: WorkerProcessOptions): RunningWorker {
  const child = fork(ENTRY, [JSON.stringify(spec)], {
    cwd: spec.root,
    execArgv: [...process.execArgv, ...heapFlags],
    env: { ...process.env, ...options.environment },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const { log } = options;
  let problem: string | undefined;
  let lastLine: string | undefined;
  let job: string | undefined;
  child.on("message", (message: FromWorker) => {
    if (message.kind === "log") log[message.level](message.message, message.facts);
    if (message.kind === "job") job = message.job;
    if (message.kind === "refused") options.onRefused(message.message);
    if (message.kind === "failed") problem = message.message;
  });
  eachLine(child.stdout!, (line) => log.info(line));
  eachLine(child.stderr!, (line) => {
    if (line.trim() !== "") lastLine = line;
    log.warn(line);
  });
  let isStopped = false;
  const whenEnded = new Promise<WorkerEnd>((resolve) => {
    child.on("error", (error) => {
      problem ??= error.message;
      // a process that could not be started ends without `close`
      if (child.pid === undefined) resolve({ exitCode: 1, problem });
    });
    child.on("close", (code, signal) => resolve(endOf(code, signal)));
  });
  const endOf = (code: number | null, signal: NodeJS.Signals | null): WorkerEnd => {
    if (isStopped) return { exitCode: 0, problem: undefined };
    if (code === 0) return { exitCode: 0, problem };
    const how = signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`;
    const why = problem ?? lastLine;
    return { exitCode: code ?? 1, problem: why === undefined ? how : `${how}: ${why}` };
  };
  const stop = () => {
    isStopped = true;
    return endProcess(child, whenEnded, options.stopGraceMs);
  };
  return {
    get job() {
      return job;
    },
    whenEnded,
    stop,
  };
}

async function endProcess(child: ChildProcess, whenEnded: Promise<WorkerEnd>, graceMs: number) {
  child.kill("SIGTERM");
  const byForce = setTimeout(() => child.kill("SIGKILL"), graceMs);
  const end = await whenEnded;
  clearTimeout(byForce);
  return end;
}

function eachLine(output: Readable, use: (line: string) => void): void {
  createInterface({ input: output, crlfDelay: Number.POSITIVE_INFINITY }).on("line", use);
}
