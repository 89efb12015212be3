/** Single scenarios that a runner behind a job server cannot pass, by the reason in one phrase. */
import type { PortableTargetName } from "./portable-targets.js";

/** Scenarios as `category: name`. */
type ByReason = Readonly<Record<string, readonly string[]>>;

export const excludedScenarios: Record<PortableTargetName, ByReason> = {
  prism: {},
  spark: {},
  flink: {},
  "flink-streaming": {},
};
