/** Beam's job server for Spark: batch, in its own JVM or on a standalone cluster. */
import { driverArgs, findJava, installJars } from "./java.js";
import type { PrepareServer } from "./job-server-spec.js";

export const prepareSpark: PrepareServer = async (spec) => {
  const program = await findJava();
  const jars = await installJars("spark", spec);
  const args = driverArgs("org.apache.beam.runners.spark.SparkJobServerDriver", jars, spec);
  if (spec.master !== undefined) args.push(`--spark-master-url=${spec.master}`);
  // else Spark listens on the machine's outer address
  return { program, args, env: { SPARK_LOCAL_IP: process.env["SPARK_LOCAL_IP"] ?? "127.0.0.1" } };
};
