/** A fresh database with the program's schema, and a session in it. */
import { migrate } from "../../sql/migrate.js";
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";
import { freshDatabase } from "./postgres.js";

export interface MigratedDatabase {
  readonly connection: ConnectionConfig;
  readonly session: SqlSession;
  /** Another session in the same database; it is closed with it. */
  connect(applicationName?: string): Promise<SqlSession>;
  close(): Promise<void>;
}

export async function migratedDatabase(): Promise<MigratedDatabase> {
  const { connection, drop } = await freshDatabase();
  const sessions: SqlSession[] = [];
  const connect = async (applicationName = "millrace/test") => {
    const session = await SqlSession.connect({ connection, applicationName });
    sessions.push(session);
    return session;
  };
  const session = await connect();
  await migrate(session, { info: () => undefined });
  const close = async () => {
    for (const one of sessions) await one.close();
    await drop();
  };
  return { connection, session, connect, close };
}
