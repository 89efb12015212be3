/** Runs a program to its end, for tests that drive docker and the command line from outside. */
import { spawn } from "node:child_process";

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export interface ProgramEnd {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves whatever the exit code is. @throws when the program cannot be started. */
export function endOf(command: readonly string[], options: ProgramOptions = {}): Promise<ProgramEnd> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

/** What it wrote to standard output. @throws with all it said when it does not exit with 0. */
export async function outputOf(command: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await endOf(command, options);
  if (exitCode === 0) return stdout;
  throw new Error(`${command.join(" ")}: exit code ${exitCode}\n${stdout}${stderr}`);
}

/** Looks again until `isDone`, and gives what it saw then. @throws naming `what` and the last thing seen. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T>,
  isDone: (seen: T) => boolean,
  limitMs = 90_000,
): Promise<T> {
  const endMs = performance.now() + limitMs;
  let seen: T;
  do {
    seen = await look();
    if (isDone(seen)) return seen;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  } while (performance.now() < endMs);
  throw new Error(`${what}: not within ${limitMs} ms, last seen ${JSON.stringify(seen)}`);
}

const LOOK_MS = 250;
