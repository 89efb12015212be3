/** A session with the embedded server of a state folder: attaches to the one that runs, or starts it. */
import { type ConnectionConfig, SqlSession } from "../sql-session.js";
import { chooseDataDir, createData, hasData } from "./data-folder.js";
import { codeOf, EmbeddedPostgresError } from "./embedded-postgres-error.js";
import { pause, throwIfAborted } from "./pause.js";
import { findPrograms, majorOf, type PostgresPrograms, usablePrograms } from "./postgres-programs.js";
import { serverAccountFor } from "./server-account.js";
import {
  findLiveServer,
  freePort,
  hasPidFile,
  isFree,
  type LiveServer,
  type ServerControl,
  serverLogFile,
  startServer,
  startTimeoutMs,
} from "./server-process.js";
import {
  newPassword,
  readPassword,
  readServerState,
  type ServerState,
  type StateFolder,
  writePassword,
  writeServerState,
} from "./state-folder.js";

export const databaseName = "ecommerce_events";
const answerPollMs = 50;
/** A start is tried again while backends of a killed server are still at work, or if the port was just taken. */
const startTriesMax = 5;
const startBackoffMs = 400;
const portReleaseMs = 5_000;
/** For root, where the server's account cannot reach the clone: kept across restarts, unlike /tmp. */
const defaultReachableDirs = ["/var/lib/millrace", "/var/tmp/millrace"];

/** What the life cycle is told by the command. */
export interface ServerOptions {
  readonly log: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Default: those installed with `embedded-postgres`. */
  readonly programs?: PostgresPrograms | undefined;
  /** Folders where root may put what the server's account cannot reach in the clone. */
  readonly reachableDirs?: readonly string[] | undefined;
}

/** A server that answered, and the session that shows it is in use. */
export interface RunningServer {
  readonly session: SqlSession;
  readonly connection: ConnectionConfig;
  readonly state: ServerState;
}

/** Call it under the lock. @throws EmbeddedPostgresError */
export async function attachOrStart(
  place: StateFolder,
  applicationName: string,
  options: ServerOptions,
): Promise<RunningServer> {
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    const known = await readServerState(place);
    const live = known && (await findLiveServer(known.dataDir));
    const state = live ? await adoptPort(place, known, live) : await start(place, known, options);
    const connection = connectionTo(state.port, await passwordOf(place, state));
    const attempt = await connect(connection, applicationName);
    if (attempt instanceof SqlSession) return { session: attempt, connection, state };
    if (!isPassing(attempt) || Date.now() > deadline) throw notAnswering(state, attempt);
    // a server that is starting will answer; one that is stopping will be gone, and is started again
    await pause(answerPollMs, live && options.signal);
  }
}

/** How pg_ctl is called for this state. @throws EmbeddedPostgresError */
export async function serverControl(
  place: StateFolder,
  dataDir: string,
  { programs: given, reachableDirs = defaultReachableDirs, log }: ServerOptions,
): Promise<ServerControl> {
  const account = await serverAccountFor(dataDir);
  const use = { account, ownFolder: place.folder, reachableDirs, log };
  return { dataDir, account, programs: await usablePrograms(given ?? (await findPrograms()), use) };
}

/** As the driver takes it. */
export function connectionTo(port: number, password: string): ConnectionConfig {
  return { host: "127.0.0.1", port, user: "postgres", password, database: databaseName, ssl: false };
}

/** Somebody may have started the server himself, on another port. */
async function adoptPort(place: StateFolder, state: ServerState, { port }: LiveServer): Promise<ServerState> {
  if (port === undefined || port === state.port) return state;
  const adopted = { ...state, port };
  await writePassword(place, port, await passwordOf(place, state));
  await writeServerState(place, adopted);
  return adopted;
}

