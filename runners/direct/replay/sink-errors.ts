/** What can be wrong between a pipeline and another database that its sinks write to. */

/** A graph names a connection that the process does not have, or there is no database whose commits could be replayed. */
export class SinkDatabaseError extends Error {
  override readonly name = "SinkDatabaseError";
  readonly code = "MILLRACE_SINK_DATABASE";
}

/** The other database's ledger does not fit the log: going on would lose rows there or write them twice. */
export class SinkLedgerError extends Error {
  override readonly name = "SinkLedgerError";
  readonly code = "MILLRACE_SINK_LEDGER";
}

/** The run ends while epochs are still to be replayed; the next one does it. */
export class SinkBehindError extends Error {
  override readonly name = "SinkBehindError";
  readonly code = "MILLRACE_SINK_BEHIND";
}
