/** migrate(), on databases and folders of its own. */
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { runMigrate } from "../../pipelines/commands/migrate.js";
import { MigrationError, migrate } from "../../sql/migrate.js";
import { SqlSession } from "../../sql/sql-session.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";

const MIGRATIONS = fileURLToPath(new URL("../../../sql/migrations/", import.meta.url));
const silent = { info: () => undefined };

describe("migrate()", () => {
  let database: FreshDatabase;
  let session: SqlSession;
  let folder: string;
  let files: string[];

  beforeEach(async () => {
    database = await freshDatabase();
    session = await connect();
    folder = await mkdtemp(join(tmpdir(), "millrace-migrations-"));
    await cp(MIGRATIONS, folder, { recursive: true });
    files = (await readdir(folder)).sort();
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
    await rm(folder, { recursive: true });
  });

  const connect = () =>
    SqlSession.connect({ connection: database.connection, applicationName: "millrace/test" });
  const failure = async (promise: Promise<unknown>): Promise<MigrationError> => {
    const error = await promise.then(() => undefined).catch((thrown: unknown) => thrown);
    expect(error).instanceOf(MigrationError);
    return error as MigrationError;
  };

  it("applies every file in order, and records version, name and checksum", async () => {
    expect(await migrate(session, silent)).deep.equal({ applied: files });
    const rows = await session.query<{ checksum: string }>(
      "select version, name, checksum from schema_migrations order by version",
    );
    expect(rows.map(({ checksum, ...row }) => row)).deep.equal(
      files.map((name, at) => ({ version: at + 1, name })),
    );
    for (const { checksum } of rows) expect(checksum).match(/^[0-9a-f]{64}$/);
  });

  it("applies nothing the second time, with one query", async () => {
    await migrate(session, silent);
    const texts: string[] = [];
    const query = session.query.bind(session);
    session.query = (text, values) => {
      texts.push(text);
      return query(text, values);
    };
    expect(await migrate(session, silent)).deep.equal({ applied: [] });
    expect(texts).length(1);
  });

  it("lets several starters at once apply each file once", async () => {
    const sessions = await Promise.all(Array.from({ length: 5 }, connect));
    const results = await Promise.all(sessions.map((one) => migrate(one, silent)));
    expect(results.flatMap(({ applied }) => applied).sort()).deep.equal(files);
    const [locks] = await session.query("select count(*) as held from pg_locks where locktype = 'advisory'");
    expect(locks).deep.equal({ held: 0 });
    for (const one of sessions) await one.close();
  });

  it("says that it waits for another", async () => {
    const other = await connect();
    await other.query("select pg_advisory_lock(hashtextextended('millrace:migrate', 0))");
    const messages: string[] = [];
    const migrated = migrate(session, {
      info: (message) => {
        messages.push(message);
        if (messages.length === 1) void other.close();
      },
    });
    expect((await migrated).applied).deep.equal(files);
    expect(messages[0]).equal("waiting for another migration of this database");
  });

  it("applies what was added since", async () => {
    await migrate(session, silent, folder);
    const next = `${String(files.length + 1).padStart(4, "0")}_more.sql`;
    await writeFile(join(folder, next), "create table more (a integer); insert into more values (1);");
    expect(await migrate(session, silent, folder)).deep.equal({ applied: [next] });
    expect(await session.query("select a from more")).deep.equal([{ a: 1 }]);
  });

  it("refuses a changed file, naming it and both checksums", async () => {
    await migrate(session, silent, folder);
    const [stored] = await session.query<{ checksum: string }>(
      "select checksum from schema_migrations where version = 1",
    );
    await writeFile(join(folder, files[0]!), "select 1");
    const error = await failure(migrate(session, silent, folder));
    expect(error.code).equal("migration_changed");
    expect(error.message).include(files[0]).include(stored!.checksum);
    expect(error.message.match(/[0-9a-f]{64}/g)).length(2);
  });

  it("takes a file with other line ends for the same", async () => {
    await writeFile(join(folder, files[0]!), "create table a (\n  b integer\n);\n");
    await rm(join(folder, files[1]!));
    for (const file of files.slice(2)) await rm(join(folder, file));
    await migrate(session, silent, folder);
    await writeFile(join(folder, files[0]!), "create table a (\r\n  b integer\r\n);\r\n");
    expect(await migrate(session, silent, folder)).deep.equal({ applied: [] });
  });

  it("refuses a database newer than the program", async () => {
    await migrate(session, silent);
    await rm(join(folder, files.at(-1)!));
    const error = await failure(migrate(session, silent, folder));
    expect(error.code).equal("database_newer");
    expect(error.message).include(files.at(-1)).include(files.at(-2));
  });

  it("refuses a database that lacks a file before the last it has", async () => {
    await migrate(session, silent);
    await session.query("delete from schema_migrations where version = 1");
    const error = await failure(migrate(session, silent));
    expect(error.code).equal("migration_skipped");
    expect(error.message).include(files[0]);
  });

  it("leaves nothing of a file that fails, keeps those before it, and goes on when it is mended", async () => {
    const next = `${String(files.length + 1).padStart(4, "0")}_more.sql`;
    await writeFile(join(folder, next), "create table half (a integer); select 1 / 0;");
    const error = await failure(migrate(session, silent, folder));
    expect(error.code).equal("migration_failed");
    expect(error.message).include(next).include("division by zero");
    expect(error.cause).property("code", "22012");
    const [after] = await session.query(
      "select to_regclass('half') as half, (select count(*) from schema_migrations) as applied",
    );
    expect(after).deep.equal({ half: null, applied: files.length });
    await writeFile(join(folder, next), "create table half (a integer);");
    expect(await migrate(session, silent, folder)).deep.equal({ applied: [next] });
  });

  it("refuses a file whose name or number does not fit", async () => {
    // one number is left out
    const late = `${String(files.length + 2).padStart(4, "0")}_late.sql`;
    await writeFile(join(folder, late), "select 1");
    const error = await failure(migrate(session, silent, folder));
    expect(error.code).equal("migration_files_invalid");
    expect(error.message).include(late);
    const [row] = await session.query("select to_regclass('schema_migrations') as there");
    expect(row).deep.equal({ there: null });
  });

  it("runMigrate() says what it applied, then that nothing is left", async () => {
    const lines: string[] = [];
    const io = { print: (line: string) => lines.push(line) };
    await runMigrate({ connection: database.connection }, io);
    await runMigrate({ connection: database.connection }, io);
    expect(lines).deep.equal([...files.map((file) => `applied ${file}`), "nothing to migrate"]);
  });

  it("runMigrate() tells the same as one JSON object under --json", async () => {
    const lines: string[] = [];
    const io = { print: (line: string) => lines.push(line) };
    await runMigrate({ connection: database.connection, json: true }, io);
    await runMigrate({ connection: database.connection, json: true }, io);
    expect(lines.map((line) => JSON.parse(line))).deep.equal([
      { event: "migrated", applied: files },
      { event: "migrated", applied: [] },
    ]);
  });
});
