/** A real Spark standalone cluster on this machine: a master and two workers, each with one executor a job. */
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { defaultCacheDir } from "../../runners/portable/job-servers/install-once.js";
import { findJava, installJars, jvmFlags } from "../../runners/portable/job-servers/java.js";
import { KeptLog } from "../portable/targets.js";
import { freePorts } from "../support/free-ports.js";
import { childrenOf } from "./processes.js";
import { installedPackage } from "./pypi-package.js";
import { ask, eventually, RunningProgram } from "./running-program.js";

/** The version that the job server of Spark has: master, workers and driver must be of one. */
const PACKAGE = "pyspark==3.5.1";
const WORKERS = 2;
/** A small one that is there: where a job names none, it ships all. */
const JAR = "slf4j-api-2.0.7.jar";

interface MasterState {
  readonly aliveworkers: number;
}

export class SparkCluster {
  readonly #master: RunningProgram;
  readonly #folder: string;
  readonly #jobServerJars: string;

  private constructor(
    readonly masterUrl: string,
    readonly workers: readonly RunningProgram[],
    master: RunningProgram,
    folder: string,
    jars: string,
  ) {
    this.#master = master;
    this.#folder = folder;
    this.#jobServerJars = jars;
  }

  static async start(): Promise<SparkCluster> {
    const java = await findJava();
    const home = path.join(await installedPackage(PACKAGE), "pyspark");
    const jars = path.join(home, "jars", "*");
    const log = new KeptLog();
    const jobServerJars = await installJars("spark", { cacheDir: defaultCacheDir(), log });
    const folder = await mkdtemp(path.join(tmpdir(), "millrace-spark-cluster-"));
    await mkdir(path.join(folder, "events"));
    const [port, webPort] = (await freePorts(2)) as [number, number];
    const launch = (name: string, mainClass: string, args: readonly string[]) =>
      new RunningProgram(`Spark's ${name}`, {
        program: java,
        args: [...jvmFlags, "-Xmx512m", "-cp", jars, `org.apache.spark.deploy.${mainClass}`, ...args],
        // what Spark's own scripts set; executors have it from their worker
        env: { SPARK_LOCAL_IP: "127.0.0.1", SPARK_HOME: home, SPARK_SCALA_VERSION: "2.12" },
        workDir: path.join(folder, name),
      });
    const masterUrl = `spark://127.0.0.1:${port}`;
    const listen = ["--host", "127.0.0.1", "--port"];
    const master = launch("master", "master.Master", [...listen, `${port}`, "--webui-port", `${webPort}`]);
    const workers: RunningProgram[] = [];
    const cluster = new SparkCluster(masterUrl, workers, master, folder, jobServerJars);
    try {
      await eventually("Spark's master", () => ask<MasterState>(`http://127.0.0.1:${webPort}/json/`));
      for (let n = 1; n <= WORKERS; n++) {
        const size = ["--cores", "1", "--memory", "1g", "--webui-port", "0"];
        const place = ["--work-dir", path.join(folder, `worker-${n}`)];
        workers.push(launch(`worker-${n}`, "worker.Worker", [...listen, "0", ...size, ...place, masterUrl]));
      }
      await eventually("Spark's workers", async () => {
        const state = await ask<MasterState>(`http://127.0.0.1:${webPort}/json/`);
        return state?.aliveworkers === WORKERS || undefined;
      });
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /**
   * For the job server's JVM, the driver: small executors that have the job server's jars, and a record of all that
   * they do.
   */
  get driverFlags(): string {
    return [
      `-Dspark.executor.extraClassPath=${path.join(this.#jobServerJars, "*")}`,
      `-Dspark.eventLog.enabled=true -Dspark.eventLog.dir=file://${this.#events}`,
      "-Dspark.executor.memory=512m -Dspark.ui.enabled=false",
    ].join(" ");
  }

  /** By default each job ships all jars of the job server to each executor; these have them, so it ships one. */
  get jobFlags(): string[] {
    const one = path.join(this.#jobServerJars, JAR);
    return [`--job-options=${JSON.stringify({ files_to_stage: [one] })}`];
  }

  /** Process ids of the executors that run. */
  executors(): number[] {
    return this.workers.flatMap((worker) => childrenOf(worker.pid).map(({ pid }) => pid));
  }

  /** Of all jobs so far: how many tasks each executor has finished well, by job and executor. */
  async tasksDone(): Promise<Map<string, number>> {
    const done = new Map<string, number>();
    for (const name of await readdir(this.#events)) {
      for (const line of (await readFile(path.join(this.#events, name), "utf8")).split("\n")) {
        if (!line.startsWith('{"Event":"SparkListenerTaskEnd"')) continue;
        const event = JSON.parse(line) as TaskEnd;
        if (event["Task End Reason"].Reason !== "Success") continue;
        const executor = `${name} ${event["Task Info"]["Executor ID"]}`;
        done.set(executor, (done.get(executor) ?? 0) + 1);
      }
    }
    return done;
  }

  async stop(): Promise<void> {
    for (const program of [...this.workers, this.#master]) await program.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  get #events(): string {
    return path.join(this.#folder, "events");
  }
}

interface TaskEnd {
  readonly "Task End Reason": { readonly Reason: string };
  readonly "Task Info": { readonly "Executor ID": string };
}
