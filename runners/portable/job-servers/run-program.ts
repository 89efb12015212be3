/** Programs of others (java, mvn, go): run to their end, with what they said. */
import { spawn } from "node:child_process";
import { JobServerStartError } from "./job-server-start-error.js";

export interface ProgramEnd {
  readonly exitCode: number | null;
  /** Of stdout and stderr together, the last of it. */
  readonly output: string;
}

/** Enough for the reason of a failure. */
const OUTPUT_CHARS_MAX = 20_000;

/** @throws JobServerStartError `program_missing`, with `need` as the way out, when there is no such program */
export function runProgram(
  program: string,
  args: readonly string[],
  need: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const take = (bytes: Buffer) => {
      output = (output + bytes.toString()).slice(-OUTPUT_CHARS_MAX);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.on("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "ENOENT" ? "is not on the PATH" : `cannot be run (${error.message})`;
      reject(new JobServerStartError("program_missing", `\`${program}\` ${why}: ${need}`, { cause: error }));
    });
    child.on("close", (exitCode) => resolve({ exitCode, output }));
  });
}

/** The lines of an output that tell why it failed. */
export function lastLines(output: string, count = 5): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => /error|failed|exception/i.test(line));
  return (errors.length > 0 ? errors.slice(0, count) : lines.slice(-count)).join("\n");
}
