/** `npm run migrate`: brings the database's schema up to date. */
import { migrate } from "../../sql/migrate.js";
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";

export interface MigrateOptions {
  readonly connection: ConnectionConfig;
  /** One JSON object instead of lines for people. */
  readonly json?: boolean;
}

/** Where a command's output goes. */
export interface MigrateIo {
  /** Writes one line to standard output. */
  print(line: string): void;
}

/**
 * Applies what is missing and says so.
 * @throws MigrationError, or the database's error when it does not take us.
 */
export async function runMigrate(options: MigrateOptions, io: MigrateIo): Promise<void> {
  const session = await SqlSession.connect({
    connection: options.connection,
    applicationName: "millrace/migrate",
  });
  try {
    const info = options.json ? () => undefined : (message: string) => io.print(message);
    const { applied } = await migrate(session, { info });
    if (options.json) io.print(JSON.stringify({ event: "migrated", applied }));
    else if (applied.length === 0) io.print("nothing to migrate");
  } finally {
    await session.close();
  }
}
