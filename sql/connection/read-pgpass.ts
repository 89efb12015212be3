/** The password file of libpq: which line of `.pgpass` is for this connection. */
import { readFileSync, statSync } from "node:fs";

export interface PgpassTarget {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

export interface PgpassAnswer {
  readonly password: string | undefined;
  /** Why the file was not used, if it is there and was not. */
  readonly warning: string | undefined;
}

/**
 * Looks a password up in a password file. As with libpq, a missing file is silence, and a file that
 * is not plain or that group or others may touch is ignored with a warning.
 */
export function readPgpass(path: string, target: PgpassTarget): PgpassAnswer {
  const refused = (rule: string): PgpassAnswer => ({
    password: undefined,
    warning: `password file "${path}" ${rule}: ignored`,
  });
  let text: string;
  try {
    const stats = statSync(path);
    if (!stats.isFile()) return refused("is not a plain file");
    if (process.platform !== "win32" && (stats.mode & 0o077) !== 0) {
      return refused("has group or world access; its permissions should be u=rw (0600) or less");
    }
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return { password: undefined, warning: undefined };
    return refused(`cannot be read (${code})`);
  }
  return { password: findPassword(text, target), warning: undefined };
}

/** The password of the first line `host:port:database:user:password` that matches, `*` matching all. */
export function findPassword(text: string, target: PgpassTarget): string | undefined {
  // a socket folder is looked up as localhost, by libpq's rule for the default one
  const host = target.host.startsWith("/") ? "localhost" : target.host;
  const wanted = [host, String(target.port), target.database, target.user];
  for (const line of text.split(/\r?\n/)) {
    if (line === "" || line.startsWith("#")) continue;
    const rest = matchFields(line, wanted);
    if (rest !== undefined) return rest.replace(/\\(.)/g, "$1");
  }
  return undefined;
}

/** What follows the matching fields, or undefined when one differs. */
function matchFields(line: string, wanted: readonly string[]): string | undefined {
  let rest = line;
  for (const value of wanted) {
    const field = /^((?:[^:\\]|\\.)*):/.exec(rest);
    if (field === null) return undefined;
    const raw = field[1]!;
    if (raw !== "*" && raw.replace(/\\(.)/g, "$1") !== value) return undefined;
    rest = rest.slice(field[0].length);
  }
  return rest;
}
