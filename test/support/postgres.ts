/** A real PostgreSQL for the tests: one server a run, a fresh database for whoever asks. */
import { randomBytes } from "node:crypto";
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";
import { type PrivateServer, startPrivateServer, type TestServer } from "./postgres-server.js";

export type { PrivateServer, TestServer };

export interface FreshDatabase {
  readonly name: string;
  readonly connection: ConnectionConfig;
  /** With the password in it: for children, never for output. */
  readonly url: string;
  /** Drops it, whoever is still connected. What is not dropped goes at the end of the run. */
  drop(): Promise<void>;
}

const DEFAULT_MAJOR = 15;
let running: Promise<TestServer | PrivateServer> | undefined;
const own = new Set<PrivateServer>();
const databases = new Set<FreshDatabase>();

/**
 * The run's server, started on first use: the one of MILLRACE_TEST_DATABASE_URL, or else one of
 * version MILLRACE_TEST_POSTGRES (13, 15 or 18; 15 by default) from the binaries npm installed.
 * To stop one, take `ownServer()`.
 */
export function testServer(): Promise<TestServer> {
  running ??= givenServer() ?? startPrivateServer(wantedMajor(), { isDurable: false });
  return running;
}

/** A server of its own for a test that stops, kills or reconfigures it. */
export async function ownServer(): Promise<PrivateServer> {
  const server = await startPrivateServer(wantedMajor(), { isDurable: true });
  own.add(server);
  return server;
}

/** An empty database on the run's server, or on the given one. */
export async function freshDatabase(server?: TestServer): Promise<FreshDatabase> {
  const host = server ?? (await testServer());
  const name = `test_${randomBytes(6).toString("hex")}`;
  await administer(host, `create database ${name} template template0 encoding 'UTF8'`);
  const connection = {
    host: host.host,
    port: host.port,
    user: host.user,
    password: host.password,
    database: name,
  };
  const database: FreshDatabase = {
    name,
    connection,
    url: `postgresql://${encodeURIComponent(host.user)}:${encodeURIComponent(host.password)}@${host.host}:${host.port}/${name}`,
    drop: async () => {
      databases.delete(database);
      await administer(host, `drop database if exists ${name} with (force)`);
    },
  };
  if (!isPrivate(host)) databases.add(database); // a private server goes with all it has
  return database;
}

/** Called once, after the last test: nothing that a run started outlives it. */
export async function stopTestPostgres(): Promise<void> {
  for (const database of [...databases]) await database.drop();
  for (const one of own) await one.remove();
  const server = await running;
  if (server && isPrivate(server)) await server.remove();
}

function isPrivate(server: TestServer | PrivateServer): server is PrivateServer {
  return "remove" in server;
}

function wantedMajor(): number {
  return Number(process.env["MILLRACE_TEST_POSTGRES"] ?? DEFAULT_MAJOR);
}

function givenServer(): Promise<TestServer> | undefined {
  const url = process.env["MILLRACE_TEST_DATABASE_URL"];
  return url ? lookAt(new URL(url)) : undefined;
}

async function lookAt(url: URL): Promise<TestServer> {
  const notOurs = () => Promise.reject(new Error("MILLRACE_TEST_DATABASE_URL's server is not ours to stop"));
  const server = {
    host: url.hostname,
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    dataDir: undefined,
    stop: notOurs,
    start: notOurs,
  };
  const [row] = await administer<{ major: number }>(
    { ...server, database: decodeURIComponent(url.pathname.slice(1)) || "postgres" },
    "select current_setting('server_version_num')::int / 10000 as major",
  );
  return { ...server, major: row!.major };
}

async function administer<Row>(
  server: Pick<TestServer, "host" | "port" | "user" | "password"> & { database?: string },
  statement: string,
): Promise<Row[]> {
  const { host, port, user, password, database = "postgres" } = server;
  const connection = { host, port, user, password, database };
  const session = await SqlSession.connect({ connection, applicationName: "millrace/test" });
  try {
    return await session.query<Row>(statement);
  } finally {
    await session.close();
  }
}
