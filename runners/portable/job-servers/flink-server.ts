/** Beam's job server for Flink: batch and streaming, in its own JVM or on a session cluster. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { restPortsBehind } from "../flink-rest.js";
import { driverArgs, findJava, installJars } from "./java.js";
import type { PrepareServer } from "./job-server-spec.js";

export const prepareFlink: PrepareServer = async (spec) => {
  const program = await findJava();
  const jars = await installJars("flink", spec);
  const confDir = path.join(spec.workDir, "conf");
  await mkdir(confDir, { recursive: true });
  const restPorts = restPortsBehind(spec.port);
  await writeFile(path.join(confDir, "flink-conf.yaml"), flinkConf(spec.workDir, restPorts));
  const args = driverArgs("org.apache.beam.runners.flink.FlinkJobServerDriver", jars, spec);
  args.push(`--flink-conf-dir=${confDir}`);
  if (spec.master !== undefined) args.push(`--flink-master=${spec.master}`);
  return { program, args, env: {}, flinkRest: spec.master ?? `127.0.0.1:${restPorts}` };
};

/**
 * For jobs in the server's own JVM; the restart strategy goes with a job to a cluster as well. By default Flink keeps checkpoints in memory, where one of more than 5 MB
 * fails, and a streaming job that fails starts again without end, whatever made it fail.
 */
function flinkConf(workDir: string, restPorts: string): string {
  const urlOf = (folder: string) => pathToFileURL(path.join(workDir, folder)).href;
  return [
    "state.checkpoint-storage: filesystem",
    `state.checkpoints.dir: ${urlOf("checkpoints")}`,
    `state.savepoints.dir: ${urlOf("savepoints")}`,
    "rest.address: 127.0.0.1",
    "rest.bind-address: 127.0.0.1",
    `rest.bind-port: ${restPorts}`,
    // not fixed-delay, which counts over a stream's whole life; the fourth failure within the interval is the last
    "restart-strategy: failure-rate",
    "restart-strategy.failure-rate.max-failures-per-interval: 4",
    "restart-strategy.failure-rate.failure-rate-interval: 5 min",
    "restart-strategy.failure-rate.delay: 1 s",
    "",
  ].join("\n");
}
