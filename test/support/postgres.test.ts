/** The test servers themselves. */
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { freshDatabase, ownServer, testServer } from "./postgres.js";

describe("test/support/postgres", () => {
  it("freshDatabase() gives an empty database each time", async () => {
    const [one, other] = await Promise.all([freshDatabase(), freshDatabase()]);
    expect(one.name).not.equal(other.name);
    const session = await SqlSession.connect({
      connection: one.connection,
      applicationName: "millrace/test",
    });
    const tables = await session.query("select 1 from pg_tables where schemaname = 'public'");
    expect(tables).deep.equal([]);
    await session.close();
    await one.drop();
    await other.drop();
  });

  it("testServer() tells the version of the server that answers", async () => {
    const wanted = process.env["MILLRACE_TEST_POSTGRES"];
    const { major } = await testServer();
    expect(major).at.least(13);
    if (wanted && !process.env["MILLRACE_TEST_DATABASE_URL"]) expect(major).equal(Number(wanted));
  });

  it("ownServer() comes back with its data after an immediate stop", async () => {
    const server = await ownServer();
    const database = await freshDatabase(server);
    const options = { connection: database.connection, applicationName: "millrace/test" };
    const before = await SqlSession.connect(options);
    await before.query("create table kept as select 42 as value");
    await server.stop("immediate");
    await before.close();
    await server.start();
    const after = await SqlSession.connect(options);
    expect(await after.query("select value from kept")).deep.equal([{ value: 42 }]);
    await after.close();
    await server.remove();
  });
});
