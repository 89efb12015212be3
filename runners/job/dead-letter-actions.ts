/** What can be asked about the dead letters of a pipeline, and done with them. */
import type {
  DeadLetterDetail,
  DeadLetterQuery,
  DeadLetterReasons,
  DeadLetterRetry,
  DeadLetterSummary,
  Page,
} from "./job-view.js";

export interface DeadLetterActions {
  /** The newest first. */
  list(query: DeadLetterQuery): Promise<Page<DeadLetterSummary>>;
  /** Undefined: there is none with this id. */
  show(id: string): Promise<DeadLetterDetail | undefined>;
  reasons(): Promise<DeadLetterReasons>;
  /** Asks for it to be read again, with other bytes if some are given. Undefined: there is none with this id. */
  retryOne(id: string, by: string, raw?: Buffer): Promise<DeadLetterRetry | undefined>;
  /** Asks for all of a reason; resolves to how many these are. */
  retryReason(reason: string, by: string): Promise<number>;
  /** One JSON object a line, each with its newline. */
  export(query: Pick<DeadLetterQuery, "reason">): AsyncIterable<string>;
}
