/** `millrace pipeline` as a process of its own: started, watched, stopped and killed as a user would. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { migrate } from "../../sql/migrate.js";
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";
import { type FreshDatabase, freshDatabase, type TestServer } from "./postgres.js";
import type { Results } from "./results.js";

/** Folders and a database of its own; whatever runs there is gone after `remove`. */
export interface Workspace extends Results {
  readonly connection: ConnectionConfig & { readonly host: string; readonly port: number };
  readonly database: FreshDatabase;
  readonly inputDir: string;
  readonly errorDir: string;
  remove(): Promise<void>;
}

export interface StartOptions {
  /** Flags beyond those that name the workspace. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Reach the database through this port of 127.0.0.1. */
  readonly port?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A line of `--json` about a commit. */
export interface CommitLine {
  readonly event: "commit";
  readonly run_id: string;
  readonly epoch: number;
  readonly totals: { readonly records_read: number };
}

const CLI = fileURLToPath(new URL("../../pipelines/cli.js", import.meta.url));
const EPOCH_RECORDS_MAX = 500;
const WAIT_MS = 30_000;
const running = new Map<PipelineProcess, Workspace>();

/** Makes an empty workspace with a database on the given server, or on the run's. */
export async function createWorkspace(server?: TestServer): Promise<Workspace> {
  const home = await mkdtemp(path.join(tmpdir(), "millrace-test-crash-"));
  const database = await freshDatabase(server);
  const workspace: Workspace = {
    connection: database.connection as Workspace["connection"],
    database,
    inputDir: path.join(home, "raw"),
    errorDir: path.join(home, "error"),
    remove: async () => {
      const ours = [...running].filter(([, where]) => where === workspace);
      await Promise.all(ours.map(([child]) => child.kill()));
      await database.drop();
      await rm(home, { recursive: true, force: true });
    },
  };
  return workspace;
}

/** A running `millrace pipeline --json`, with small epochs. */
export class PipelineProcess {
  readonly commits: CommitLine[] = [];
  /** What it wrote on standard error. */
  log = "";
  #hasSaidEnd = false;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #exit: Exit | undefined;

  constructor(workspace: Workspace, options: StartOptions = {}) {
    this.#child = spawn(process.execPath, argumentsOf(workspace, options), {
      env: environmentOf(workspace, options),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.exited = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        this.#exit = { code, signal };
        running.delete(this);
        this.#wake();
        resolve(this.#exit);
      });
    });
    running.set(this, workspace);
    this.#readOutput();
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get hasExited(): boolean {
    return this.#exit !== undefined;
  }

  get lastCommit(): CommitLine | undefined {
    return this.commits.at(-1);
  }

  /** What its log says at level `error` or worse. */
  get errors(): string[] {
    return this.#said("error", "fatal");
  }

  get warnings(): string[] {
    return this.#said("warn");
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<Exit> {
    this.#child.kill("SIGKILL");
    return this.exited;
  }

  /** Waits until the output says so. @throws when the process ends before, or never says it. */
  async until(what: string, isTrue: () => boolean): Promise<void> {
    const deadline = Date.now() + WAIT_MS;
    while (!isTrue()) {
      const problem = this.hasExited
        ? "the process ended"
        : Date.now() > deadline
          ? "nothing happened"
          : undefined;
      if (problem !== undefined)
        throw new Error(`waited for ${what}, but ${problem}:\n${this.log.slice(-4_000)}`);
      await this.#nextOutput(100);
    }
  }

  /** Waits until it has committed, or has ended without. */
  async untilFirstCommit(): Promise<void> {
    while (this.commits.length === 0 && !this.hasExited) await this.#nextOutput(1_000);
  }

  /** Waits until it has said how it ended; it may still live. */
  untilEnd(): Promise<void> {
    return this.until("its end", () => this.#hasSaidEnd);
  }

  #said(...levels: readonly string[]): string[] {
    const lines = this.log.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"));
    return lines
      .map((line) => JSON.parse(line) as { level: string; msg: string })
      .filter(({ level }) => levels.includes(level))
      .map(({ msg }) => msg);
  }

  #readOutput(): void {
    let rest = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() as string;
      for (const line of lines) {
        const parsed = JSON.parse(line) as CommitLine | { readonly event: "end" };
        if (parsed.event === "commit") this.commits.push(parsed);
        if (parsed.event === "end") this.#hasSaidEnd = true;
      }
      this.#wake();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
      this.#wake();
    });
  }

  #nextOutput(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiting.add(done);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** Runs `--once` to its end. @throws when that is not exit 0. */
export async function runOnce(workspace: Workspace, options: StartOptions = {}): Promise<PipelineProcess> {
  const child = new PipelineProcess(workspace, { ...options, flags: ["--once", ...(options.flags ?? [])] });
  const { code, signal } = await child.exited;
  if (code !== 0) throw new Error(`exit ${code ?? signal} of --once:\n${child.log.slice(-4_000)}`);
  return child;
}

/** Brings the database to the current schema before any pipeline runs. */
export async function migrateWorkspace(workspace: Workspace): Promise<void> {
  await withSession(workspace, (session) => migrate(session, { info: () => undefined }));
}

/** Asks the workspace's database. */
export function ask<Row = Record<string, unknown>>(workspace: Workspace, statement: string): Promise<Row[]> {
  return withSession(workspace, (session) => session.query<Row>(statement));
}

/** Asks again and again until there is an answer with rows. @throws after 30 s without. */
export function askUntil<Row = Record<string, unknown>>(
  workspace: Workspace,
  statement: string,
): Promise<Row[]> {
  return withSession(workspace, async (session) => {
    for (const deadline = Date.now() + WAIT_MS; Date.now() < deadline; ) {
      const rows = await session.query<Row>(statement);
      if (rows.length > 0) return rows;
    }
    throw new Error(`no row came in ${WAIT_MS} ms from: ${statement}`);
  });
}

/** Locks the pipeline's row, so that nobody can take a run, until the returned function is called. */
export async function holdPipelineRow({ connection }: Workspace): Promise<() => Promise<void>> {
  const session = await SqlSession.connect({ connection, applicationName: "millrace/test" });
  await session.begin();
  await session.query("select from pipelines for update");
  return async () => {
    await session.commit();
    await session.close();
  };
}

async function withSession<T>(
  { connection }: Workspace,
  use: (session: SqlSession) => Promise<T>,
): Promise<T> {
  const session = await SqlSession.connect({ connection, applicationName: "millrace/test" });
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

function argumentsOf({ inputDir, errorDir }: Workspace, { flags = [] }: StartOptions): string[] {
  const home = path.dirname(inputDir);
  return [
    CLI,
    "pipeline",
    `--input=${inputDir}`,
    `--error-dir=${errorDir}`,
    `--state-dir=${path.join(home, "state")}`,
    `--log-dir=${path.join(home, "logs")}`,
    `--epoch-records-max=${EPOCH_RECORDS_MAX}`,
    "--json",
    ...flags,
  ];
}

function environmentOf({ database, connection }: Workspace, { env, port }: StartOptions): NodeJS.ProcessEnv {
  const url = new URL(database.url);
  url.hostname = connection.host;
  url.port = String(port ?? connection.port);
  if (port !== undefined) url.hostname = "127.0.0.1";
  return { PATH: process.env["PATH"], DATABASE_URL: url.href, ...env };
}
