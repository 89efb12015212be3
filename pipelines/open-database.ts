/** The database of a command: the one that was named, else the embedded one. */
import {
  ConnectionConfigError,
  describeConnection,
  environmentNamesDatabase,
  holdsPassword,
  readSecretFile,
  resolveConnection,
} from "../sql/connection-config.js";
import type { ConnectionConfig } from "../sql/sql-session.js";
import type { Log } from "../transforms/primitives/do-fn.js";
import type { LoadedConfig } from "./config.js";
import { UsageError } from "./usage-error.js";

/** A database to work with, until `close`. */
export interface OpenDatabase {
  readonly connection: ConnectionConfig;
  /** `host:port/database as user`: what may be printed. */
  readonly description: string;
  readonly isEmbedded: boolean;
  /** Variables by which other processes of this machine find it, beside what the environment says already. */
  readonly environment: Readonly<Record<string, string>>;
  /** Leaves the embedded server; the last to leave stops it. */
  close(): Promise<void>;
}

/** Attaches to the embedded server of a state folder, or starts it. */
export type OpenEmbeddedPostgres = (options: {
  readonly stateDir: string;
  /** Shown in the session that holds the server: `millrace/<verb>`. */
  readonly verb: string;
  readonly log: Log;
  /** Gives up starting or waiting for the server. */
  readonly signal: AbortSignal;
}) => Promise<EmbeddedPostgres>;

export interface EmbeddedPostgres {
  readonly connection: ConnectionConfig;
  /** Without password. */
  readonly url: string;
  readonly pgpassFile: string;
  close(): Promise<void>;
}

export interface OpenDatabaseOptions {
  readonly loaded: LoadedConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly verb: string;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Takes the embedded one, whatever else is named. */
  readonly embedded: boolean;
  /** Loaded only when no database was named. */
  readonly loadEmbedded: () => Promise<OpenEmbeddedPostgres>;
}

/**
 * Opens the database that flags, environment or millrace.yaml name; where none does, the embedded one.
 * PG* belong to the environment: they outrank a URL in millrace.yaml, and fill what a URL leaves out.
 * @throws UsageError when what names the database cannot be read.
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<OpenDatabase> {
  const named = options.embedded ? undefined : namedDatabase(options);
  if (named === undefined) return openEmbedded(options);
  warnOfFlagPassword(options);
  try {
    const url = named.url();
    const { connection, warnings } = await resolveConnection({ url, env: options.env });
    for (const warning of warnings) options.log.warn(warning);
    const description = describeConnection(connection);
    options.log.debug(`database ${description}, from ${named.by}`);
    const environment: Record<string, string> = url === undefined ? {} : { MILLRACE_DATABASE_URL: url };
    return { connection, description, isEmbedded: false, environment, close: async () => undefined };
  } catch (error) {
    if (!(error instanceof ConnectionConfigError)) throw error;
    throw new UsageError([`database from ${named.by}: ${error.message}`]);
  }
}

/**
 * Variables by which other processes of this machine find the database that flags, environment or millrace.yaml name,
 * beside what the environment says already.
 */
export function databaseVariables(
  options: Pick<OpenDatabaseOptions, "loaded" | "env">,
): Record<string, string> {
  const url = namedDatabase(options)?.url();
  return url === undefined ? {} : { MILLRACE_DATABASE_URL: url };
}

/** What names the database, or undefined when nothing does. */
function namedDatabase({ loaded, env }: Pick<OpenDatabaseOptions, "loaded" | "env">) {
  const { config, origins } = loaded;
  const origin = origins.get("databaseUrl") ?? origins.get("databaseUrlFile");
  const environmentWins = origin === undefined || origin.layer === "file";
  if (environmentWins && environmentNamesDatabase(env))
    return { by: "PG* in the environment", url: () => undefined };
  if (origin === undefined) return undefined;
  const { databaseUrl, databaseUrlFile } = config;
  const url = () => databaseUrl ?? readSecretFile(databaseUrlFile ?? "", origin.name).trim();
  return { by: origin.name, url };
}

async function openEmbedded({
  loaded,
  verb,
  log,
  signal,
  loadEmbedded,
}: OpenDatabaseOptions): Promise<OpenDatabase> {
  const openEmbeddedPostgres = await loadEmbedded();
  const server = await openEmbeddedPostgres({ stateDir: loaded.config.stateDir, verb, log, signal });
  const description = `${describeConnection(server.connection)} (embedded)`;
  const environment = { MILLRACE_DATABASE_URL: server.url, PGPASSFILE: server.pgpassFile };
  return {
    ...{ connection: server.connection, description, isEmbedded: true, environment },
    close: () => server.close(),
  };
}

function warnOfFlagPassword({ loaded, log }: OpenDatabaseOptions): void {
  const { databaseUrl } = loaded.config;
  if (databaseUrl === undefined || loaded.origins.get("databaseUrl")?.layer !== "flag") return;
  if (!holdsPassword(databaseUrl)) return;
  log.warn(
    "a password in --database-url can be seen by every user of this machine (ps) and stays in the shell's " +
      "history: use DATABASE_URL, --database-url-file or ~/.pgpass",
  );
}
