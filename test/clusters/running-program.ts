/** A program of a cluster, or of ours, as a process: its output is kept, and it ends with this one. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithUs } from "../../runners/portable/job-servers/end-with-us.js";

const WAIT_MS = 180_000;

export interface ProgramOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Goes with it. */
  readonly workDir: string;
}

export class RunningProgram {
  output = "";
  readonly #child: ChildProcess;
  readonly #whenEnded: Promise<unknown>;

  constructor(
    readonly name: string,
    { program, args, env, cwd, workDir }: ProgramOptions,
  ) {
    this.#child = spawn(program, args, {
      env: { ...process.env, ...env },
      ...(cwd && { cwd }),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // Ctrl-C is for the test, which then ends it
    });
    for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    }
    this.#whenEnded = once(this.#child, "close");
    this.#whenEnded.catch(() => undefined); // `until` says that it is not there
    const forget = endWithUs(this.pid, workDir);
    void this.#whenEnded.then(forget, forget);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** The first match in its output, as soon as there is one. @throws when it ends before, or never says so */
  async until(pattern: RegExp): Promise<RegExpExecArray> {
    return eventually(`${this.name} to say ${pattern}`, () => {
      const found = pattern.exec(this.output);
      const hasEnded = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (found === null && hasEnded)
        throw new Error(`${this.name} has ended:\n${this.output.slice(-4_000)}`);
      return found ?? undefined;
    });
  }

  /** Resolves when it has ended. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.#child.kill(signal);
    await this.#whenEnded.catch(() => undefined);
  }

  /** Its exit code once it has ended by itself. */
  async ended(): Promise<number | null> {
    await this.#whenEnded;
    return this.#child.exitCode;
  }
}

/** The answer once there is one. @throws after three minutes without, naming what was waited for */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; await sleep(100)) {
    const answer = await look();
    if (answer !== undefined) return answer;
  }
  throw new Error(`waited ${WAIT_MS / 1_000} s for ${what}`);
}

/** The JSON there; undefined while nobody answers. */
export async function ask<T>(url: string): Promise<T | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined; // nobody there yet: whoever asks gives up after a while
  }
}
