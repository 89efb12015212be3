/** What the two job servers in Java have in common: the program, its flags, and their jars. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { installOnce } from "./install-once.js";
import type { JobServerSpec } from "./job-server-spec.js";
import { JobServerStartError } from "./job-server-start-error.js";
import { lastLines, runProgram } from "./run-program.js";

/** Spark 3.5 and Flink 1.15 run on these; on later ones they were not tried. */
const JAVA_MIN = 11;
const JAVA_MAX = 17;

const NEED_JAVA = `install Java ${JAVA_MIN} to ${JAVA_MAX}, or set JAVA_HOME`;
const NEED_MAVEN = "install Maven, which fetches the job server's jars once";

/** Both read private fields of the JDK, which must be opened to them since Java 17. */
const OPENED = [
  "java.base/java.lang",
  "java.base/java.lang.invoke",
  "java.base/java.lang.reflect",
  "java.base/java.io",
  "java.base/java.net",
  "java.base/java.nio",
  "java.base/java.util",
  "java.base/java.util.concurrent",
  "java.base/java.util.concurrent.atomic",
  "java.base/sun.nio.ch",
  "java.base/sun.nio.cs",
  "java.base/sun.security.action",
  "java.base/sun.util.calendar",
  "java.security.jgss/sun.security.krb5",
].map((name) => `--add-opens=${name}=ALL-UNNAMED`);
const EXPORTED = "--add-exports=java.base/sun.net.util=ALL-UNNAMED";

/** Flags of every JVM that runs a part of Spark or Flink. */
export const jvmFlags: readonly string[] = [...OPENED, EXPORTED];

/** The program, once its version is known to do. @throws JobServerStartError */
export async function findJava(): Promise<string> {
  const home = process.env["JAVA_HOME"];
  const program = home ? path.join(home, "bin", "java") : "java";
  const { output } = await runProgram(program, ["-version"], NEED_JAVA);
  const version = /version "(?:1\.)?(\d+)/.exec(output)?.[1];
  const major = Number(version);
  if (major >= JAVA_MIN && major <= JAVA_MAX) return program;
  const found = version === undefined ? "of an unknown version" : `version ${version}`;
  throw new JobServerStartError("program_version", `\`${program}\` is ${found}: ${NEED_JAVA}`);
}

/** The folder with the jars of `<name>.pom.xml`; fetched when the pom has changed. @throws JobServerStartError */
export async function installJars(
  name: string,
  { cacheDir, log }: Pick<JobServerSpec, "cacheDir" | "log">,
): Promise<string> {
  // beside the sources, not in dist/
  const pom = fileURLToPath(
    new URL(`../../../../runners/portable/job-servers/${name}.pom.xml`, import.meta.url),
  );
  const hash = createHash("sha256")
    .update(await readFile(pom))
    .digest("hex")
    .slice(0, 12);
  return installOnce(path.join(cacheDir, `${name}-${hash}`), async (folder) => {
    log.info(`fetching the jars of the ${name} job server, once`);
    const { exitCode, output } = await runProgram("mvn", copyInto(folder, pom), NEED_MAVEN);
    if (exitCode === 0) return;
    throw new JobServerStartError(
      "install_failed",
      `Maven could not fetch the jars of the ${name} job server (exit code ${exitCode}):\n${lastLines(output)}`,
    );
  });
}

function copyInto(folder: string, pom: string): string[] {
  return [
    "--batch-mode",
    "--quiet",
    `--file=${pom}`,
    "dependency:copy-dependencies",
    "-DincludeScope=runtime",
    `-DoutputDirectory=${folder}`,
  ];
}

/** Arguments of the job server's JVM. */
export function driverArgs(
  mainClass: string,
  jars: string,
  { port, heapBytes, workDir }: JobServerSpec,
): string[] {
  return [
    ...jvmFlags,
    `-Xmx${Math.ceil(heapBytes / 1024 ** 2)}m`,
    `-Djava.io.tmpdir=${workDir}`,
    "-cp",
    path.join(jars, "*"),
    mainClass,
    "--job-host=127.0.0.1",
    `--job-port=${port}`,
    "--artifact-port=0",
    "--expansion-port=-1",
    `--artifacts-dir=${path.join(workDir, "artifacts")}`,
    "--clean-artifacts-per-job",
  ];
}
