/** `npm run db -- start|stop|url|sql "select …"`: the embedded PostgreSQL by hand. */

import {
  type EmbeddedPostgresOptions,
  embeddedPostgresStatus,
  openEmbeddedPostgres,
  stopEmbeddedPostgres,
} from "../../sql/embedded/embedded-postgres.js";
import { EmbeddedPostgresError } from "../../sql/embedded/embedded-postgres-error.js";
import { SqlSession, type SqlTable } from "../../sql/sql-session.js";

/** What can be done with the embedded database. */
export const dbActions = ["start", "stop", "url", "sql"] as const;
export type DbAction = (typeof dbActions)[number];

export interface DbOptions extends Omit<EmbeddedPostgresOptions, "verb" | "keepRunning" | "log"> {
  /** The answer itself: a URL, a table. */
  readonly stdout: NodeJS.WritableStream;
  /** What is said besides. */
  readonly stderr: NodeJS.WritableStream;
}

/**
 * Runs one action; `args` is the statement for `sql`.
 * @throws EmbeddedPostgresError; for `sql` the driver's error, with the SQLSTATE in `code`
 */
export async function runDb(action: DbAction, args: readonly string[], options: DbOptions): Promise<void> {
  await actions[action](args, options);
}

const actions: Record<DbAction, (args: readonly string[], options: DbOptions) => Promise<void>> = {
  start: (_, options) => startDb(options),
  stop: (_, options) => stopDb(options),
  url: (_, options) => printUrl(options),
  sql: (args, options) => runSql(args.join(" "), options),
};

/** The server stays until `stop`, whatever commands come and go. */
async function startDb(options: DbOptions): Promise<void> {
  const database = await openEmbeddedPostgres({ ...serverOptions(options), keepRunning: true });
  await database.close();
  say(options.stdout, database.url);
  say(
    options.stderr,
    `PostgreSQL runs until "npm run db -- stop"; the password is in ${database.pgpassFile}`,
  );
}

async function stopDb(options: DbOptions): Promise<void> {
  const { wasRunning, sessionsEnded } = await stopEmbeddedPostgres(serverOptions(options));
  if (sessionsEnded.length > 0) say(options.stderr, `ended the sessions of ${sessionsEnded.join(", ")}`);
  say(options.stderr, wasRunning ? "PostgreSQL stopped" : "PostgreSQL was not running");
}

async function printUrl(options: DbOptions): Promise<void> {
  const status = await embeddedPostgresStatus(options);
  if (status.url === undefined) {
    throw new EmbeddedPostgresError(
      "not_created",
      `${options.stateDir} must hold an embedded database to have a URL, but has none yet: npm run db -- start`,
    );
  }
  say(options.stdout, status.url);
  say(options.stderr, `the password is in ${status.pgpassFile} (psql: PGPASSFILE=${status.pgpassFile})`);
  if (status.state === "stopped") say(options.stderr, "PostgreSQL is not running: npm run db -- start");
}

async function runSql(statement: string, options: DbOptions): Promise<void> {
  const database = await openEmbeddedPostgres(serverOptions(options));
  try {
    const session = await SqlSession.connect({
      connection: database.connection,
      applicationName: "millrace/db",
    });
    try {
      for (const table of await session.tables(statement)) options.stdout.write(formatTable(table));
    } finally {
      await session.close();
    }
  } finally {
    await database.close();
  }
}

function serverOptions({ stdout: _, stderr, ...options }: DbOptions): EmbeddedPostgresOptions {
  return { ...options, verb: "db", log: (message) => say(stderr, message) };
}

/** A header, a line, the rows, their count; numbers to the right. A statement without columns gives its name only. */
export function formatTable({ columns, rows, command, rowCount }: SqlTable): string {
  if (columns.length === 0) return `${command}${rowCount === undefined ? "" : ` ${rowCount}`}\n`;
  const cells = rows.map((row) => row.map(cellText));
  const widths = columns.map((name, at) =>
    Math.max(name.length, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  const isNumeric = columns.map(
    (_, at) => cells.length > 0 && cells.every((row) => /^-?\d[\d.]*$|^null$/.test(row[at] ?? "")),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => (isNumeric[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join(" | ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("-+-");
  const count = `(${rows.length} ${rows.length === 1 ? "row" : "rows"})`;
  return `${[line(columns), rule, ...cells.map(line), count].join("\n")}\n`;
}

/** One line each, and nothing that a terminal would obey: the table may hold what a stranger sent. */
function cellText(value: unknown): string {
  if (value === null) return "null";
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString("hex")}`;
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.replace(/\p{Cc}/gu, (control) => controlNames[control] ?? `\\x${hexOf(control)}`);
}

const controlNames: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function hexOf(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(2, "0");
}

function say(stream: NodeJS.WritableStream, line: string): void {
  stream.write(`${line}\n`);
}
