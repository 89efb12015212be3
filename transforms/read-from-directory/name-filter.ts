/** Which names in the input directory are input, decided by name alone. */

/** Patterns of the default input. */
export const DEFAULT_GLOBS: readonly string[] = ["*.csv", "*.csv.gz"];

/** A file that is being finished: renamed aside, still ours. */
export interface AsideName {
  readonly fileId: number;
  /** The name it had. */
  readonly name: string;
}

const ASIDE = /^\.millrace-done\.(\d{1,15})\.(.+)$/s;

/** The name under which a finished file is looked at once more: a dot file, so nobody else reads it. */
export function asideName(fileId: number, name: string): string {
  return `.millrace-done.${fileId}.${name}`;
}

/** Reads a name made by `asideName`. */
export function parseAsideName(name: string): AsideName | undefined {
  const match = ASIDE.exec(name);
  return match === null ? undefined : { fileId: Number(match[1]), name: match[2]! };
}

/**
 * Whether a relative path (with `/`) is input: it matches one of the patterns and no part of it is a
 * name by which writers say "not yet": `.x`, `_x`, `x.tmp`, `x.partial`.
 * A pattern without `/` is matched against the last part, one with `/` against the whole path.
 * `*` and `?` stop at `/`, `**` does not; `[abc]`, `[!abc]`, `{csv,tsv}`.
 * @throws when a pattern is empty or a bracket is not closed.
 */
export function createNameFilter(globs: readonly string[]): (path: string) => boolean {
  const byName = globs.filter((glob) => !glob.includes("/")).map(toRegExp);
  const byPath = globs.filter((glob) => glob.includes("/")).map(toRegExp);
  return (path) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (isSetAside(name)) return false;
    return byName.some((pattern) => pattern.test(name)) || byPath.some((pattern) => pattern.test(path));
  };
}

/** Names by which writers say "not yet", of files and of directories. */
export function isSetAside(name: string): boolean {
  return name.startsWith(".") || name.startsWith("_") || name.endsWith(".tmp") || name.endsWith(".partial");
}

function toRegExp(glob: string): RegExp {
  if (glob === "") throw new Error("a file name pattern must not be empty");
  let source = "";
  let alternatives = 0;
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i]!;
    if (char === "*" && glob[i + 1] === "*") {
      const isWholePart = glob[i + 2] === "/";
      source += isWholePart ? "(?:.*/)?" : ".*";
      i += isWholePart ? 2 : 1;
    } else if (char === "*") source += "[^/]*";
    else if (char === "?") source += "[^/]";
    else if (char === "[") {
      const end = glob.indexOf("]", i + 2);
      if (end < 0) throw new Error(`file name pattern "${glob}": "[" is never closed`);
      const body = glob.slice(i + 1, end).replace(/[\\\]^]/g, "\\$&");
      source += body.startsWith("!") ? `[^/${body.slice(1)}]` : `[${body}]`;
      i = end;
    } else if (char === "{") {
      source += "(?:";
      alternatives++;
    } else if (char === "}" && alternatives > 0) {
      source += ")";
      alternatives--;
    } else if (char === "," && alternatives > 0) source += "|";
    else source += char.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  }
  if (alternatives > 0) throw new Error(`file name pattern "${glob}": "{" is never closed`);
  return new RegExp(`^${source}$`, "su");
}
