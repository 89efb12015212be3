/** A standby that is behind: the database as it was at some moment, which takes its place later. */
import { SqlSession } from "../../../sql/sql-session.js";
import type { PipelineProcess, Workspace } from "../../support/pipeline-process.js";
import { until } from "../../support/product.js";

type Runner = Pick<PipelineProcess, "signal">;
const NOBODY: Runner = { signal: () => undefined };

/** Without a second server: a copy within the same one. To the runner a failover is a broken connection and what it then finds. */
export class LaggingStandby {
  readonly #workspace: Workspace;

  private constructor(workspace: Workspace) {
    this.#workspace = workspace;
  }

  /** Of now; its runner loses its connections, and goes on in the original. */
  static async copy(workspace: Workspace, runner: Runner = NOBODY): Promise<LaggingStandby> {
    const standby = new LaggingStandby(workspace);
    const { name } = workspace.database;
    await standby.#withoutSessions(runner, (admin) =>
      admin.query(`create database ${standby.#copy} template ${name}`),
    );
    return standby;
  }

  /** The last epoch that it has, before it is promoted. */
  epochOf(pipeline: string): Promise<number> {
    return this.#administer(this.#copy, async (admin) => {
      const [row] = await admin.query<{ epoch: number }>("select epoch from pipelines where pipeline = $1", [
        pipeline,
      ]);
      return row!.epoch;
    });
  }

  /** Takes the place of the original, whose later transactions are lost. */
  async promote(runner: Runner): Promise<void> {
    const { name } = this.#workspace.database;
    await this.#withoutSessions(runner, async (admin) => {
      await admin.query(`alter database ${name} rename to ${this.#lost}`);
      await admin.query(`alter database ${this.#copy} rename to ${name}`);
    });
  }

  async remove(): Promise<void> {
    await this.#administer("postgres", async (admin) => {
      for (const name of [this.#copy, this.#lost])
        await admin.query(`drop database if exists ${name} with (force)`);
    });
  }

  get #copy(): string {
    return `${this.#workspace.database.name}_standby`;
  }

  get #lost(): string {
    return `${this.#workspace.database.name}_lost`;
  }

  /** The runner stands still meanwhile: what it has sent is committed or rolled back, whatever it has heard of it. */
  async #withoutSessions(runner: Runner, work: (admin: SqlSession) => Promise<unknown>): Promise<void> {
    const { name } = this.#workspace.database;
    await this.#administer("postgres", async (admin) => {
      runner.signal("SIGSTOP");
      await until(async () => {
        const ended = await admin.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1",
          [name],
        );
        return ended.length === 0;
      }, `nobody in ${name}`);
      await work(admin);
      runner.signal("SIGCONT");
    });
  }

  async #administer<T>(database: string, work: (admin: SqlSession) => Promise<T>): Promise<T> {
    const connection = { ...this.#workspace.connection, database };
    const admin = await SqlSession.connect({ connection, applicationName: "millrace/test" });
    try {
      return await work(admin);
    } finally {
      await admin.close();
    }
  }
}
