/** What the runners behind job servers cannot run of the scenarios, and why. An unlisted scenario must pass. */
import type { PortableTargetName } from "./portable-targets.js";

/** Scenarios as `category: name`, by a reason of one phrase. */
type Exclusions = Readonly<Record<string, readonly string[]>>;

const exclusions: Record<PortableTargetName, Exclusions> = {
  prism: {},
  spark: {},
  flink: {},
  "flink-streaming": {},
};

/** Why the runner cannot run the scenario; undefined when it can. */
export function exclusionOf(target: PortableTargetName, category: string, name: string): string | undefined {
  const wanted = `${category}: ${name}`;
  const found = Object.entries(exclusions[target]).find(([, scenarios]) => scenarios.includes(wanted));
  return found?.[0];
}
