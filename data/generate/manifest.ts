/** What a run has written, for whoever checks that all of it arrived. */
import type { GeneratorRun } from "./generator-run.js";
import type { MalformedReason } from "./malformed-event.js";
import type { Tally } from "./tally.js";

/**
 * The manifest as it stands in its JSON file. Of `rows` records (without headers) the pipeline must
 * write `unique`, drop `duplicate` and refuse `malformed`; `rows` is their sum. Nothing in it depends on
 * the clock, so equal runs have equal manifests.
 */
export interface Manifest {
  readonly run: string;
  readonly seed: number;
  /** Event time of the first record, ISO 8601, UTC. */
  readonly start: string;
  readonly events_per_second: number;
  readonly malformed_rate: number;
  readonly duplicate_rate: number;
  /** False: the run was stopped before `rows_planned`. */
  readonly complete: boolean;
  readonly rows_planned: number;
  readonly rows: number;
  readonly unique: number;
  readonly duplicate: number;
  readonly malformed: number;
  /** Malformed records by the reason they must be refused for; reasons that do not occur are absent. */
  readonly malformed_by_reason: Readonly<Partial<Record<MalformedReason, number>>>;
  readonly output: string;
  readonly files: number;
  readonly bytes: number;
  /** Names of the first and the last file; null when there is none. */
  readonly first_file: string | null;
  readonly last_file: string | null;
}

/** The manifest of what a run has written so far. */
export function manifestOf(
  run: GeneratorRun,
  tally: Tally,
  files: { readonly count: number; readonly bytes: number; readonly first: string; readonly last: string },
): Manifest {
  return {
    run: run.name,
    seed: run.seed,
    start: new Date(run.startMs).toISOString(),
    events_per_second: run.options.eventsPerSecond,
    malformed_rate: run.options.malformedRate,
    duplicate_rate: run.options.duplicateRate,
    complete: tally.rows === run.rowsPlanned,
    rows_planned: run.rowsPlanned,
    rows: tally.rows,
    unique: tally.unique,
    duplicate: tally.duplicate,
    malformed: tally.malformed,
    malformed_by_reason: Object.fromEntries(Object.entries(tally.malformedByReason).sort()),
    output: run.options.output,
    files: files.count,
    bytes: files.bytes,
    first_file: files.first || null,
    last_file: files.last || null,
  };
}
