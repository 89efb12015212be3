/** Inserts into `user_events` that wait at a gate: whoever is to be killed in the midst of its rows, is there. */
import type { SqlSession } from "../../sql/sql-session.js";
import { eventually } from "./running-program.js";

/** Of an advisory lock that nobody else takes. */
const KEY = 7_211_975;

const TRIGGER = `create function wait_at_gate() returns trigger language plpgsql as $$ begin
    perform pg_advisory_xact_lock_shared(${KEY});
    return null;
  end $$;
  create trigger gate after insert on user_events for each statement execute function wait_at_gate()`;

const WAITING = `select count(*)::int as count from pg_stat_activity
  where application_name = 'millrace/worker' and wait_event_type = 'Lock' and datname = current_database()`;

/** Of the session's database; open until `close`. */
export class InsertGate {
  readonly #session: SqlSession;

  private constructor(session: SqlSession) {
    this.#session = session;
  }

  static async build(session: SqlSession): Promise<InsertGate> {
    await session.query(TRIGGER);
    return new InsertGate(session);
  }

  async close(): Promise<void> {
    await this.#session.query(`select pg_advisory_lock(${KEY})`);
  }

  async open(): Promise<void> {
    await this.#session.query(`select pg_advisory_unlock(${KEY})`);
  }

  /** Until so many bundles have rows in their transactions and wait, here or for each other. */
  async untilWaiting(bundles: number): Promise<void> {
    await eventually(`${bundles} bundles at the gate`, async () => {
      const [row] = await this.#session.query<{ count: number }>(WAITING);
      return row!.count >= bundles || undefined;
    });
  }
}
