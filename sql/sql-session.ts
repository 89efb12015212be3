/** A session with PostgreSQL: the only place that touches the driver. */
import { once } from "node:events";
import pg from "pg";
import { from as copyFrom } from "pg-copy-streams";

/** Statements with `$1` parameters; rows come back as plain objects. */
export interface SqlQueries {
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** An open transaction: everything sent through it commits together or not at all. */
export interface SqlTransaction extends SqlQueries {
  /** Runs `copy … from stdin` with these bytes. Resolves to the number of rows. */
  copy(statement: string, chunks: Iterable<Uint8Array>): Promise<number>;
  /** Runs a statement and tells how many rows it touched. */
  execute(text: string, values?: readonly unknown[]): Promise<number>;
}

/** What a statement showed, with the columns in their order and also when there are no rows. */
export interface SqlTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
  /** What was done, e.g. `SELECT` or `CREATE`. */
  readonly command: string;
  /** Rows returned or touched; undefined where the statement counts none. */
  readonly rowCount: number | undefined;
}

/** How to reach a database, as the driver takes it (see connection-config.ts, which makes it). Never log it. */
export type ConnectionConfig = pg.ClientConfig;

export interface SqlSessionOptions {
  /** What the driver takes: connection string or its parts (never logged). */
  readonly connection: ConnectionConfig;
  /** Shown in pg_stat_activity, e.g. `millrace/pipeline`. */
  readonly applicationName: string;
  readonly connectTimeoutMs?: number;
}

/**
 * One connection. `int8` comes back as a JavaScript number where it is safe, else as a string;
 * timestamps and numerics come back as PostgreSQL's own text, never as Date or float.
 */
export class SqlSession implements SqlTransaction {
  readonly #client: pg.Client;
  #broken: Error | undefined;
  #tellBroken: (error: Error) => void = () => undefined;

  private constructor(client: pg.Client) {
    this.#client = client;
    client.on("error", (error) => {
      this.#broken ??= error;
      this.#tellBroken(this.#broken);
    });
  }

  /** @throws the driver's error (SQLSTATE in `code`) when the server does not take us. */
  static async connect(options: SqlSessionOptions): Promise<SqlSession> {
    const client = new pg.Client({
      ...options.connection,
      application_name: options.applicationName,
      connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      types: { getTypeParser: textExceptNumbers },
    });
    const session = new SqlSession(client);
    await client.connect();
    await client.query(SERVER_KEEPALIVES);
    return session;
  }

  /** The error that broke the connection, if any. */
  get broken(): Error | undefined {
    return this.#broken;
  }

  /** Calls back when the connection breaks, also while nothing is asked of it; at once if it has. */
  whenBroken(callback: (error: Error) => void): void {
    this.#tellBroken = callback;
    if (this.#broken !== undefined) callback(this.#broken);
  }

  async query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    const result = await this.#client.query(text, values as unknown[] | undefined);
    return result.rows as Row[];
  }

  async execute(text: string, values?: readonly unknown[]): Promise<number> {
    const result = await this.#client.query(text, values as unknown[] | undefined);
    return result.rowCount ?? 0;
  }

  /** Runs one statement, or several separated by semicolons: each shows its own table. */
  async tables(text: string): Promise<SqlTable[]> {
    // of several statements the driver returns several results, which its types do not know
    const answer: pg.QueryArrayResult | pg.QueryArrayResult[] = await this.#client.query({
      text,
      rowMode: "array",
    });
    return [answer].flat().map((result) => ({
      columns: result.fields.map((field) => field.name),
      rows: result.rows,
      command: result.command,
      rowCount: result.rowCount ?? undefined,
    }));
  }

  async copy(statement: string, chunks: Iterable<Uint8Array>): Promise<number> {
    const stream = this.#client.query(copyFrom(statement));
    const finished = once(stream, "finish");
    finished.catch(() => undefined); // the await below is what reports it
    for (const chunk of chunks) {
      if (!stream.write(chunk)) await Promise.race([once(stream, "drain"), finished]);
    }
    stream.end();
    await finished;
    return stream.rowCount;
  }

  async begin(): Promise<void> {
    await this.#client.query("begin");
  }

  /** @throws when the transaction was aborted before: PostgreSQL answers such a COMMIT with a rollback. */
  async commit(): Promise<void> {
    const result = await this.#client.query("commit");
    if (result.command !== "COMMIT") throw new Error(`COMMIT was answered with ${result.command}`);
  }

  /** Process id of the server process as the protocol told it: a pooler tells another one. */
  get backendPid(): number {
    return (this.#client as unknown as { processID: number }).processID;
  }

  /** Bytes that were handed to the connection since it was opened. */
  get sentBytes(): number {
    const { connection } = this.#client as unknown as { connection: { stream: { bytesWritten: number } } };
    return connection.stream.bytesWritten;
  }

  async close(): Promise<void> {
    await this.#client.end().catch(() => undefined); // the connection may be gone already
  }
}

/** The server, too, finds out that the other end is gone, and lets go of locks within half a minute. */
const SERVER_KEEPALIVES =
  "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 4";

const INT2 = 21;
const INT4 = 23;
const INT8 = 20;
const BOOL = 16;
const JSON_TYPES = new Set([114, 3802]);
const BYTEA = 17;
const TEXT_ARRAYS = new Set([1009, 1015]);

function textExceptNumbers(oid: number, format?: string): (value: string) => unknown {
  if (oid === INT2 || oid === INT4) return Number;
  if (oid === INT8) return safeInteger;
  if (oid === BOOL || JSON_TYPES.has(oid) || oid === BYTEA || TEXT_ARRAYS.has(oid)) {
    return pg.types.getTypeParser(oid, format as "text") as (value: string) => unknown;
  }
  return (value) => value;
}

function safeInteger(value: string): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
