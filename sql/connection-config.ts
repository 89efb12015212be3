/** From a URL and libpq's environment to what the driver takes, and to words about it that hide nothing but secrets. */
import { existsSync, readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { ConnectionConfigError } from "./connection/connection-config-error.js";
import { type ConnectionParameters, parseConnectionUrl } from "./connection/parse-connection-url.js";
import { readPgpass } from "./connection/read-pgpass.js";
import { readService } from "./connection/read-service.js";
import { chooseTls, offersTls } from "./connection/tls-options.js";
import { rememberSecret } from "./redact.js";
import type { ConnectionConfig } from "./sql-session.js";

export { ConnectionConfigError } from "./connection/connection-config-error.js";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ConnectionSource {
  /** A URL or `host=… dbname=…`; without one, PG* and libpq's defaults say everything. */
  readonly url?: string | undefined;
  readonly env: Environment;
  /** Where `.pgpass`, `.pg_service.conf` and `.postgresql/` are; default: the user's home. */
  readonly home?: string;
  /** Whether a server offers TLS; only asked under `sslmode=prefer` and `allow`. */
  readonly offersTls?: (host: string, port: number) => Promise<boolean>;
}

export interface ResolvedConnection {
  readonly connection: ConnectionConfig;
  readonly warnings: readonly string[];
}

/**
 * Settles every part of a connection as libpq does: the URL, then the service, then PG*, then
 * defaults; the password also from `PGPASSWORD_FILE` and the password file. The password is put in as
 * a function, so that the result can be printed. What is not used: several hosts, GSSAPI,
 * `connect_timeout`; `sslmode=allow` is taken as `prefer`.
 * @throws ConnectionConfigError naming the part that is wrong, never its secret.
 */
export async function resolveConnection(source: ConnectionSource): Promise<ResolvedConnection> {
  const { env } = source;
  const home = source.home ?? homedir();
  const given = source.url === undefined ? {} : parseConnectionUrl(source.url);
  const parameters = { ...fromEnvironment(env), ...fromService(given, env, home), ...given };
  const port = parsePort(parameters["port"]);
  const host = parameters["host"] ?? parameters["hostaddr"] ?? defaultHost(port);
  const user = parameters["user"] ?? userInfo().username;
  const database = parameters["dbname"] ?? user;
  const password = findPassword(parameters, { env, home, host, port, user, database });
  if (password.value !== undefined) rememberSecret(password.value, [host, user, database]);
  const address = parameters["hostaddr"] ?? host;
  const tls = chooseTls(parameters, host, home);
  const offered = tls.use === "if-offered" && (await (source.offersTls ?? offersTls)(address, port));
  const connection: ConnectionConfig = {
    host: address,
    port,
    user,
    database,
    ssl: tls.use === "always" || (tls.use === "if-offered" && offered) ? tls.options : false,
    password: () => password.value ?? refuseToGuess({ host, port, user, database }),
    ...(parameters["options"] === undefined ? {} : { options: parameters["options"] }),
  };
  return { connection, warnings: password.warnings };
}

/** Whether PG* names a database. A user, a password or a TLS mode alone name none. */
export function environmentNamesDatabase(env: Environment): boolean {
  return NAMING_VARIABLES.some((name) => isSet(env[name]));
}

/** `host:port/database as user`: what may be shown of a connection. */
export function describeConnection(connection: ConnectionConfig): string {
  const url = connection.connectionString;
  const parsed = url === undefined ? {} : parseConnectionUrl(url);
  const host = connection.host ?? parsed["host"] ?? "localhost";
  const port = connection.port ?? parsed["port"] ?? DEFAULT_PORT;
  const user = connection.user ?? parsed["user"] ?? "?";
  const database = connection.database ?? parsed["dbname"] ?? user;
  return `${host.includes(":") ? `[${host}]` : host}:${port}/${database} as ${user}`;
}

/** Whether a URL or keyword string carries a password: said aloud when it came by a flag. */
export function holdsPassword(url: string): boolean {
  try {
    return parseConnectionUrl(url)["password"] !== undefined;
  } catch {
    return false; // what cannot be read is refused, with its own message, where it is used
  }
}

const NAMING_VARIABLES = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGSERVICE"];
const DEFAULT_PORT = 5432;
const SOCKET_FOLDERS = ["/var/run/postgresql", "/tmp"];

const KEYWORDS: Readonly<Record<string, string>> = {
  PGHOST: "host",
  PGHOSTADDR: "hostaddr",
  PGPORT: "port",
  PGDATABASE: "dbname",
  PGUSER: "user",
  PGPASSWORD: "password",
  PGPASSFILE: "passfile",
  PGSSLMODE: "sslmode",
  PGSSLROOTCERT: "sslrootcert",
  PGSSLCERT: "sslcert",
  PGSSLKEY: "sslkey",
  PGOPTIONS: "options",
};

function fromEnvironment(env: Environment): ConnectionParameters {
  const parameters: Record<string, string> = {};
  for (const [name, keyword] of Object.entries(KEYWORDS)) {
    const value = env[name];
    if (isSet(value)) parameters[keyword] = value;
  }
  return parameters;
}

function fromService(given: ConnectionParameters, env: Environment, home: string): ConnectionParameters {
  const service = given["service"] ?? env["PGSERVICE"];
  if (!isSet(service)) return {};
  const own = env["PGSERVICEFILE"] ?? join(home, ".pg_service.conf");
  const folder = env["PGSYSCONFDIR"];
  return readService(service, folder === undefined ? [own] : [own, join(folder, "pg_service.conf")]);
}

interface PasswordSearch {
  readonly env: Environment;
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

function findPassword(parameters: ConnectionParameters, search: PasswordSearch) {
  const given = parameters["password"];
  if (given !== undefined) return { value: given, warnings: [] };
  const file = search.env["PGPASSWORD_FILE"];
  if (isSet(file)) return { value: readSecretFile(file, "PGPASSWORD_FILE"), warnings: [] };
  const answer = readPgpass(parameters["passfile"] ?? join(search.home, ".pgpass"), search);
  return { value: answer.password, warnings: answer.warning === undefined ? [] : [answer.warning] };
}

/** The content of a file that holds one secret, without the newline at its end. @throws ConnectionConfigError */
export function readSecretFile(path: string, variable: string): string {
  try {
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new ConnectionConfigError(`${variable} names "${path}", which cannot be read (${code})`, {
      cause: error,
    });
  }
}

/** libpq's default: the server's socket where there is one, else this host. */
function defaultHost(port: number): string {
  return SOCKET_FOLDERS.find((folder) => existsSync(join(folder, `.s.PGSQL.${port}`))) ?? "localhost";
}

function parsePort(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PORT;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65535) return port;
  throw new ConnectionConfigError(`port must be a whole number from 1 to 65535, got "${text}"`);
}

/** Left to itself the driver would search the environment and the password file by rules of its own. */
function refuseToGuess(connection: ConnectionConfig): never {
  const error = new ConnectionConfigError(
    `the server asks for a password and none is given for ${describeConnection(connection)}: ` +
      "use DATABASE_URL, DATABASE_URL_FILE, PGPASSWORD, PGPASSWORD_FILE or ~/.pgpass",
  );
  throw Object.assign(error, { code: INVALID_PASSWORD });
}

const INVALID_PASSWORD = "28P01";

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== "";
}
