/** sql/postgres_setup.sql makes the database that the migrations make. */
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { migrate } from "../../sql/migrate.js";
import { setupSql } from "../../sql/setup-sql.js";
import { SqlSession } from "../../sql/sql-session.js";
import { migratedDatabase } from "../support/migrated-database.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";

const SETUP_FILE = fileURLToPath(new URL("../../../sql/postgres_setup.sql", import.meta.url));
const silent = { info: () => undefined };

const CATALOG = `
select 'relation' as kind, relname as name, concat_ws(' ', relkind, relpersistence, reloptions) as definition
from pg_class where relnamespace = 'public'::regnamespace
union all
select 'column', attrelid::regclass || '.' || attname,
  concat_ws(' ', attnum, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
    attcollation::regcollation, pg_get_expr(adbin, adrelid))
from pg_attribute
join pg_class on pg_class.oid = attrelid
left join pg_attrdef on adrelid = attrelid and adnum = attnum
where relnamespace = 'public'::regnamespace and not attisdropped and attnum > 0
union all
select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
from pg_constraint where connamespace = 'public'::regnamespace
union all
select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
union all
select 'view', viewname, definition from pg_views where schemaname = 'public'
union all
select 'sequence', sequencename, concat_ws(' ', data_type, start_value, increment_by, max_value, cache_size, cycle)
from pg_sequences where schemaname = 'public'
union all
select 'function', proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
union all
select 'trigger', tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
union all
select 'migration', name, version || ' ' || checksum from schema_migrations
order by kind, name, definition`;

describe("sql/postgres_setup.sql", () => {
  let database: FreshDatabase;
  let session: SqlSession;

  beforeEach(async () => {
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "millrace/test" });
  });
  afterEach(async () => {
    await session.close();
    await database.drop();
  });

  const runSetup = async () => {
    const script = await readFile(SETUP_FILE, "utf8");
    await session.query(script.replaceAll(/^\\.*$/gm, "")); // lines that only psql understands
  };

  it("is what `npm run sql:setup` writes", async () => {
    expect(await readFile(SETUP_FILE, "utf8")).equal(await setupSql());
  });

  it("makes the same catalog as the migrations", async () => {
    const migrated = await migratedDatabase();
    const expected = await migrated.session.query<{ kind: string }>(CATALOG);
    await migrated.close();
    await runSetup();
    expect(await session.query(CATALOG)).deep.equal(expected);
    const kinds = new Set(expected.map(({ kind }) => kind));
    expect([...kinds]).include.members(["column", "constraint", "index", "migration", "relation", "view"]);
  });

  it("makes a database that migrate() takes as its own", async () => {
    await runSetup();
    expect(await migrate(session, silent)).deep.equal({ applied: [] });
  });

  it("leaves a database that has the schema as it is", async () => {
    await migrate(session, silent);
    const before = await session.query(CATALOG);
    const error = await runSetup().catch((thrown: unknown) => thrown);
    expect(error).property("code", "42P07");
    await session.query("rollback");
    expect(await session.query(CATALOG)).deep.equal(before);
  });

  const psqlIsThere = spawnSync("psql", ["--version"]).status === 0;
  (psqlIsThere ? it : it.skip)("runs in psql -f, and a second time exits with an error", () => {
    const args = ["-X", "-q", "-d", database.url, "-f", SETUP_FILE];
    const first = spawnSync("psql", args, { encoding: "utf8" });
    expect(first).include({ status: 0, stderr: "", stdout: "" });
    expect(spawnSync("psql", args, { encoding: "utf8" }).status).equal(3);
  });
});
