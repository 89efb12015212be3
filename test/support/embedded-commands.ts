/** Runs commands that hold the embedded PostgreSQL, and clears up whatever a test leaves. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  embeddedPostgresStatus,
  openEmbeddedPostgres,
  stopEmbeddedPostgres,
} from "../../sql/embedded/embedded-postgres.js";
import { EmbeddedPostgresError } from "../../sql/embedded/embedded-postgres-error.js";
import { findPrograms, type PostgresPrograms, usablePrograms } from "../../sql/embedded/postgres-programs.js";
import { serverAccountFor } from "../../sql/embedded/server-account.js";
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";
import type { HolderLine, HolderOptions } from "./embedded-holder.js";

const holderScript = fileURLToPath(new URL("./embedded-holder.js", import.meta.url));
const waitMaxMs = 20_000;

/** A command in a process of its own. */
export interface Holder {
  readonly pid: number;
  readonly lines: readonly HolderLine[];
  /** Waits for a line of this kind. */
  line<Event extends HolderLine["event"]>(event: Event): Promise<Extract<HolderLine, { event: Event }>>;
  /** Ends its input, so that it leaves, and waits for its end. */
  leave(): Promise<void>;
  /** Ends it without a chance to leave. */
  kill(): Promise<void>;
  readonly process: ChildProcess;
}

/** A folder for one test file, with state folders for its tests. */
export class EmbeddedCommands {
  readonly #stateDirs = new Set<string>();
  readonly #holders = new Set<Holder>();

  private constructor(
    /** 0755, so that every account can enter. */
    readonly root: string,
    /** Within every account's reach and complete: no test copies them again. */
    readonly programs: PostgresPrograms,
    /** Where root puts what the server's account cannot reach. */
    readonly reachableDirs: readonly string[],
  ) {}

  static async create(): Promise<EmbeddedCommands> {
    const root = await mkdtemp(join(tmpdir(), "millrace-test-"));
    await chmod(root, 0o755);
    const reachableDirs = [join(root, "system")];
    const account = await serverAccountFor(undefined);
    const use = { account, ownFolder: root, reachableDirs, log: () => undefined };
    return new EmbeddedCommands(root, await usablePrograms(await findPrograms(), use), reachableDirs);
  }

  /** A new state folder that is not there yet. */
  async stateDir(options: { readonly parentMode?: number } = {}): Promise<string> {
    const parent = await mkdtemp(join(this.root, "clone-"));
    await chmod(parent, options.parentMode ?? 0o755);
    await mkdir(join(parent, "a folder"));
    await chmod(join(parent, "a folder"), 0o755);
    const stateDir = join(parent, "a folder", ".millrace");
    this.#stateDirs.add(stateDir);
    return stateDir;
  }

  /** Opens in this process. */
  async open(stateDir: string, options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
    const { programs, reachableDirs } = this;
    return await openEmbeddedPostgres({
      stateDir,
      verb: "test",
      log: () => undefined,
      programs,
      reachableDirs,
      ...options,
    });
  }

  /** Opens in another process, which is the leader of its own process group. */
  hold(stateDir: string, options: Partial<HolderOptions> = {}): Holder {
    const { programs, reachableDirs } = this;
    const all: HolderOptions = { stateDir, verb: "holder", programs, reachableDirs, ...options };
    const child = spawn(process.execPath, [holderScript, JSON.stringify(all)], {
      detached: true,
      stdio: ["pipe", "pipe", "inherit"],
    });
    const holder = holderOf(child);
    this.#holders.add(holder);
    return holder;
  }

  /** Pid of the server, undefined when none runs. */
  async serverPid(stateDir: string): Promise<number | undefined> {
    return (await embeddedPostgresStatus({ stateDir })).pid;
  }

  async clear(): Promise<void> {
    for (const holder of this.#holders) await holder.kill();
    const { programs, reachableDirs } = this;
    for (const stateDir of this.#stateDirs) {
      await stopEmbeddedPostgres({ stateDir, programs, reachableDirs }).catch(() => undefined);
    }
    await rm(this.root, { recursive: true, force: true });
  }
}

function holderOf(child: ChildProcess): Holder {
  const lines: HolderLine[] = [];
  const ended = once(child, "close");
  createInterface({ input: child.stdout! }).on("line", (line) => lines.push(JSON.parse(line) as HolderLine));
  return {
    pid: child.pid!,
    lines,
    process: child,
    line: async (event) => {
      await eventually(
        () => lines.some((line) => line.event === event),
        () => `${event} in ${JSON.stringify(lines)}`,
      );
      return lines.find((line) => line.event === event) as never;
    },
    leave: async () => {
      child.stdin?.end();
      await ended;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Waits until it holds, and fails naming what was missing. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  missing: () => string = () => holds.toString(),
): Promise<void> {
  const deadline = Date.now() + waitMaxMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${waitMaxMs} ms: ${missing()}`);
    await sleep(20);
  }
}

/** The rows of one statement, in a session of its own. */
export async function ask(connection: ConnectionConfig, text: string): Promise<unknown[]> {
  const session = await SqlSession.connect({ connection, applicationName: "test" });
  try {
    return await session.query(text);
  } finally {
    await session.close();
  }
}

/** The error that opening must end with. */
export async function failureOf(attempt: Promise<unknown>): Promise<EmbeddedPostgresError> {
  const outcome = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).to.be.instanceOf(EmbeddedPostgresError);
  return outcome as EmbeddedPostgresError;
}
