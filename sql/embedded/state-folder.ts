/** What a state folder remembers of its embedded PostgreSQL: where the data are, the port, the password. */
import { randomBytes } from "node:crypto";
import {
  access,
  chown,
  constants,
  mkdir,
  open,
  readFile,
  realpath,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { isAbsolute, join, relative, resolve } from "node:path";
import { codeOf, EmbeddedPostgresError, unless } from "./embedded-postgres-error.js";
import { isRoot } from "./server-account.js";

/** Paths of one state folder; all absolute. */
export interface StateFolder {
  /** `<state dir>/postgres`: holds everything below. */
  readonly folder: string;
  readonly lockFile: string;
  readonly pgpassFile: string;
  readonly serverFile: string;
}

/** What `server.json` remembers. */
export interface ServerState {
  /** Absolute; outside of the state folder where the server's account cannot reach that. */
  readonly dataDir: string;
  readonly port: number;
  /** Started by `db start`: stays until `db stop`, whoever leaves. */
  readonly keepRunning: boolean;
}

/** Finds, and makes, the folder. @throws EmbeddedPostgresError `state_folder_unusable` */
export async function openStateFolder(stateDir: string): Promise<StateFolder> {
  const asked = resolve(stateDir, "postgres");
  try {
    await mkdir(asked, { recursive: true });
    return await usableFolder(asked);
  } catch (error) {
    throw unusable(asked, error);
  }
}

/** The same without making it: undefined when there is none yet. @throws EmbeddedPostgresError `state_folder_unusable` */
export async function findStateFolder(stateDir: string): Promise<StateFolder | undefined> {
  const asked = resolve(stateDir, "postgres");
  return await usableFolder(asked).catch((error) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw unusable(asked, error);
  });
}

async function usableFolder(asked: string): Promise<StateFolder> {
  const place = stateFolderAt(await realpath(asked));
  await access(place.folder, constants.W_OK);
  await access(place.pgpassFile, constants.R_OK).catch(unless("ENOENT"));
  return place;
}

function unusable(asked: string, cause: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "state_folder_unusable",
    `${asked} must be a folder that this command can write, got ${codeOf(cause)}: ` +
      "run as its owner or choose another with --state-dir",
    { cause },
  );
}

function stateFolderAt(folder: string): StateFolder {
  return {
    folder,
    lockFile: join(folder, "lock"),
    pgpassFile: join(folder, "pgpass"),
    serverFile: join(folder, "server.json"),
  };
}

/** Undefined before the first start. @throws EmbeddedPostgresError `state_invalid` */
export async function readServerState(place: StateFolder): Promise<ServerState | undefined> {
  const text = await readFile(place.serverFile, "utf8").catch(unless("ENOENT"));
  if (text === undefined) return undefined;
  const stored = parseState(text);
  if (!stored) {
    throw new EmbeddedPostgresError(
      "state_invalid",
      `${place.serverFile} must hold dataDir, stateFolder, port and keepRunning, got ${JSON.stringify(text.slice(0, 200))}`,
    );
  }
  await refuseCopy(place, stored);
  const { dataDir, port, keepRunning } = stored;
  return { dataDir: resolve(place.folder, dataDir), port, keepRunning };
}

/** Data inside the folder are remembered relative to it, so that it can be moved. */
export async function writeServerState(place: StateFolder, state: ServerState): Promise<void> {
  const inside = relative(place.folder, state.dataDir);
  const isInside = !inside.startsWith("..") && !isAbsolute(inside);
  const stored: StoredState = {
    ...state,
    dataDir: isInside ? inside : state.dataDir,
    stateFolder: place.folder,
  };
  await replaceFile(place, place.serverFile, `${JSON.stringify(stored, undefined, 2)}\n`, 0o644);
}

interface StoredState extends ServerState {
  /** Whose state this is: tells a moved state folder from a copied one. */
  readonly stateFolder: string;
}

function parseState(text: string): StoredState | undefined {
  try {
    const value = JSON.parse(text) as Partial<StoredState>;
    const isWhole =
      typeof value.dataDir === "string" &&
      typeof value.stateFolder === "string" &&
      Number.isInteger(value.port) &&
      typeof value.keepRunning === "boolean";
    return isWhole ? (value as StoredState) : undefined;
  } catch {
    return undefined; // the caller names the file
  }
}

/** Data outside of the folder must not be run by two state folders, each with a lock of its own. */
async function refuseCopy(place: StateFolder, stored: StoredState): Promise<void> {
  if (!isAbsolute(stored.dataDir) || stored.stateFolder === place.folder) return;
  const original = await readFile(join(stored.stateFolder, "server.json"), "utf8").catch(() => "");
  if (parseState(original)?.dataDir !== stored.dataDir) return; // moved: the data are ours alone
  throw new EmbeddedPostgresError(
    "state_invalid",
    `${place.folder} must not share data with another state folder, but it is a copy of ${stored.stateFolder}, ` +
      `whose data are in ${stored.dataDir}: remove ${place.folder} to begin with an empty database`,
  );
}

/** A password nobody has to type. */
export function newPassword(): string {
  return randomBytes(24).toString("base64url");
}

/** Undefined when there is no pgpass file. */
export async function readPassword(place: StateFolder): Promise<string | undefined> {
  const text = await readFile(place.pgpassFile, "utf8").catch(unless("ENOENT"));
  return text?.trim().split(":").at(-1);
}

/** Writes the pgpass file, 0600: the only place where the password stands. */
export async function writePassword(place: StateFolder, port: number, password: string): Promise<void> {
  await replaceFile(place, place.pgpassFile, `127.0.0.1:${port}:*:postgres:${password}\n`, 0o600);
}

/** Whole or not at all, also when the machine fails. Root leaves the file to the folder's owner. */
async function replaceFile(place: StateFolder, file: string, text: string, mode: number): Promise<void> {
  const draft = `${file}.draft`;
  await rm(draft, { force: true });
  const handle = await open(draft, "wx", mode);
  try {
    await handle.chmod(mode);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (isRoot()) {
    const owner = await stat(place.folder);
    await chown(draft, owner.uid, owner.gid);
  }
  await rename(draft, file);
}
