/** The embedded PostgreSQL: one server a state folder, shared by its commands, stopped by the last one to leave. */
import { type ConnectionConfig, SqlSession } from "../sql-session.js";
import { codeOf } from "./embedded-postgres-error.js";
import { Presence } from "./presence.js";
import {
  attachOrStart,
  connectionTo,
  databaseName,
  type RunningServer,
  type ServerOptions,
  serverControl,
} from "./running-server.js";
import { findLiveServer, stopServer } from "./server-process.js";
import {
  findStateFolder,
  openStateFolder,
  readPassword,
  readServerState,
  type StateFolder,
  writeServerState,
} from "./state-folder.js";
import { withStateLock } from "./state-lock.js";

export interface EmbeddedPostgresOptions extends ServerOptions {
  /** Where the lock, the pgpass file and (if the server can reach it) the data are, e.g. `.millrace`. */
  readonly stateDir: string;
  /** The command, e.g. `pipeline`: its session is called `millrace/pipeline`. */
  readonly verb: string;
  /** The server stays when the last command leaves, until `stopEmbeddedPostgres`. */
  readonly keepRunning?: boolean | undefined;
}

/** A server in use by this command. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** With the password: never log it. */
  readonly connection: ConnectionConfig;
  /** Without the password, which is in `pgpassFile`. */
  readonly url: string;
  readonly pgpassFile: string;
  readonly dataDir: string;
  /**
   * Leaves; stops the server if no other session `millrace/…` is left. The command's own other sessions must be
   * closed before. Never rejects: what went wrong is logged, and the next command settles it.
   */
  close(): Promise<void>;
}

/**
 * Attaches to the server of the state folder, or starts it; makes the data folder at first. The server survives
 * this process, its terminal and `kill -9`.
 * @throws EmbeddedPostgresError
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await openStateFolder(options.stateDir);
  const applicationName = `millrace/${options.verb}`;
  const running = await withStateLock(place.lockFile, options.signal, async () => {
    const server = await attachOrStart(place, applicationName, options);
    if (options.keepRunning) await writeServerState(place, { ...server.state, keepRunning: true });
    return server;
  });
  return new OpenedPostgres(place, running, applicationName, options);
}

/** What `stopEmbeddedPostgres` found. */
export interface StopReport {
  readonly wasRunning: boolean;
  /** Names of the sessions it ended, e.g. `millrace/pipeline`. */
  readonly sessionsEnded: readonly string[];
}

/** Stops the server, whoever uses it. @throws EmbeddedPostgresError */
export async function stopEmbeddedPostgres(
  options: { readonly stateDir: string } & Partial<ServerOptions>,
): Promise<StopReport> {
  const place = await findStateFolder(options.stateDir);
  const nothing: StopReport = { wasRunning: false, sessionsEnded: [] };
  if (!place) return nothing;
  return await withStateLock(place.lockFile, options.signal, async () => {
    const state = await readServerState(place);
    if (!state) return nothing;
    if (state.keepRunning) await writeServerState(place, { ...state, keepRunning: false });
    if (!(await findLiveServer(state.dataDir))) return nothing;
    const sessionsEnded = await sessionsOf(place, state.port);
    await stopServer(await serverControl(place, state.dataDir, { log: () => undefined, ...options }));
    return { wasRunning: true, sessionsEnded };
  });
}

/** The server as seen from outside, without starting it or being counted as its user. */
export interface EmbeddedPostgresStatus {
  /** `none`: there are no data yet. */
  readonly state: "none" | "stopped" | "running";
  /** Without the password; undefined as long as there is no port. */
  readonly url?: string;
  readonly port?: number;
  readonly pid?: number;
  readonly dataDir?: string;
  readonly pgpassFile?: string;
  readonly keepRunning?: boolean;
  /** Names of the commands' sessions, e.g. `millrace/pipeline`. */
  readonly sessions: readonly string[];
}

/** @throws EmbeddedPostgresError `state_invalid` */
export async function embeddedPostgresStatus(options: {
  readonly stateDir: string;
}): Promise<EmbeddedPostgresStatus> {
  const place = await findStateFolder(options.stateDir);
  const state = place && (await readServerState(place));
  if (!state) return { state: "none", sessions: [] };
  const live = await findLiveServer(state.dataDir);
  const port = live?.port ?? state.port;
  const { dataDir, keepRunning } = state;
  const known = { url: urlOf(port), port, dataDir, pgpassFile: place.pgpassFile, keepRunning };
  if (!live) return { ...known, state: "stopped", sessions: [] };
  return { ...known, state: "running", pid: live.pid, sessions: await sessionsOf(place, port) };
}

class OpenedPostgres implements EmbeddedPostgres {
  readonly connection: ConnectionConfig;
  readonly url: string;
  readonly pgpassFile: string;
  readonly dataDir: string;
  readonly #presence: Presence;
  #closing: Promise<void> | undefined;

  constructor(
    private readonly place: StateFolder,
    { session, connection, state }: RunningServer,
    applicationName: string,
    private readonly options: ServerOptions,
  ) {
    this.connection = connection;
    this.url = urlOf(state.port);
    this.pgpassFile = place.pgpassFile;
    this.dataDir = state.dataDir;
    this.#presence = new Presence(session, connection, applicationName);
  }

  close(): Promise<void> {
    this.#closing ??= this.#leave().catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return; // the state folder was removed: nobody is left to leave it to
      this.options.log(
        `leaving the embedded PostgreSQL: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Under the lock to its end: two commands that leave together must not each count the other. */
  async #leave(): Promise<void> {
    const { place, dataDir } = this;
    // the signal that ended the command must not keep it from leaving in order
    const options = { ...this.options, signal: undefined };
    try {
      await withStateLock(place.lockFile, undefined, async () => {
        const others = await this.#presence.othersPresent();
        const state = await readServerState(place);
        await this.#presence.leave();
        if (others !== 0 || state?.keepRunning) return;
        await stopServer(await serverControl(place, dataDir, options));
        options.log("PostgreSQL stopped: no other command uses it");
      });
    } finally {
      await this.#presence.leave();
    }
  }
}

async function sessionsOf(place: StateFolder, port: number): Promise<string[]> {
  const password = await readPassword(place);
  const options = { applicationName: "millrace-status", connectTimeoutMs: 2_000 };
  const connection = connectionTo(port, password ?? "");
  const session = await SqlSession.connect({ ...options, connection }).catch(() => undefined);
  if (!session) return []; // starting, stopping, or full: what it is asked for is only shown
  try {
    const rows = await session.query<{ name: string }>(
      "select application_name as name from pg_stat_activity where application_name like 'millrace/%' order by 1",
    );
    return rows.map((row) => row.name);
  } finally {
    await session.close();
  }
}

function urlOf(port: number): string {
  return `postgresql://postgres@127.0.0.1:${port}/${databaseName}`;
}
