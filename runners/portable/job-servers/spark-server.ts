/** Beam's job server for Spark: batch, in its own JVM or on a standalone cluster. */
import { driverArgs, findJava, installJars } from "./java.js";
import type { PrepareServer } from "./job-server-spec.js";

/**
 * Into how many parts Spark cuts what it shuffles; so many tasks a stage, each a bundle whose output lies in memory
 * until it is done. By default it is the number of cores, and a large input does not fit.
 */
const SHUFFLE_PARTS = 32;

export const prepareSpark: PrepareServer = async (spec) => {
  const program = await findJava();
  const jars = await installJars("spark", spec);
  const args = [
    `-Dspark.default.parallelism=${SHUFFLE_PARTS}`,
    ...driverArgs("org.apache.beam.runners.spark.SparkJobServerDriver", jars, spec),
  ];
  if (spec.master !== undefined) args.push(`--spark-master-url=${spec.master}`);
  // else Spark listens on the machine's outer address
  return { program, args, env: { SPARK_LOCAL_IP: process.env["SPARK_LOCAL_IP"] ?? "127.0.0.1" } };
};
