/** Brings a database to the schema this program works with: the files of sql/migrations, in order. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { SqlSession } from "./sql-session.js";

/** What `migrate` reports as it goes: every `Log` of a pipeline will do. */
export interface MigrationLog {
  info(message: string, facts?: Record<string, unknown>): void;
}

/** One file of sql/migrations. */
export interface Migration {
  readonly version: number;
  /** The file's name, e.g. `0001_pipelines.sql`. */
  readonly file: string;
  readonly sql: string;
  /** sha256 of `sql`, in hex. */
  readonly checksum: string;
}

export type MigrationErrorCode =
  | "migration_files_invalid"
  | "migration_changed"
  | "migration_skipped"
  | "migration_failed"
  | "database_newer";

/** The database and the migrations do not fit; nothing was changed by the migration it names. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";

  constructor(
    readonly code: MigrationErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const MIGRATIONS_FOLDER = fileURLToPath(new URL("../../sql/migrations/", import.meta.url));
const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/;
const UNDEFINED_TABLE = "42P01";
const LOCK_KEY = "hashtextextended('millrace:migrate', 0)";

/** Where it is kept which migrations a database has. */
export const SCHEMA_MIGRATIONS_SQL = `create table if not exists schema_migrations (
  version integer not null primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
)`;

/**
 * Applies what is missing, each file in a transaction of its own, and tells the files it applied. Several
 * starters at once wait for the first. Where nothing is missing it costs one query.
 * The session must not be in a transaction.
 * @throws MigrationError when an applied file was changed, the database is newer than this program, or a
 * file does not run (`cause` is the database's error).
 */
export async function migrate(
  session: SqlSession,
  log: MigrationLog,
  folder: string = MIGRATIONS_FOLDER,
): Promise<{ applied: string[] }> {
  const migrations = await readMigrations(folder);
  if (missing(migrations, await readApplied(session)).length === 0) return { applied: [] };
  await lock(session, log);
  try {
    return { applied: await applyMissing(session, log, migrations) };
  } finally {
    await session.query(`select pg_advisory_unlock(${LOCK_KEY})`).catch(() => undefined); // gone with the session
  }
}

/** The migrations of a folder by version. @throws MigrationError for a name or number that does not fit. */
export async function readMigrations(folder: string = MIGRATIONS_FOLDER): Promise<Migration[]> {
  const migrations: Migration[] = [];
  for (const file of (await readdir(folder)).sort()) {
    const version = Number(FILE_NAME.exec(file)?.[1] ?? Number.NaN);
    if (version !== migrations.length + 1) {
      const expected = String(migrations.length + 1).padStart(4, "0");
      throw new MigrationError(
        "migration_files_invalid",
        `migrations are numbered without gaps: expected \`${expected}_name.sql\`, found \`${file}\``,
      );
    }
    // the same content has the same checksum, however git wrote its line ends
    const sql = (await readFile(`${folder}/${file}`, "utf8")).replaceAll("\r\n", "\n");
    migrations.push({ version, file, sql, checksum: createHash("sha256").update(sql).digest("hex") });
  }
  return migrations;
}

interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

async function readApplied(session: SqlSession): Promise<AppliedMigration[]> {
  try {
    return await session.query("select version, name, checksum from schema_migrations order by version");
  } catch (error) {
    if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return [];
    throw error;
  }
}

function missing(migrations: readonly Migration[], applied: readonly AppliedMigration[]): Migration[] {
  const newest = applied.at(-1);
  if (newest && newest.version > migrations.length) {
    throw new MigrationError(
      "database_newer",
      `the database is newer than this program: it has \`${newest.name}\`, ` +
        `this program knows up to \`${migrations.at(-1)?.file}\`; run the program that made it, or a newer one`,
    );
  }
  const stored = new Map(applied.map((row) => [row.version, row]));
  for (const { version, file, checksum } of migrations) {
    const row = stored.get(version);
    if (row && row.checksum !== checksum) {
      throw new MigrationError(
        "migration_changed",
        `\`${file}\` was changed after it was applied: the database has ${row.checksum}, the file is ${checksum}; ` +
          "put the file back and write the change as a new migration",
      );
    }
    if (!row && newest && version < newest.version) {
      throw new MigrationError(
        "migration_skipped",
        `the database has \`${newest.name}\` but not \`${file}\`, which comes before it`,
      );
    }
  }
  return migrations.filter(({ version }) => !stored.has(version));
}

async function lock(session: SqlSession, log: MigrationLog): Promise<void> {
  const [row] = await session.query<{ ours: boolean }>(`select pg_try_advisory_lock(${LOCK_KEY}) as ours`);
  if (row?.ours) return;
  log.info("waiting for another migration of this database");
  // Bounded: whoever tries again may be told to stop in between, which this wait cannot hear.
  await session.query(`set lock_timeout = ${LOCK_WAIT_MS}`);
  try {
    await session.query(`select pg_advisory_lock(${LOCK_KEY})`);
  } finally {
    await session.query("reset lock_timeout").catch(() => undefined); // gone with the session
  }
}

/** A longer wait ends with SQLSTATE 55P03, after which it can be tried again. */
const LOCK_WAIT_MS = 15_000;

async function applyMissing(
  session: SqlSession,
  log: MigrationLog,
  migrations: readonly Migration[],
): Promise<string[]> {
  await session.query(SCHEMA_MIGRATIONS_SQL);
  const applied: string[] = [];
  for (const migration of missing(migrations, await readApplied(session))) {
    await apply(session, migration);
    applied.push(migration.file);
    log.info(`applied ${migration.file}`);
  }
  return applied;
}

async function apply(session: SqlSession, { version, file, sql, checksum }: Migration): Promise<void> {
  await session.query("begin");
  try {
    await session.query(sql);
    await session.query("insert into schema_migrations (version, name, checksum) values ($1, $2, $3)", [
      version,
      file,
      checksum,
    ]);
    await session.query("commit");
  } catch (error) {
    await session.query("rollback").catch(() => undefined); // the first error is the one to tell
    throw new MigrationError("migration_failed", `\`${file}\` failed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
