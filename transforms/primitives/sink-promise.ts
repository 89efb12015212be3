/** What a sink promises of what it writes, depending on the runner it stands on. */

/**
 * - `exactly once`: what it writes is committed together with the positions of the sources.
 * - `idempotent by key`: written again, it comes to the same.
 * - `at least once`: what comes again is written again.
 */
export type Guarantee = "exactly once" | "idempotent by key" | "at least once";

/** What of a runner a sink's promise depends on. */
export interface SinkPlace {
  /** As in `SetupContext`: whether a bundle may run again although its transaction is committed. */
  readonly bundlesMayRepeat: boolean;
}

/** The promise; or why the sink cannot stand there, and what would mend it. */
export type SinkPromise = {
  /** What is written to, e.g. the name of a table. */
  readonly target: string;
} & ({ readonly guarantee: Guarantee } | { readonly refusal: string });
