/** Beam's job states, as far as a local job has them. */
export type JobState =
  | "STARTING"
  | "RUNNING"
  | "DRAINING"
  | "CANCELLING"
  | "DONE"
  | "DRAINED"
  | "CANCELLED"
  | "FAILED";
