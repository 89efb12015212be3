/** A pipeline as people run it, with a PostgreSQL and a folder of its own, and its page's link. */

import { SqlSession } from "../../sql/sql-session.js";
import { type PipelineStatus, readStatus } from "../../sql/status.js";
import { freePort } from "../support/free-ports.js";
import { type FreshDatabase, freshDatabase, type TestServer } from "../support/postgres.js";
import { Product, type RunningCommand, until } from "../support/product.js";
import { dropFile, type Expected, sumOf, type WrittenFile } from "./real-input.js";
import { openTarget, type Target } from "./target.js";

const link = /watch it at (http:\/\/127\.0\.0\.1:\d+\/#token=[\w-]+)/;

export class RealRun {
  command: RunningCommand | undefined;
  /** Empty until `launch`. */
  target: Target = { url: "", token: "", fake: null, stop: async () => undefined };
  readonly #dropped: WrittenFile[] = [];

  private constructor(
    readonly product: Product,
    public session: SqlSession,
    private readonly database: FreshDatabase,
    private readonly port: number,
  ) {}

  /** With its tables, and nothing that runs. */
  static async create(server?: TestServer): Promise<RealRun> {
    const database = await freshDatabase(server);
    const product = await Product.create(database.url);
    await product.succeed(["migrate"]);
    return new RealRun(product, await connect(database), database, await freePort());
  }

  /** After its server was away. */
  async reconnect(): Promise<void> {
    await this.session.close();
    this.session = await connect(this.database);
  }

  /** The same command each time, so a second one continues the first; in small epochs, unless it is to be fast. */
  async launch(flags: readonly string[] = [], { isSmall = true } = {}): Promise<void> {
    const fixed = ["--quiet-ms=50", ...(isSmall ? ["--epoch-records-max=100"] : [])];
    const port = flags.some((flag) => flag.startsWith("--monitor-port"))
      ? []
      : [`--monitor-port=${this.port}`];
    const command = this.product.start(["pipeline", ...fixed, ...port, ...flags]);
    this.command = command;
    if (port.length === 0) return;
    await command.says(link);
    this.target = await openTarget(link.exec(command.stderr)?.[1]);
  }

  /** What all files together must have become, counted by who wrote them. */
  get expected(): Expected {
    return sumOf(this.#dropped);
  }

  async drop(...files: readonly WrittenFile[]): Promise<void> {
    for (const file of files) {
      await dropFile(this.product, file);
      this.#dropped.push(file);
    }
  }

  /** Waits until everything dropped is committed. */
  async committed(): Promise<void> {
    const { recordsRead } = this.expected;
    await until(
      async () => (await this.status())?.records_read === recordsRead,
      `${recordsRead} records committed`,
    );
  }

  async status(): Promise<PipelineStatus | undefined> {
    return (await readStatus(this.session))[0];
  }

  async crash(): Promise<void> {
    this.command?.kill("SIGKILL");
    await this.command?.ended;
  }

  async remove(): Promise<void> {
    await this.product.clear();
    await this.session.close();
    await this.database.drop();
  }
}

function connect({ connection }: FreshDatabase): Promise<SqlSession> {
  return SqlSession.connect({ connection, applicationName: "millrace/test" });
}
