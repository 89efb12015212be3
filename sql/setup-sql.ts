/** The whole schema as one script for psql, made from the migrations. */
import { readMigrations, SCHEMA_MIGRATIONS_SQL } from "./migrate.js";

const HEADER = `-- Generated from sql/migrations by \`npm run sql:setup\`: change a migration, not this file.
-- The whole schema in one transaction, for an empty database: psql -f sql/postgres_setup.sql
-- The program takes a database made by it for one it migrated itself.
\\set ON_ERROR_STOP on

begin;
`;

/** The script's text: every migration, and the rows that say they are applied. */
export async function setupSql(): Promise<string> {
  const migrations = await readMigrations();
  const parts = migrations.map(({ file, sql }) => `-- ${file}\n\n${sql.trim()}\n`);
  const rows = migrations.map(({ version, file, checksum }) => `  (${version}, '${file}', '${checksum}')`);
  return [
    HEADER,
    ...parts,
    `-- which migrations these are\n\n${SCHEMA_MIGRATIONS_SQL};\n`,
    `insert into schema_migrations (version, name, checksum) values\n${rows.join(",\n")};\n`,
    "commit;\n",
  ].join("\n");
}
