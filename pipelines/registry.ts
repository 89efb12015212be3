/** The pipelines that can be run by name. */
import type { Runner } from "../runners/job/runner.js";
import { didYouMean } from "../runners/nearest-name.js";
import type { Config } from "./config.js";

/** A graph, as runners take it. */
export type Graph = Parameters<Runner["run"]>[0];

/** Builds the graph of a pipeline for a configuration. */
export type BuildGraph = (config: Config) => Graph | Promise<Graph>;

/** By name; a module is imported only when its pipeline is run. */
export type ByName<T> = Readonly<Record<string, () => Promise<T>>>;

/** What is wrong with a name: what is known, with the nearest one as a suggestion; undefined when nothing is. */
export function refuseName(
  kind: string,
  name: string,
  entries: ByName<unknown>,
  from: string,
): string | undefined {
  if (Object.hasOwn(entries, name)) return undefined;
  const known = Object.keys(entries).sort();
  const list = known.length === 0 ? "none" : known.join(", ");
  return `${kind} must be one of ${list}, got ${JSON.stringify(name)} (from ${from}).${didYouMean(name, known)}`;
}
