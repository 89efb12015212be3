/** The session by which a command shows that it uses the server. */
import { type ConnectionConfig, SqlSession } from "../sql-session.js";

const reconnectMs = 1_000;

/** Idle; taken up again when the server was restarted, or others would not see this command and stop the server. */
export class Presence {
  #session: SqlSession;
  #connecting: Promise<void> | undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(
    session: SqlSession,
    private readonly connection: ConnectionConfig,
    private readonly applicationName: string,
  ) {
    this.#session = session;
    this.#timer = setInterval(() => void this.renew(), reconnectMs);
    this.#timer.unref();
  }

  /** How many other sessions of our commands there are; undefined when the server does not answer. */
  async othersPresent(): Promise<number | undefined> {
    await this.renew();
    return await countOthers(this.#session).catch(() => undefined);
  }

  /** Connects again if the session is broken. Never rejects. */
  async renew(): Promise<void> {
    if (!this.#session.broken) return;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    await this.#connecting;
  }

  /** Resolves when the server has seen the session end. */
  async leave(): Promise<void> {
    clearInterval(this.#timer);
    await this.#connecting;
    await this.#session.close();
  }

  async #connect(): Promise<void> {
    try {
      const { connection, applicationName } = this;
      this.#session = await SqlSession.connect({
        connection,
        applicationName,
        connectTimeoutMs: reconnectMs,
      });
    } catch {
      // still away: the next tick tries again
    }
  }
}

async function countOthers(session: SqlSession): Promise<number> {
  const rows = await session.query<{ others: number }>(
    `select count(*)::int as others from pg_stat_activity
     where application_name like 'millrace/%' and pid <> pg_backend_pid()`,
  );
  return rows[0]?.others ?? 0;
}
