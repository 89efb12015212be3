/** Which run a worker's job is part of, and which database it writes into: from the job's options and the environment. */
import {
  type Environment,
  environmentNamesDatabase,
  readSecretFile,
  resolveConnection,
} from "../../../sql/connection-config.js";
import type { ConnectionConfig } from "../../../sql/sql-session.js";
import type { SetupContext } from "../../../transforms/primitives/do-fn.js";
import type { JsonValue } from "../../../transforms/primitives/fn-registry.js";

/** The run that a worker's job is part of. */
export interface WorkerRun {
  readonly pipeline: string;
  readonly runId: string;
  readonly mode: SetupContext["mode"];
}

/** The pipeline option by which workers learn of the run: JSON, so that every job server hands it on as it is. */
export const RUN_OPTION = "beam:option:millrace_run:v1";

/** The option's value. */
export function toRunOption({ pipeline, runId, mode }: WorkerRun): string {
  return JSON.stringify({ pipeline, runId, mode });
}

/** Undefined for a job without a database. @throws when the option is not one of ours. */
export function readRunOption(options: { readonly [name: string]: JsonValue }): WorkerRun | undefined {
  const text = options[RUN_OPTION];
  if (text === undefined || text === null) return undefined;
  const run = (typeof text === "string" ? JSON.parse(text) : text) as Partial<WorkerRun>;
  const { pipeline, runId, mode } = run;
  if (
    typeof pipeline !== "string" ||
    typeof runId !== "string" ||
    (mode !== "stream" && mode !== "available-now")
  ) {
    throw new Error(`${RUN_OPTION} must name pipeline, runId and mode, got ${JSON.stringify(text)}`);
  }
  return { pipeline, runId, mode };
}

/**
 * The database that the environment names, as the commands of the project read it; undefined where it names none.
 * It never travels with the job, whose options anybody may read on the job server's page.
 * @throws ConnectionConfigError
 */
export async function workerConnection(env: Environment): Promise<ConnectionConfig | undefined> {
  const url = env["MILLRACE_DATABASE_URL"] || env["DATABASE_URL"] || urlFromFile(env);
  if (url === undefined && !environmentNamesDatabase(env)) return undefined;
  return (await resolveConnection({ url, env })).connection;
}

function urlFromFile(env: Environment): string | undefined {
  const name = ["MILLRACE_DATABASE_URL_FILE", "DATABASE_URL_FILE"].find((variable) => env[variable]);
  return name === undefined ? undefined : readSecretFile(env[name]!, name).trim();
}
