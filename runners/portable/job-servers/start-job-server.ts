/** Job servers of this machine: installed when they are missing, started, waited for, stopped. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { JobService } from "../job-service.js";
import { endWithUs } from "./end-with-us.js";
import { prepareFlink } from "./flink-server.js";
import { defaultCacheDir } from "./install-once.js";
import type { PrepareServer, ServerProgram } from "./job-server-spec.js";
import { JobServerStartError } from "./job-server-start-error.js";
import { preparePrism } from "./prism-server.js";
import { lastLines } from "./run-program.js";
import { prepareSpark } from "./spark-server.js";

/** Each is a runner of Beam with a job service. */
export const jobServers = ["spark", "flink", "prism"] as const;
export type JobServerName = (typeof jobServers)[number];

const prepare: Record<JobServerName, PrepareServer> = {
  spark: prepareSpark,
  flink: prepareFlink,
  prism: preparePrism,
};

export interface JobServerOptions {
  /** 0: any free one. */
  readonly port: number;
  /** Address of the cluster: Spark's `spark://host:7077`, Flink's `host:8081`. Without it jobs run in the server. */
  readonly master?: string | undefined;
  /** Bytes for the objects of its JVM; 2 GiB by default. */
  readonly heapBytes?: number | undefined;
  /** Where installed servers are kept; default: the user's cache folder. */
  readonly cacheDir?: string | undefined;
  /** Is told what is installed; on `debug`, all that the server prints. */
  readonly log: Log;
}

export interface RunningJobServer {
  /** `host:port` of its job service, which answers. */
  readonly endpoint: string;
  /** Of Flink: where its own REST API is, as `portableRunner` takes it. */
  readonly flinkRest: string | undefined;
  /** Resolves when it has ended, with what was the matter if nobody stopped it. */
  readonly whenEnded: Promise<string | undefined>;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
  /** Its process id. */
  readonly pid: number;
}

const HEAP_BYTES = 2 * 1024 ** 3;
const START_MS_MAX = 120_000;
const STOP_GRACE_MS = 10_000;
const LINES_KEPT = 200;

/** @throws JobServerStartError when something is missing, the port is taken, or the server does not come up */
export async function startJobServer(
  name: JobServerName,
  { port: wanted, master, heapBytes = HEAP_BYTES, cacheDir = defaultCacheDir(), log }: JobServerOptions,
): Promise<RunningJobServer> {
  const port = await freePort(wanted);
  const workDir = await mkdtemp(path.join(tmpdir(), `millrace-${name}-`));
  const clean = () => rm(workDir, { recursive: true, force: true });
  try {
    const program = await prepare[name]({ port, master, heapBytes, cacheDir, workDir, log });
    const server = launch(program, workDir, log);
    const endpoint = `127.0.0.1:${port}`;
    const whenEnded = server.whenEnded.finally(clean);
    const stop = async () => {
      await server.stop();
      await whenEnded;
    };
    try {
      await answers(name, endpoint, server);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return { endpoint, flinkRest: program.flinkRest, pid: server.pid, whenEnded, stop };
  } catch (error) {
    await clean();
    throw error;
  }
}

interface Launched {
  readonly pid: number;
  readonly whenEnded: Promise<string | undefined>;
  readonly output: () => string;
  stop(): Promise<unknown>;
}

function launch({ program, args, env }: ServerProgram, workDir: string, log: Log): Launched {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // in a group of its own: Ctrl-C is for whoever started it, whose job is then drained on it
    detached: true,
  });
  const lines: string[] = [];
  const keep = (line: string) => {
    lines.push(line);
    if (lines.length > LINES_KEPT) lines.shift();
    log.debug(line);
  };
  eachLine(child.stdout, keep);
  eachLine(child.stderr, keep);
  let isStopped = false;
  const whenEnded = endOf(child).then((how) => (isStopped ? undefined : how));
  if (child.pid !== undefined) void whenEnded.then(endWithUs(child.pid, workDir));
  return {
    pid: child.pid ?? -1,
    whenEnded,
    output: () => lines.join("\n"),
    stop: async () => {
      isStopped = true;
      child.kill("SIGTERM");
      const byForce = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
      await whenEnded;
      clearTimeout(byForce);
    },
  };
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.on("error", (error) => {
      if (child.pid === undefined) resolve(`could not be started: ${error.message}`);
    });
    child.on("close", (code, signal) => {
      resolve(signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`);
    });
  });
}

/** Resolves when the job service answers. */
async function answers(name: JobServerName, endpoint: string, server: Launched): Promise<void> {
  const service = new JobService(endpoint);
  try {
    const end = await Promise.race([service.reach(START_MS_MAX), server.whenEnded]);
    if (end !== undefined) {
      throw new JobServerStartError(
        "did_not_start",
        `the ${name} job server ${end}:\n${lastLines(server.output())}`,
      );
    }
  } finally {
    service.close();
  }
}

/** @throws JobServerStartError when the wanted one is taken */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "is in use" : `cannot be used (${error.message})`;
      reject(new JobServerStartError("port_taken", `port ${wanted} ${why}: choose another with --port`));
    });
    probe.listen(wanted, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}

function eachLine(output: Readable, use: (line: string) => void): void {
  createInterface({ input: output, crlfDelay: Number.POSITIVE_INFINITY }).on("line", use);
}
