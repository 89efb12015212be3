/** What a sink promises of what it writes, depending on the runner it stands on. */
import type { SinkTarget } from "../../sql/sink-outbox.js";

/**
 * - `exactly once`: what it writes is committed together with the positions of the sources.
 * - `exactly once, replayed behind the commit`: it is in another database. What it writes is committed together with
 *   the positions as a log, and replayed from there, each epoch once and in order.
 * - `idempotent by key`: written again, it comes to the same.
 * - `at least once`: what comes again is written again.
 */
export type Guarantee =
  | "exactly once"
  | "exactly once, replayed behind the commit"
  | "idempotent by key"
  | "at least once";

/** What of a runner a sink's promise depends on. */
export interface SinkPlace {
  /** As in `SetupContext`: whether a bundle may run again although its transaction is committed. */
  readonly bundlesMayRepeat: boolean;
}

/** The promise; or why the sink cannot stand there, and what would mend it. */
export type SinkPromise = {
  /** What is written to, e.g. the name of a table. */
  readonly target: string;
  /** Of a sink in another database: the name of the connection, and the table there. */
  readonly elsewhere?: { readonly database: string; readonly table: SinkTarget };
} & ({ readonly guarantee: Guarantee } | { readonly refusal: string });
