/** The PostgreSQL server of a benchmark: a cluster of its own, set up as a database that is written to. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "../../sql/migrate.js";
import { SqlSession } from "../../sql/sql-session.js";
import { type FreshDatabase, freshDatabase, ownServer, type PrivateServer } from "../support/postgres.js";

const SETTINGS = {
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  fsync: "on",
  synchronous_commit: "on",
};
const SILENT = { info: () => undefined };

export interface BenchServer {
  readonly server: PrivateServer;
  readonly postmasterPid: number;
  /** An empty database with our schema; the server's buffers are written out. */
  migrated(): Promise<FreshDatabase>;
}

export async function startBenchServer(): Promise<BenchServer> {
  const server = await ownServer();
  const { host, port, user, password } = server;
  await withSession({ host, port, user, password, database: "postgres" }, async (session) => {
    for (const [name, value] of Object.entries(SETTINGS)) {
      await session.query(`alter system set ${name} = '${value}'`);
    }
  });
  await server.stop();
  await server.start();
  await withSession({ host, port, user, password, database: "postgres" }, checkSettings);
  const postmasterPid = Number.parseInt(readFileSync(join(server.dataDir, "postmaster.pid"), "utf8"), 10);
  const migrated = async () => {
    const database = await freshDatabase(server);
    await withSession(database.connection, async (session) => {
      await migrate(session, SILENT);
      await session.query("checkpoint");
    });
    return database;
  };
  return { server, postmasterPid, migrated };
}

/** @throws when the server was started with other settings: its figures would be worth nothing. */
async function checkSettings(session: SqlSession): Promise<void> {
  for (const [name, value] of Object.entries(SETTINGS)) {
    const [row] = await session.query<{ setting: string }>("select current_setting($1) as setting", [name]);
    if (row?.setting !== value) throw new Error(`the server's ${name} must be ${value}, got ${row?.setting}`);
  }
}

/** Runs `work` on a session of its own. */
export async function withSession<T>(
  connection: FreshDatabase["connection"],
  work: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const session = await SqlSession.connect({ connection, applicationName: "millrace/bench" });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
