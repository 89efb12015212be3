/** The commands of ours beside a cluster, as a user starts them: a job server in front of it, a pool of workers. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { childrenOf } from "./processes.js";
import { RunningProgram } from "./running-program.js";

/** As with `npm run`: a pool takes modules from the package in its working directory. */
const cwd = fileURLToPath(new URL("../../../", import.meta.url));
const CLI = fileURLToPath(new URL("../../pipelines/cli.js", import.meta.url));

async function launch(name: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const workDir = await mkdtemp(path.join(tmpdir(), "millrace-program-"));
  return new RunningProgram(name, { program: process.execPath, args: [CLI, ...args], env, cwd, workDir });
}

/** `npm run job-server`, once it answers; `endpoint` is where. */
export async function startJobServer(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly program: RunningProgram; readonly endpoint: string }> {
  const program = await launch(
    "the job server",
    ["job-server", ...args, "--port=0", "--log-level=debug"],
    env,
  );
  const [, endpoint] = await program.until(/job server at (\S+),/);
  return { program, endpoint: endpoint! };
}

/** `npm run worker`. */
export class WorkerPool {
  private constructor(
    readonly program: RunningProgram,
    readonly endpoint: string,
  ) {}

  /** @param port 0: any free one */
  static async start(url: string, processes: number, port = 0): Promise<WorkerPool> {
    const args = ["worker", `--port=${port}`, `--processes=${processes}`, "--log-level=debug"];
    const program = await launch("the worker pool", args, { DATABASE_URL: url });
    const [, endpoint] = await program.until(/worker pool at (\S+),/);
    return new WorkerPool(program, endpoint!);
  }

  /** Process ids of its workers that run. */
  workers(): number[] {
    return childrenOf(this.program.pid)
      .filter(({ command }) => command.includes("worker-process-entry"))
      .map(({ pid }) => pid);
  }

  /** How many bundles each worker has answered that has come to its end, so far. */
  bundlesAnswered(): number[] {
    return [...this.program.output.matchAll(/has answered (\d+) bundles/g)].map(([, count]) => Number(count));
  }

  get port(): number {
    return Number(this.endpoint.slice(this.endpoint.lastIndexOf(":") + 1));
  }
}
