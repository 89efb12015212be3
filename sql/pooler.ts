/** Finds out whether a pooler in transaction mode stands between us and PostgreSQL. */
import type { SqlSession } from "./sql-session.js";

/** What the check needs of a session. */
type Session = Pick<SqlSession, "query" | "begin" | "close" | "backendPid">;

/** Locks and temporary tables belong to a session, which such a pooler does not keep. */
export class PoolerError extends Error {
  override readonly name = "PoolerError";
  readonly code = "MILLRACE_POOLER";
}

/**
 * Refuses PgBouncer and its like in transaction (or statement) mode. A pooler tells another process
 * id in its greeting than the server itself does; in transaction mode a second client is then given
 * the same server process while the first one is between transactions.
 * @param connect opens another session in the same way
 * @throws PoolerError
 */
export async function refusePooler(session: Session, connect: () => Promise<Session>): Promise<void> {
  const before = await serverPid(session);
  if (before === session.backendPid) return;
  const other = await connect();
  try {
    await other.begin();
    const others = await serverPid(other);
    const after = await serverPid(session);
    if (others === before || after !== before) {
      throw new PoolerError(
        "the database is reached through a pooler in transaction mode, where advisory locks and temporary " +
          "tables are lost between transactions: connect to PostgreSQL itself, or pool by session",
      );
    }
  } finally {
    await other.close();
  }
}

async function serverPid(session: Session): Promise<number> {
  const rows = await session.query<{ pid: number }>("select pg_backend_pid() as pid");
  return rows[0]?.pid as number;
}
