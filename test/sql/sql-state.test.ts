/** classify() and backoffMs(). */
import { createServer } from "node:net";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { BACKOFF_BASE_MS, BACKOFF_MAX_MS, backoffMs, classify, sqlStateOf } from "../../sql/sql-state.js";
import { freshDatabase, ownServer } from "../support/postgres.js";

const options = { applicationName: "millrace/test" };
const caught = (promise: Promise<unknown>) =>
  promise.then(() => undefined).catch((thrown: unknown) => thrown);

describe("classify()", () => {
  const table = {
    retry:
      "08000 08001 08003 08004 08006 08007 08P01 57P01 57P02 57P03 57P04 57P05 57014 40001 40003 40P01 " +
      "53000 53100 53200 53300 53400 55P03 25006 25P03 58000 58030 58P01 58P02 " +
      "ECONNRESET EPIPE ETIMEDOUT ECONNREFUSED ENOTFOUND EHOSTUNREACH ENETUNREACH EAI_AGAIN",
    "reject-row": "22000 22001 22003 22007 22008 22021 22P02 22P05 23000 23502 23503 23505 23514 23P01 P0001",
    fatal:
      "00000 0A000 25001 25P02 28000 28P01 3D000 40000 40002 42501 42601 42703 42P01 54000 55000 55006 55P02 " +
      "57000 P0000 P0002 XX000 XX001 EBUSY ENOENT ERR_INVALID_ARG_TYPE",
  };
  for (const [verdict, codes] of Object.entries(table)) {
    for (const code of codes.split(" ")) {
      it(`says ${verdict} to ${code}`, () => {
        expect(classify(Object.assign(new Error("some words"), { code }))).equal(verdict);
      });
    }
  }

  it("says fatal to an error without a code, and to what is no error", () => {
    for (const one of [new Error("deadlock detected"), "ECONNRESET", null, undefined, 40001]) {
      expect(classify(one)).equal("fatal");
    }
  });

  it("says retry to the driver's words for a lost connection", () => {
    expect(classify(new Error("Connection terminated unexpectedly"))).equal("retry");
  });

  it("looks through causes, the database's own code before the network's", () => {
    const rejected = Object.assign(new Error("duplicate key"), { code: "23505" });
    const wrapped = new Error("epoch 7 failed", { cause: new Error("sink failed", { cause: rejected }) });
    expect(classify(wrapped)).equal("reject-row");
    expect(sqlStateOf(wrapped)).equal("23505");
    expect(classify(Object.assign(new Error("gone", { cause: rejected }), { code: "EPIPE" }))).equal(
      "reject-row",
    );
  });

  it("ends on a chain of causes without end", () => {
    const one = new Error("one") as Error & { cause?: unknown };
    one.cause = one;
    expect(classify(one)).equal("fatal");
  });

  it("says retry to what a server that is away, stopped and starting answers", async () => {
    const port = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, "127.0.0.1", () => {
        const address = server.address() as { port: number };
        server.close(() => resolve(address.port));
      });
    });
    const away = { host: "127.0.0.1", port, user: "u", password: "p", database: "d" };
    expect(classify(await caught(SqlSession.connect({ ...options, connection: away })))).equal("retry");

    const server = await ownServer();
    const { connection } = await freshDatabase(server);
    for (const mode of ["fast", "immediate"] as const) {
      const session = await SqlSession.connect({ ...options, connection });
      const waiting = caught(session.query("select pg_sleep(60)"));
      await new Promise((resolve) => setTimeout(resolve, 100));
      await server.stop(mode);
      expect(classify(await waiting), `during stop -m ${mode}`).equal("retry");
      expect(classify(await caught(session.query("select 1"))), `after stop -m ${mode}`).equal("retry");
      await server.start();
    }
    await server.remove();
  });

  it("judges what a real server says", async () => {
    const { connection, drop } = await freshDatabase();
    const session = await SqlSession.connect({ ...options, connection });
    const verdict = async (text: string) => classify(await caught(session.query(text)));
    expect(await verdict("select 1 / 0")).equal("reject-row");
    expect(await verdict("do $$ begin raise exception 'no'; end $$")).equal("reject-row");
    expect(await verdict("select * from nowhere")).equal("fatal");
    await session.query("set statement_timeout = 10");
    expect(await verdict("select pg_sleep(5)")).equal("retry");
    await session.query("set statement_timeout = 0; set default_transaction_read_only = on");
    expect(await verdict("create table a (b integer)")).equal("retry");
    await session.close();
    await drop();
  });
});

describe("backoffMs()", () => {
  const bound = (attempt: number) => backoffMs(attempt, () => 0.999_999_999) + 1;

  it("doubles its bound from the base to the cap", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8].map(bound)).deep.equal([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    expect(bound(1)).equal(BACKOFF_BASE_MS);
    expect(bound(1_000_000)).equal(BACKOFF_MAX_MS);
  });

  it("takes anything from 0 up to the bound", () => {
    expect(backoffMs(3, () => 0)).equal(0);
    expect(backoffMs(3, () => 0.5)).equal(200);
  });
});
