/** Other databases that sinks write to: from the names that graphs know to connections, which the environment has. */

import { parseConnectionUrl } from "./connection/parse-connection-url.js";
import { ConnectionConfigError, readSecretFile, resolveConnection } from "./connection-config.js";
import type { ConnectionConfig } from "./sql-session.js";

/** A name as graphs use it. */
export const SINK_DATABASE_NAME = /^[a-z][a-z0-9_]{0,62}$/;

/** How a database is reached; asked for each new connection. */
export type SinkDatabase = () => ConnectionConfig | Promise<ConnectionConfig>;

/** By name. */
export type SinkDatabases = ReadonlyMap<string, SinkDatabase>;

type Environment = Readonly<Record<string, string | undefined>>;

/** `MILLRACE_SINK_<NAME>_URL`, or `…_URL_FILE` for a file that holds it. */
const VARIABLE = /^MILLRACE_SINK_([A-Z][A-Z0-9_]*?)_URL(_FILE)?$/;

/** How the connection of a name is given. */
export function sinkVariable(name: string): string {
  return `MILLRACE_SINK_${name.toUpperCase()}_URL`;
}

export function isSinkVariable(variable: string): boolean {
  return VARIABLE.test(variable);
}

/**
 * The connections of an environment. PG* are the coordinating database's: of them only those count that say where
 * secrets and certificates are.
 * @throws ConnectionConfigError naming the variable, never its secret
 */
export function sinkDatabasesOf(env: Environment): SinkDatabases {
  const databases = new Map<string, SinkDatabase>();
  const shared = Object.fromEntries(SHARED_VARIABLES.map((name) => [name, env[name]]));
  for (const variable of Object.keys(env).sort()) {
    const [, name = "", file] = VARIABLE.exec(variable) ?? [];
    const value = env[variable];
    if (name === "" || value === undefined || value === "") continue;
    const known = name.toLowerCase();
    if (databases.has(known)) {
      throw new ConnectionConfigError(`${sinkVariable(known)} and ${variable} name two databases. Keep one`);
    }
    const url = file === undefined ? value : readSecretFile(value, variable).trim();
    refuseUnreadable(url, variable);
    databases.set(known, async () => (await resolveConnection({ url, env: shared })).connection);
  }
  return databases;
}

const SHARED_VARIABLES = [
  ...["PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR"],
  ...["PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY"],
];

function refuseUnreadable(url: string, variable: string): void {
  try {
    parseConnectionUrl(url);
  } catch (error) {
    if (!(error instanceof ConnectionConfigError)) throw error;
    throw new ConnectionConfigError(`${variable}: ${error.message}`, { cause: error });
  }
}
