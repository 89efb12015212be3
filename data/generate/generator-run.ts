/** What a run is going to do: options with everything that was left open decided. */
import { join } from "node:path";
import type { Clock } from "../../transforms/primitives/do-fn.js";
import { runNameOf } from "./event-file.js";
import { GeneratorError } from "./generator-error.js";
import { eventsMax, type GeneratorOptions } from "./generator-options.js";

/** A planned run. */
export interface GeneratorRun {
  readonly options: GeneratorOptions;
  readonly seed: number;
  /** Event time of the first record, ms since 1970, UTC. */
  readonly startMs: number;
  /** What the names of its files begin with. */
  readonly name: string;
  readonly rowsPlanned: number;
  /** False with `asFastAsPossible`. */
  readonly isPaced: boolean;
  readonly manifestPath: string;
}

const durationDefaultSeconds = 60;
const lastInstantMs = Date.parse("9999-12-31T23:59:59.999Z");

/**
 * Decides seed, start, number of records and the place of the manifest. Without an option for it, the
 * manifest is `_<run name>.manifest.json` in the output directory: writable if anything is, one for
 * every run, and neither `*.csv` nor anything else a reader of a watched directory takes.
 * @throws GeneratorError `invalid_options` when the run would be too long
 */
export function planRun(
  options: GeneratorOptions,
  context: { readonly clock: Clock; readonly randomSeed: () => number },
): GeneratorRun {
  const seed = options.seed ?? context.randomSeed();
  const startMs = options.start === undefined ? Math.floor(context.clock.now()) : Date.parse(options.start);
  const rowsPlanned = planRows(options);
  if (startMs + (rowsPlanned / options.eventsPerSecond) * 1000 > lastInstantMs) {
    const start = new Date(startMs).toISOString();
    throw new GeneratorError(
      "invalid_options",
      `start must leave the events in years up to 9999, got ${start}`,
    );
  }
  const name = runNameOf(seed, startMs);
  return {
    options,
    seed,
    startMs,
    name,
    rowsPlanned,
    isPaced: !options.asFastAsPossible,
    manifestPath: options.manifest ?? join(options.output, `_${name}.manifest.json`),
  };
}

function planRows({ events, duration, eventsPerSecond }: GeneratorOptions): number {
  if (events !== undefined && duration === undefined) return events;
  const rows = Math.max(1, Math.round((duration ?? durationDefaultSeconds) * eventsPerSecond));
  if (rows > eventsMax && events === undefined) {
    const rule = `duration times eventsPerSecond must be at most ${eventsMax}`;
    throw new GeneratorError("invalid_options", `${rule}, got ${duration} times ${eventsPerSecond}`);
  }
  return Math.min(rows, events ?? rows);
}
