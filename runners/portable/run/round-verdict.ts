/** What is tried again when a round of a stream has failed. */
import { sqlStateOf } from "../../../sql/sql-state.js";
import { FencedError, PipelineLockedError } from "../../run/run-start.js";
import { JobServerStartError } from "../job-servers/job-server-start-error.js";
import { JobServerError } from "../job-service.js";
import type { RoundVerdict } from "./rounds.js";

/**
 * A job server that nobody answers for is waited for, as a database is. What came of a job that the server had taken is
 * tried again, so many times: whether a worker was lost or a DoFn is wrong, its words do not say. What is refused
 * before, and what the database has against it, would be again.
 */
export function judgeRound(error: unknown, wasSubmitted: boolean): RoundVerdict {
  if (error instanceof FencedError || error instanceof PipelineLockedError) return "end";
  if (sqlStateOf(error) !== undefined) return "end";
  if (wasSubmitted) return "counted-retry";
  if (error instanceof JobServerError) return error.status === "UNAVAILABLE" ? "retry" : "counted-retry";
  if (error instanceof JobServerStartError && error.code === "did_not_start") return "counted-retry";
  return "end";
}
