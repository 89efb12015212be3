/** As whom the server runs: PostgreSQL refuses root, so root needs somebody else, who can reach its files. */
import { chmod, chown, lstat, mkdir, stat } from "node:fs/promises";
import { EmbeddedPostgresError, unless } from "./embedded-postgres-error.js";
import { runProgram } from "./run-program.js";

export interface ServerAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const accountNames = ["postgres", "nobody"];

/**
 * Undefined for an ordinary user, who runs the server himself. As root: the owner of the data, for they open to
 * nobody else; before there are data, `postgres`, or else `nobody`.
 * @throws EmbeddedPostgresError `account_unusable`, `data_folder_unusable`
 */
export async function serverAccountFor(dataDir: string | undefined): Promise<ServerAccount | undefined> {
  if (!isRoot()) return undefined;
  const owner = dataDir === undefined ? undefined : await stat(dataDir).catch(unless("ENOENT"));
  if (owner?.uid === 0) {
    throw new EmbeddedPostgresError(
      "data_folder_unusable",
      `${dataDir} must belong to an account that PostgreSQL may run as, got root: give it back with chown -R`,
    );
  }
  if (owner) return { name: `uid ${owner.uid}`, uid: owner.uid, gid: owner.gid };
  for (const name of accountNames) {
    const uid = await idOf("-u", name);
    const gid = await idOf("-g", name);
    if (uid && gid) return { name, uid, gid };
  }
  throw new EmbeddedPostgresError(
    "account_unusable",
    `as root PostgreSQL must run as one of ${accountNames.join(", ")}, and this system has none of them`,
  );
}

/** Whether commands run as root here. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Whether the account gets at the file or folder: asked of the system itself, which knows every rule. */
export async function canReach(
  account: ServerAccount,
  path: string,
  right: "r" | "w" | "x",
): Promise<boolean> {
  const result = await runProgram("/bin/sh", ["-c", `test -${right} "$0"`, path], { account });
  return result.code === 0;
}

/** Makes an empty folder 0700 that belongs to the account. False where it would not be of use to it. */
export async function makeFolderFor(account: ServerAccount | undefined, path: string): Promise<boolean> {
  await mkdir(path, { mode: 0o700 });
  if (!account) return true;
  const owned = await chown(path, account.uid, account.gid).then(
    () => true,
    () => false, // a file system without owners
  );
  return owned && (await canReach(account, path, "w"));
}

/**
 * The first of these folders that is, or can be made, root's own and that the account can enter.
 * @throws EmbeddedPostgresError `account_unusable`
 */
export async function reachableFolder(
  account: ServerAccount,
  candidates: readonly string[],
): Promise<string> {
  for (const folder of candidates) {
    // 0755 whatever the umask, but an existing folder is left as it is
    const made = await mkdir(folder, { mode: 0o755 }).then(
      () => true,
      () => false,
    );
    if (made) await chmod(folder, 0o755);
    const found = await lstat(folder).catch(() => undefined);
    // anybody may make a folder of this name in /var/tmp: only root's own is trusted
    if (!found?.isDirectory() || found.uid !== 0 || (found.mode & 0o022) !== 0) continue;
    if (await canReach(account, folder, "x")) return folder;
  }
  throw new EmbeddedPostgresError(
    "account_unusable",
    `PostgreSQL's data need a folder that ${account.name} can reach, and none of ${candidates.join(", ")} is one`,
  );
}

async function idOf(flag: "-u" | "-g", name: string): Promise<number | undefined> {
  const result = await runProgram("id", [flag, name]);
  return result.code === 0 ? Number(result.output) : undefined;
}
