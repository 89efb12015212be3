/** `millrace generate`: runs the generator for the command line, with its progress, log and summary. */
import { randomInt } from "node:crypto";
import { join } from "node:path";
import { type GenerateProgress, generateEvents } from "../../data/generate/generate-events.js";
import type { GeneratorOptions } from "../../data/generate/generator-options.js";
import type { GeneratorRun } from "../../data/generate/generator-run.js";
import type { Manifest } from "../../data/generate/manifest.js";
import type { Clock } from "../../transforms/primitives/do-fn.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import { RotatingLineLog } from "../../transforms/rotating-line-log.js";

export { type GeneratorOptions, parseGeneratorOptions } from "../../data/generate/generator-options.js";

/** A stream of text that may be a terminal, such as `process.stdout`. */
export interface GenerateOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

/** The outside of the command. */
export interface GenerateIo {
  /** Takes the summary, nothing else. */
  readonly stdout: GenerateOutput;
  /** Takes seed and start at the beginning, then the progress. */
  readonly stderr: GenerateOutput;
  /** Fires on SIGINT and SIGTERM; the run then ends in order. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly randomSeed?: () => number;
}

const liveIntervalMs = 1000;
const plainIntervalMs = 10_000;

/**
 * Generates, logs one line a file to `<logDir>/generator_metrics.log`, prints the summary, and gives the
 * exit code: 0, also when stopped by the signal. The caller installs signal handlers and judges errors.
 * @throws GeneratorError as `generateEvents` does
 */
export async function runGenerate(options: GeneratorOptions, io: GenerateIo): Promise<number> {
  const clock = io.clock ?? systemClock;
  const progress = new ProgressLines(io.stderr);
  const metrics = new RotatingLineLog(join(options.logDir, "generator_metrics.log"), {
    onError: (error) => progress.say(error.message),
  });
  const startedMs = clock.monotonicMs();
  let started: GeneratorRun | undefined;
  try {
    const manifest = await generateEvents(options, {
      clock,
      randomSeed: io.randomSeed ?? (() => randomInt(2 ** 32)),
      metrics,
      ...(io.signal && { signal: io.signal }),
      onStart: (run) => {
        started = run;
        progress.say(describeRun(run));
      },
      onProgress: (report) => progress.show(report),
    });
    progress.end();
    io.stdout.write(describeResult(manifest, started!.manifestPath, clock.monotonicMs() - startedMs));
    return 0;
  } finally {
    progress.end();
    await metrics.close();
  }
}

/** One live line a second on a terminal, elsewhere a line every ten. */
class ProgressLines {
  readonly #output: GenerateOutput;
  #lastShownMs = 0;
  #isLineOpen = false;

  constructor(output: GenerateOutput) {
    this.#output = output;
  }

  /** A line of its own. */
  say(line: string): void {
    this.end();
    this.#output.write(`${line}\n`);
  }

  show(progress: GenerateProgress): void {
    const intervalMs = this.#output.isTTY ? liveIntervalMs : plainIntervalMs;
    if (progress.elapsedMs - this.#lastShownMs < intervalMs) return;
    this.#lastShownMs = progress.elapsedMs;
    if (!this.#output.isTTY) {
      this.say(describeProgress(progress));
      return;
    }
    this.#output.write(`\r${describeProgress(progress)}\x1b[K`);
    this.#isLineOpen = true;
  }

  /** Leaves a live line behind. */
  end(): void {
    if (this.#isLineOpen) this.#output.write("\n");
    this.#isLineOpen = false;
  }
}

function describeRun({ seed, startMs, rowsPlanned, isPaced, options }: GeneratorRun): string {
  const pace = isPaced ? `at ${options.eventsPerSecond}/s` : "as fast as possible";
  const start = new Date(startMs).toISOString();
  return `generating ${count(rowsPlanned)} events ${pace} into ${options.output} (--seed ${seed} --start ${start})`;
}

function describeProgress({ run, rows, files, elapsedMs, lagMs }: GenerateProgress): string {
  const lag = run.isPaced ? `, lag ${Math.round(lagMs)} ms` : "";
  const share = Math.floor((rows / run.rowsPlanned) * 100);
  return `${count(rows)} events (${share} %) in ${count(files)} files, ${rate(rows, elapsedMs)}${lag}`;
}

function describeResult(manifest: Manifest, manifestPath: string, elapsedMs: number): string {
  const { rows, unique, duplicate, malformed, files, output } = manifest;
  const reasons = Object.entries(manifest.malformed_by_reason).map(
    ([reason, times]) => `${reason} ${count(times)}`,
  );
  const lines = [
    `${manifest.complete ? "generated" : "stopped after"} ${count(rows)} events in ${count(files)} files in ${output}, ${rate(rows, elapsedMs)}`,
    `  unique     ${count(unique)}`,
    `  duplicate  ${count(duplicate)}`,
    `  malformed  ${count(malformed)}${reasons.length > 0 ? ` (${reasons.join(", ")})` : ""}`,
    `  seed ${manifest.seed}, start ${manifest.start}`,
    `  manifest ${manifestPath}`,
  ];
  return `${lines.join("\n")}\n`;
}

function rate(rows: number, elapsedMs: number): string {
  return elapsedMs > 0 ? `${count(Math.round((rows / elapsedMs) * 10_000) / 10)}/s` : "0/s";
}

function count(number: number): string {
  return number.toLocaleString("en-US");
}
