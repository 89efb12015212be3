/** Beam's job server for Flink: batch and streaming, in its own JVM or on a session cluster. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { driverArgs, findJava, installJars } from "./java.js";
import type { PrepareServer } from "./job-server-spec.js";

export const prepareFlink: PrepareServer = async (spec) => {
  const program = await findJava();
  const jars = await installJars("flink", spec);
  const confDir = path.join(spec.workDir, "conf");
  await mkdir(confDir, { recursive: true });
  await writeFile(path.join(confDir, "flink-conf.yaml"), flinkConf(path.join(spec.workDir, "checkpoints")));
  const args = driverArgs("org.apache.beam.runners.flink.FlinkJobServerDriver", jars, spec);
  args.push(`--flink-conf-dir=${confDir}`);
  if (spec.master !== undefined) args.push(`--flink-master=${spec.master}`);
  return { program, args, env: {} };
};

/**
 * For jobs in the server's own JVM. By default Flink keeps checkpoints in memory, where one of more than 5 MB
 * fails, and a streaming job that fails starts again without end, whatever made it fail.
 */
function flinkConf(checkpoints: string): string {
  return [
    "state.checkpoint-storage: filesystem",
    `state.checkpoints.dir: ${pathToFileURL(checkpoints).href}`,
    "restart-strategy: fixed-delay",
    "restart-strategy.fixed-delay.attempts: 3",
    "restart-strategy.fixed-delay.delay: 1 s",
    "",
  ].join("\n");
}
