/** A run of `user-events` as a user starts it: a database, a folder, and the commands that run in them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { migrate } from "../../sql/migrate.js";
import { SqlSession } from "../../sql/sql-session.js";
import { pipelineCommand } from "../bench/pipeline-command.js";
import { type ParityResult, readResult } from "../parity/parity-result.js";
import { REFUSE } from "../parity/parity-runs.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";

export class Stand {
  readonly #children: ChildProcess[] = [];
  private constructor(
    readonly folder: string,
    readonly database: FreshDatabase,
    readonly session: SqlSession,
  ) {}

  /** @param refusing whether the table refuses some rows */
  static async create(refusing = true): Promise<Stand> {
    const database = await freshDatabase();
    const { connection } = database;
    const session = await SqlSession.connect({ connection, applicationName: "test" });
    await migrate(session, { info: () => undefined });
    if (refusing) await session.query(REFUSE);
    return new Stand(await mkdtemp(join(tmpdir(), "millrace-user-events-")), database, session);
  }

  start(input: string, flags: readonly string[]): ChildProcess {
    const { command, args, env } = pipelineCommand({
      ...{ input, url: this.database.url, work: this.folder },
      flags: ["--log-level=warn", "--quiet-ms=100", ...flags],
    });
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#children.push(child);
    return child;
  }

  /** Runs to its end; `errors` is what it printed. */
  async run(input: string, flags: readonly string[]): Promise<{ code: number | null; errors: string }> {
    return endOf(this.start(input, flags));
  }

  /** Runs to the end. @throws with what it printed when it fails */
  async succeed(input: string, flags: readonly string[]): Promise<void> {
    const { code, errors } = await this.run(input, flags);
    expect(code, errors).to.equal(0);
  }

  async untilRows(count: number): Promise<void> {
    for (const deadline = Date.now() + 120_000; Date.now() < deadline; await sleep(50)) {
      const [row] = await this.session.query<{ rows: number }>("select count(*) as rows from user_events");
      if (row!.rows >= count) return;
    }
    throw new Error(`less than ${count} rows after 120 s`);
  }

  /** @param bytes as stored, the positions of all files together */
  async untilRead(bytes: number): Promise<void> {
    let read = 0;
    for (const deadline = Date.now() + 120_000; Date.now() < deadline; await sleep(50)) {
      const [row] = await this.session.query<{ read: number }>(
        "select coalesce(sum(raw_offset), 0)::bigint as read from source_files",
      );
      read = row!.read;
      if (read >= bytes) return;
    }
    throw new Error(`${read} bytes of ${bytes} were read after 120 s`);
  }

  result(): Promise<ParityResult> {
    return readResult(this.session, join(this.folder, "error"));
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await this.session.close();
    await this.database.drop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Once it has ended; to be asked before it has printed anything. */
export async function endOf(child: ChildProcess): Promise<{ code: number | null; errors: string }> {
  let errors = "";
  child.stderr!.on("data", (text) => (errors += text));
  const [code] = await once(child, "close");
  return { code, errors };
}
