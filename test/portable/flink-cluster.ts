/** A session cluster of Flink on this machine, from the job server's own jars: a JobManager and a TaskManager. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultCacheDir } from "../../runners/portable/job-servers/install-once.js";
import { findJava, installJars, jvmFlags } from "../../runners/portable/job-servers/java.js";
import { freePorts } from "../support/free-ports.js";
import { KeptLog } from "./targets.js";

const START_MS_MAX = 60_000;
const SLOTS = 4;

export interface JobConfig {
  readonly "execution-config": { readonly "restart-strategy": string };
}

/** Answers of Flink's REST API, as far as tests look at them. */
export interface JobOverview {
  readonly jid: string;
  readonly name: string;
  readonly state: string;
}

export class FlinkCluster {
  readonly #children: ChildProcess[] = [];
  readonly #output: string[] = [];

  private constructor(
    /** `host:port` of its REST API. */
    readonly rest: string,
    readonly folder: string,
  ) {}

  /** @throws with the end of what it printed when no TaskManager has registered in time */
  static async start(): Promise<FlinkCluster> {
    const [rest, rpc] = (await freePorts(2)) as [number, number];
    const cluster = new FlinkCluster(
      `127.0.0.1:${rest}`,
      await mkdtemp(path.join(tmpdir(), "millrace-flink-cluster-")),
    );
    try {
      await cluster.#launch(rest, rpc);
      await cluster.#untilReady();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async get<Answer>(resource: string): Promise<Answer> {
    const response = await fetch(`http://${this.rest}${resource}`);
    if (!response.ok) throw new Error(`${response.status} for ${resource}: ${await response.text()}`);
    return (await response.json()) as Answer;
  }

  /** The job that runs. */
  async running(): Promise<JobOverview> {
    const { jobs } = await this.get<{ jobs: JobOverview[] }>("/jobs/overview");
    const found = jobs.filter(({ state }) => state === "RUNNING");
    if (found.length !== 1) throw new Error(`one job must run, got ${JSON.stringify(jobs)}`);
    return found[0]!;
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  async #launch(rest: number, rpc: number): Promise<void> {
    const conf = path.join(this.folder, "conf");
    await mkdir(conf);
    await mkdir(path.join(this.folder, "tmp"));
    await writeFile(path.join(conf, "flink-conf.yaml"), flinkConf(this.folder, rest, rpc));
    const program = await findJava();
    const jars = await installJars("flink", {
      ...{
        port: 0,
        master: undefined,
        cacheDir: defaultCacheDir(),
        workDir: this.folder,
        log: new KeptLog(),
      },
    });
    const run = (heap: string, mainClass: string, ...more: string[]) => {
      const args = [...jvmFlags, heap, "-cp", path.join(jars, "*"), mainClass, "--configDir", conf, ...more];
      const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (chunk: Buffer) => this.#keep(chunk.toString()));
      }
      this.#children.push(child);
    };
    run(
      "-Xmx512m",
      "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
      ...["--executionMode", "cluster"],
    );
    run("-Xmx1g", "org.apache.flink.runtime.taskexecutor.TaskManagerRunner");
  }

  #keep(text: string): void {
    this.#output.push(text);
    if (this.#output.length > 100) this.#output.shift();
  }

  async #untilReady(): Promise<void> {
    for (const deadline = Date.now() + START_MS_MAX; Date.now() < deadline; await sleep(200)) {
      const overview = await this.get<Record<string, number>>("/overview").catch(() => undefined);
      if (overview?.["slots-available"] === SLOTS) return;
    }
    throw new Error(`no cluster of Flink after ${START_MS_MAX} ms:\n${this.#output.join("")}`);
  }
}

/** Without Flink's scripts a TaskManager must be told each part of its memory. */
function flinkConf(folder: string, rest: number, rpc: number): string {
  const conf = {
    "jobmanager.rpc.address": "127.0.0.1",
    "jobmanager.bind-host": "127.0.0.1",
    "jobmanager.rpc.port": rpc,
    "rest.address": "127.0.0.1",
    "rest.bind-address": "127.0.0.1",
    "rest.port": rest,
    "taskmanager.host": "127.0.0.1",
    "taskmanager.bind-host": "127.0.0.1",
    "taskmanager.numberOfTaskSlots": SLOTS,
    "jobmanager.memory.process.size": "1024m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
    "taskmanager.memory.task.heap.size": "512m",
    "taskmanager.memory.managed.size": "256m",
    "taskmanager.memory.network.min": "64m",
    "taskmanager.memory.network.max": "64m",
    "taskmanager.memory.task.off-heap.size": "0m",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.cpu.cores": 2,
    "io.tmp.dirs": path.join(folder, "tmp"),
    "state.checkpoint-storage": "filesystem",
    "state.checkpoints.dir": `file://${path.join(folder, "checkpoints")}`,
  };
  return Object.entries(conf)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("");
}
