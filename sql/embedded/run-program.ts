/** Runs one of PostgreSQL's programs to its end, as another account if asked to. */
import { spawn } from "node:child_process";

export interface ProgramResult {
  /** Exit code; undefined when it could not be started or a signal ended it. */
  readonly code: number | undefined;
  /** The end of what it printed on both streams, or why it could not be started. */
  readonly output: string;
}

export interface ProgramOptions {
  /** As whom, if not as ourselves. */
  readonly account?: { readonly uid: number; readonly gid: number } | undefined;
  readonly signal?: AbortSignal | undefined;
}

const outputCharsMax = 4_096;

/** Never rejects: a program that cannot be started is a result without code. */
export function runProgram(
  path: string,
  args: readonly string[],
  { account, signal }: ProgramOptions = {},
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    let output = "";
    const child = spawn(path, args, {
      // our own folder may be closed to the account, and PostgreSQL wants to know where it stands
      cwd: "/",
      env: programEnvironment(),
      // its own process group: Ctrl-C is meant for the command, not for the server
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      ...(account && { uid: account.uid, gid: account.gid }),
      ...(signal && { signal }),
    });
    const keep = (chunk: string): void => {
      output = (output + chunk).slice(-outputCharsMax);
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    child.on("error", (error) => {
      output += error.message;
      // ended by the signal it still has to clear up: then "close" tells its end
      if (child.pid === undefined) resolve({ code: undefined, output });
    });
    child.on("close", (code) => resolve({ code: code ?? undefined, output: output.trim() }));
  });
}

/** Nothing of our environment is left to the server: it may hold passwords, PGDATA or a locale that is not installed. */
function programEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = { LC_ALL: "C", TZ: "UTC" };
  for (const name of ["PATH", "SystemRoot"]) {
    if (process.env[name] !== undefined) environment[name] = process.env[name];
  }
  return environment;
}
