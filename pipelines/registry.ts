/** The pipelines that can be run by name. */
import type { DeadLetterActions } from "../runners/job/dead-letter-actions.js";
import type { RunClient } from "../runners/job/run-client.js";
import type { Runner } from "../runners/job/runner.js";
import type { Panel } from "../runners/monitor/monitored.js";
import { didYouMean } from "../runners/nearest-name.js";
import type { ConnectionConfig, SqlQueries } from "../sql/sql-session.js";
import type { Config } from "./config.js";

/** A graph, as runners take it. */
export type Graph = Parameters<Runner["run"]>[0];

/** A pipeline as it is run. */
export interface BuiltPipeline {
  readonly graph: Graph;
  /** What it does around a run on a job server. */
  readonly client?: RunClient;
  /** Views of its data that a monitor shows. */
  readonly panels?: (connection: ConnectionConfig) => Promise<readonly Panel[]>;
  /** Present where it keeps dead letters. */
  readonly deadLetters?: (queries: SqlQueries) => DeadLetterActions;
  /** Whether its graph reads what is to be tried again of them. */
  readonly takesRetries?: boolean;
  /** Modules that workers on job servers import, because they register what the graph names. */
  readonly modules?: readonly URL[];
}

/** Builds a pipeline for a configuration, for the runner that it names. */
export type BuildPipeline = (config: Config) => BuiltPipeline | Promise<BuiltPipeline>;

/** Makes a runner for a configuration and a pipeline. */
export type CreateRunner = (config: Config, pipeline: BuiltPipeline) => Runner;

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