async function start(
  place: StateFolder,
  known: ServerState | undefined,
  options: ServerOptions,
): Promise<ServerState> {
  const { log, signal, reachableDirs = defaultReachableDirs } = options;
  const newcomer = known ? undefined : await serverAccountFor(undefined);
  const dataDir =
    known?.dataDir ?? (await chooseDataDir(place.folder, reachableDirs, { account: newcomer, signal, log }));
  const control = await serverControl(place, dataDir, options);
  const isNew = !(await hasData(dataDir, control.programs));
  throwIfAborted(signal);
  let state = await remember(
    place,
    { dataDir, port: await portFor(known, options), keepRunning: false },
    isNew,
  );
  if (isNew)
    await createData(dataDir, control.programs, await passwordOf(place, state), { ...control, signal, log });
  for (let tries = 1; ; tries++) {
    try {
      await startServer(control, state.port);
      break;
    } catch (error) {
      const portWasTaken = !(await isFree(state.port));
      if (tries >= startTriesMax || !(portWasTaken || (await hasPidFile(dataDir)))) throw error;
      await pause(startBackoffMs * tries, signal);
      if (portWasTaken)
        state = await remember(place, { ...state, port: await portFor(state, options) }, false);
    }
  }
  log(`PostgreSQL ${majorOf(control.programs)} started on 127.0.0.1:${state.port}, data in ${dataDir}`);
  return state;
}

/** The port of before, which running commands know, if it can be had. */
async function portFor(known: ServerState | undefined, options: ServerOptions): Promise<number> {
  if (!known) return await freePort();
  // a server that was killed a moment ago is gone before its port is free
  const deadline = Date.now() + ((await hasPidFile(known.dataDir)) ? portReleaseMs : 0);
  while (!(await isFree(known.port)) && Date.now() < deadline) await pause(answerPollMs, options.signal);
  if (await isFree(known.port)) return known.port;
  const port = await freePort();
  options.log(`port ${known.port} is taken by another program: PostgreSQL moves to ${port}`);
  return port;
}

/** Written before the server starts: whoever comes after a kill must find it. */
async function remember(place: StateFolder, state: ServerState, isNew: boolean): Promise<ServerState> {
  const password = isNew ? ((await readPassword(place)) ?? newPassword()) : await passwordOf(place, state);
  await writePassword(place, state.port, password);
  await writeServerState(place, state);
  return state;
}

async function passwordOf(place: StateFolder, { dataDir }: ServerState): Promise<string> {
  const password = await readPassword(place);
  if (password) return password;
  throw new EmbeddedPostgresError(
    "password_lost",
    `${place.pgpassFile} must hold the password of the data in ${dataDir}, but is gone: ` +
      "put it back, or move that folder away to begin with an empty database",
  );
}

/** The session, or the error; makes the database if nobody has. */
async function connect(connection: ConnectionConfig, applicationName: string): Promise<SqlSession | Error> {
  const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
  const first = await SqlSession.connect({ connection, applicationName }).catch(asError);
  if (codeOf(first) !== invalidCatalogName) return first;
  return await createDatabase(connection)
    .then(() => SqlSession.connect({ connection, applicationName }))
    .catch(asError);
}

const invalidCatalogName = "3D000";
const cannotConnectNow = "57P03";
const duplicateDatabase = "42P04";

function isPassing(error: Error): boolean {
  return ["ECONNREFUSED", "ECONNRESET", cannotConnectNow].includes(codeOf(error) ?? "");
}

async function createDatabase(connection: ConnectionConfig): Promise<void> {
  const session = await SqlSession.connect({
    connection: { ...connection, database: "postgres" },
    applicationName: "millrace-setup",
  });
  try {
    await session.query(`create database ${databaseName}`);
  } catch (error) {
    if (codeOf(error) !== duplicateDatabase) throw error;
  } finally {
    await session.close();
  }
}

function notAnswering({ dataDir, port }: ServerState, cause: Error): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "start_failed",
    `the embedded PostgreSQL on 127.0.0.1:${port} did not take a session: ${cause.message} (its log: ${serverLogFile(dataDir)})`,
    { cause },
  );
}
