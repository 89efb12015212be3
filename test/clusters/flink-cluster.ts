/** A real Flink session cluster on this machine: a JobManager and two TaskManagers. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { defaultCacheDir } from "../../runners/portable/job-servers/install-once.js";
import { findJava, installJars, jvmFlags } from "../../runners/portable/job-servers/java.js";
import { KeptLog } from "../portable/targets.js";
import { freePorts } from "../support/free-ports.js";
import { installedPackage } from "./pypi-package.js";
import { ask, eventually, RunningProgram } from "./running-program.js";

const PACKAGE = "apache-flink-libraries==1.15.4";
const TASK_MANAGERS = 2;
const ENTRY = "org.apache.flink.runtime";

export class FlinkCluster {
  /** Those that were started and not killed. */
  readonly taskManagers: RunningProgram[] = [];
  readonly #folder: string;
  readonly #launch: (name: string, mainClass: string, heap: string) => RunningProgram;
  readonly #jar: string;
  #jobManager: RunningProgram | undefined;
  #started = 0;

  private constructor(
    /** `host:port` of its REST API, which is where a job server submits. */
    readonly rest: string,
    folder: string,
    java: string,
    jars: readonly string[],
  ) {
    this.#folder = folder;
    this.#jar = jars.at(-1)!;
    const conf = path.join(this.#folder, "conf");
    this.#launch = (name, mainClass, heap) =>
      new RunningProgram(`Flink's ${name}`, {
        program: java,
        args: [
          ...jvmFlags,
          ...[`-Xmx${heap}`, "-XX:MaxDirectMemorySize=256m", "-XX:MaxMetaspaceSize=256m"],
          `-Dlog4j.configurationFile=${path.join(conf, "log4j.properties")}`,
          ...["-cp", jars.join(path.delimiter), `${ENTRY}.${mainClass}`, "--configDir", conf],
        ],
        workDir: path.join(this.#folder, name),
      });
  }

  static async start(): Promise<FlinkCluster> {
    const java = await findJava();
    const flinkJars = path.join(await installedPackage(PACKAGE), "pyflink", "lib", "*");
    const log = new KeptLog();
    const jobServerJars = await installJars("flink", { cacheDir: defaultCacheDir(), log });
    const folder = await mkdtemp(path.join(tmpdir(), "millrace-flink-cluster-"));
    const [restPort, rpcPort] = (await freePorts(2)) as [number, number];
    await mkdir(path.join(folder, "conf"));
    await mkdir(path.join(folder, "tmp"));
    await writeFile(path.join(folder, "conf", "flink-conf.yaml"), flinkConf(folder, restPort, rpcPort));
    await writeFile(path.join(folder, "conf", "log4j.properties"), LOG4J);
    const cluster = new FlinkCluster(`127.0.0.1:${restPort}`, folder, java, [
      flinkJars,
      ...(await withoutFlink(jobServerJars)),
    ]);
    try {
      const jobManager = "entrypoint.StandaloneSessionClusterEntrypoint";
      cluster.#jobManager = cluster.#launch("job-manager", jobManager, "512m");
      await eventually("Flink's JobManager", () => cluster.#ask("/overview"));
      for (let n = 0; n < TASK_MANAGERS; n++) cluster.addTaskManager();
      await cluster.untilTaskManagers(TASK_MANAGERS);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /**
   * By default each job ships all jars of the job server to the cluster; this one has them, so it ships one. And one
   * worker for each TaskManager, instead of `--parallelism`.
   */
  get jobOptions(): { readonly files_to_stage: string[]; readonly sdk_worker_parallelism: number } {
    return { files_to_stage: [this.#jar], sdk_worker_parallelism: 1 };
  }

  get jobFlags(): string[] {
    return [`--job-options=${JSON.stringify(this.jobOptions)}`];
  }

  addTaskManager(): void {
    const name = `task-manager-${++this.#started}`;
    this.taskManagers.push(this.#launch(name, "taskexecutor.TaskManagerRunner", "640m"));
  }

  /** Until the JobManager knows exactly so many. */
  untilTaskManagers(count: number): Promise<true> {
    return eventually(`${count} TaskManagers`, async () => {
      const overview = await this.#ask<{ readonly taskmanagers: number }>("/overview");
      return overview?.taskmanagers === count || undefined;
    });
  }

  async killTaskManager(): Promise<void> {
    await this.taskManagers.shift()!.kill();
  }

  /** Of the newest job: how many records each TaskManager has read, by its id. */
  async recordsRead(): Promise<Map<string, number>> {
    const { jobs } = (await this.#ask<{ readonly jobs: readonly Job[] }>("/jobs/overview"))!;
    const newest = jobs.reduce((a, b) => (a["start-time"] > b["start-time"] ? a : b));
    const job = (await this.#ask<{ readonly vertices: readonly { id: string }[] }>(`/jobs/${newest.jid}`))!;
    const read = new Map<string, number>();
    for (const { id } of job.vertices) {
      const vertex = await this.#ask<Vertex>(`/jobs/${newest.jid}/vertices/${id}/taskmanagers`);
      for (const { "taskmanager-id": at, metrics } of vertex!.taskmanagers) {
        read.set(at, (read.get(at) ?? 0) + metrics["read-records"]);
      }
    }
    return read;
  }

  async stop(): Promise<void> {
    for (const program of this.taskManagers) await program.kill();
    await this.#jobManager?.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #ask<T>(resource: string): Promise<T | undefined> {
    return ask<T>(`http://${this.rest}${resource}`);
  }
}

/** The job server's jars but those of Flink, of which the cluster has its own. */
async function withoutFlink(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => name.endsWith(".jar") && !/^(flink-|slf4j-simple)/.test(name))
    .map((name) => path.join(folder, name));
}

interface Job {
  readonly jid: string;
  readonly "start-time": number;
}

interface Vertex {
  readonly taskmanagers: readonly {
    readonly "taskmanager-id": string;
    readonly metrics: { readonly "read-records": number };
  }[];
}

/** A TaskManager that is started by its class, not by Flink's scripts, must be told every part of its memory. */
const TASK_MEMORY = {
  "jvm-metaspace.size": "256m",
  "jvm-overhead.min": "128m",
  "jvm-overhead.max": "128m",
  "task.heap.size": "512m",
  "task.off-heap.size": "0m",
  "framework.heap.size": "128m",
  "framework.off-heap.size": "128m",
  "managed.size": "128m",
  "network.min": "64m",
  "network.max": "64m",
};

function flinkConf(folder: string, restPort: number, rpcPort: number): string {
  const urlOf = (name: string) => pathToFileURL(path.join(folder, name)).href;
  return [
    "jobmanager.rpc.address: 127.0.0.1",
    "jobmanager.bind-host: 127.0.0.1",
    `jobmanager.rpc.port: ${rpcPort}`,
    "jobmanager.memory.process.size: 1g",
    "rest.address: 127.0.0.1",
    "rest.bind-address: 127.0.0.1",
    `rest.port: ${restPort}`,
    "taskmanager.host: 127.0.0.1",
    "taskmanager.bind-host: 127.0.0.1",
    "taskmanager.cpu.cores: 1",
    // one more than a job of parallelism 2 needs on each, so that one TaskManager can take over from the other
    "taskmanager.numberOfTaskSlots: 2",
    "cluster.evenly-spread-out-slots: true",
    ...Object.entries(TASK_MEMORY).map(([part, size]) => `taskmanager.memory.${part}: ${size}`),
    `io.tmp.dirs: ${path.join(folder, "tmp")}`,
    "state.checkpoint-storage: filesystem",
    `state.checkpoints.dir: ${urlOf("checkpoints")}`,
    `state.savepoints.dir: ${urlOf("savepoints")}`,
    // a TaskManager that is gone is noticed within seconds
    "heartbeat.interval: 1000",
    "heartbeat.timeout: 10000",
    "restart-strategy: fixed-delay",
    "restart-strategy.fixed-delay.attempts: 3",
    "restart-strategy.fixed-delay.delay: 1 s",
    "",
  ].join("\n");
}

const LOG4J = `rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %-5p %c{1} %m%n
`;
