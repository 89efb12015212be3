/** The job servers that the suites run on, each once for all suites of a file. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  type JobServerName,
  type RunningJobServer,
  startJobServer,
} from "../../runners/portable/job-servers/start-job-server.js";
import type { Log } from "../../transforms/primitives/do-fn.js";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";

export interface Target {
  readonly name: string;
  readonly server: JobServerName;
  readonly options: { readonly [name: string]: JsonValue };
}

export const targets: readonly Target[] = [
  { name: "Prism", server: "prism", options: {} },
  { name: "Flink batch", server: "flink", options: {} },
  { name: "Flink streaming", server: "flink", options: { streaming: true, checkpointing_interval: 1_000 } },
  { name: "Spark", server: "spark", options: {} },
];

/** URL of the module that registers the suites' DoFns. */
export const torturedModule = new URL("./torture-fns.js", import.meta.url);

/** Says nothing, and keeps what it was told for the message of a test that fails. */
export class KeptLog implements Log {
  readonly lines: string[] = [];
  debug(): void {}
  readonly info = (line: string) => void this.lines.push(line);
  readonly warn = (line: string) => void this.lines.push(`warn: ${line}`);
  readonly error = (line: string) => void this.lines.push(`error: ${line}`);
}

export function startServer(name: JobServerName): Promise<RunningJobServer> {
  return startJobServer(name, { port: 0, log: new KeptLog() });
}

/** A file that `COLLECT` writes, and its lines. */
export class Output {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "millrace-torture-"));
  readonly file = path.join(this.#folder, "out.txt");

  /** Sorted; none when nothing was written. */
  lines(): string[] {
    try {
      return readFileSync(this.file, "utf8").trimEnd().split("\n").sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
