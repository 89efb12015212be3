/** The data folder: where it goes, who made it, and how a new one is made. */
import { createHash, randomBytes } from "node:crypto";
import { appendFile, chown, lstat, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EmbeddedPostgresError, unless } from "./embedded-postgres-error.js";
import { throwIfAborted } from "./pause.js";
import { majorOf, type PostgresPrograms, programPath, refuseShellCharacters } from "./postgres-programs.js";
import { runProgram } from "./run-program.js";
import { canReach, makeFolderFor, reachableFolder, type ServerAccount } from "./server-account.js";

/** Appended to the settings that initdb writes; the port comes with each start. */
const serverSettings = `
# The embedded server: for this machine only, and as durable as any.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 50
password_encryption = 'scram-sha-256'
shared_buffers = '256MB'
max_wal_size = '4GB'
fsync = on
synchronous_commit = on
full_page_writes = on
logging_collector = off
log_timezone = 'UTC'
timezone = 'UTC'
`;

/**
 * Sorting by bytes exists everywhere and never changes with the system's libraries, under which indexes would
 * break; letters are those of Unicode where the system has C.UTF-8.
 */
const localeChoices = [["--locale=C", "--lc-ctype=C.UTF-8"], ["--locale=C"]];

/** What is needed to choose and to make a data folder. */
export interface DataFolderOptions {
  readonly account: ServerAccount | undefined;
  readonly signal: AbortSignal | undefined;
  readonly log: (message: string) => void;
}

/** In the state folder, or, as root, where the server's account can reach it. @throws EmbeddedPostgresError */
export async function chooseDataDir(
  stateFolder: string,
  reachableDirs: readonly string[],
  { account, log }: DataFolderOptions,
): Promise<string> {
  const inside = join(stateFolder, "data");
  if (!account || (await hasRoomFor(account, stateFolder))) return inside;
  const parent = await reachableFolder(account, reachableDirs);
  const mark = `data-${createHash("sha256").update(stateFolder).digest("hex").slice(0, 12)}-`;
  for (const name of await readdir(parent)) {
    // a new name each time: whoever removes a state folder expects an empty database
    if (name.startsWith(mark)) log(`data of an earlier ${stateFolder} are left in ${join(parent, name)}`);
  }
  const dataDir = join(parent, mark + randomBytes(4).toString("hex"));
  log(
    `PostgreSQL's data go to ${dataDir}, because ${account.name}, as whom it runs, cannot use ${stateFolder}`,
  );
  return dataDir;
}

async function hasRoomFor(account: ServerAccount, folder: string): Promise<boolean> {
  if (!(await canReach(account, folder, "x"))) return false;
  const probe = join(folder, "data.probe");
  await rm(probe, { recursive: true, force: true });
  const isOfUse = await makeFolderFor(account, probe);
  await rm(probe, { recursive: true, force: true });
  return isOfUse;
}

/**
 * Whether there are data that these programs can serve; false when there are none yet.
 * @throws EmbeddedPostgresError `wrong_major`, `data_folder_unusable`, `path_unusable`
 */
export async function hasData(dataDir: string, programs: PostgresPrograms): Promise<boolean> {
  refuseShellCharacters("the data folder", dataDir);
  if ((await lstat(dataDir).catch(unless("ENOENT"))) === undefined) return false;
  const version = await readFile(join(dataDir, "PG_VERSION"), "utf8").catch(unless("ENOENT"));
  if (version === undefined) {
    throw new EmbeddedPostgresError(
      "data_folder_unusable",
      `${dataDir} must be a data folder of PostgreSQL, but has no PG_VERSION: move it away to begin anew`,
    );
  }
  const [found, ours] = [version.trim(), String(majorOf(programs))];
  if (found === ours) return true;
  throw new EmbeddedPostgresError(
    "wrong_major",
    `${dataDir} holds data of PostgreSQL ${found}, and the programs here are of PostgreSQL ${ours}: dump it with ` +
      `a server of ${found} (pg_dumpall) and load that here, or move the folder away to begin with an empty database`,
  );
}

/** Makes the data folder, aside and then renamed: there is a whole one or none. @throws EmbeddedPostgresError `init_failed` */
export async function createData(
  dataDir: string,
  programs: PostgresPrograms,
  password: string,
  { account, signal }: DataFolderOptions,
): Promise<void> {
  const [draft, passwordFile] = [`${dataDir}.draft`, `${dataDir}.password`];
  const clear = (path: string): Promise<void> => rm(path, { recursive: true, force: true });
  await clear(passwordFile);
  try {
    await writeFile(passwordFile, password, { flag: "wx", mode: 0o600 });
    if (account) await chown(passwordFile, account.uid, account.gid);
    let output = "";
    for (const locale of localeChoices) {
      await clear(draft);
      await makeFolderFor(account, draft);
      const args = [
        "-D",
        draft,
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "-A",
        "scram-sha-256",
        `--pwfile=${passwordFile}`,
      ];
      const result = await runProgram(programPath(programs, "initdb"), [...args, ...locale], {
        account,
        signal,
      });
      throwIfAborted(signal);
      output = result.output;
      if (result.code !== 0) continue;
      await appendFile(join(draft, "postgresql.conf"), serverSettings);
      return await rename(draft, dataDir);
    }
    throw new EmbeddedPostgresError("init_failed", `initdb could not make ${dataDir}: ${output}`);
  } finally {
    await clear(passwordFile);
    await clear(draft);
  }
}
