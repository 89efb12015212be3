/** `kill -9` while much is kept between epochs: whatever the moment, the table is that of a run that was not killed. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { migrate } from "../../sql/migrate.js";
import { SqlSession } from "../../sql/sql-session.js";
import type { Failpoint } from "../../transforms/primitives/failpoint.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { CREATE_TABLES } from "./support/windowed-pipeline.js";

const PROGRAM = fileURLToPath(new URL("./support/run-windowed.js", import.meta.url));
/** Those that this pipeline passes: it has its own source and sink. */
const FAILPOINTS: readonly Failpoint[] = [
  ...(["before-transaction", "after-begin", "after-state", "after-ledger"] as const),
  ...(["before-commit", "after-commit", "after-apply", "before-finalize", "after-finalize"] as const),
];
/** How often to kill at random moments: 8, or more by `npm run test:crash`. */
const KILLS = Math.ceil(Number(process.env["MILLRACE_KILLS"] ?? 20) / 2.5);
const SNAPSHOT_EPOCHS = 100;

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly log: string;
}

class Run {
  readonly exited: Promise<Exit>;
  readonly #child;

  constructor(database: FreshDatabase, env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [PROGRAM], {
      env: { ...process.env, ...env, MILLRACE_TEST_URL: database.url },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    this.exited = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => resolve({ code, signal, log }));
    });
  }

  kill(): Promise<Exit> {
    this.#child.kill("SIGKILL");
    return this.exited;
  }
}

describe("crash: kill -9 with state", function () {
  this.timeout(300_000 + KILLS * 20_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  const databases: FreshDatabase[] = [];
  const directories: string[] = [];

  async function newDatabase(): Promise<{ database: FreshDatabase; session: SqlSession }> {
    const database = await freshDatabase();
    databases.push(database);
    const { connection } = database;
    const session = await SqlSession.connect({ connection, applicationName: "test" });
    await migrate(session, { info: () => undefined });
    await session.query(CREATE_TABLES);
    return { database, session };
  }

  async function finish(database: FreshDatabase, store: NodeJS.ProcessEnv = {}): Promise<void> {
    const { code, log } = await new Run(database, store).exited;
    expect(code, log).equal(0);
  }

  afterEach(async () => {
    for (const database of databases.splice(0)) await database.drop();
    for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
  });

  async function newStore(durability: string): Promise<NodeJS.ProcessEnv> {
    const directory = await mkdtemp(join(tmpdir(), "millrace-crash-"));
    directories.push(directory);
    return { MILLRACE_TEST_STORE: directory, MILLRACE_TEST_DURABILITY: durability };
  }

  for (const where of ["in memory", "database", "local"]) {
    const how = where === "in memory" ? where : `in a store, durable: ${where}`;
    it(`at every failpoint and at ${KILLS} random moments, state ${how}: the same panes, each once (MILLRACE_SEED=${seed})`, async () => {
      const undisturbed = await newDatabase();
      await finish(undisturbed.database);
      const killed = await newDatabase();
      const store = where === "in memory" ? {} : await newStore(where);
      for (const name of choice.shuffled(FAILPOINTS)) {
        const env = { ...store, MILLRACE_FAILPOINT: `${name}:${choice.between(1, 6)}` };
        const { code, signal, log } = await new Run(killed.database, env).exited;
        expect({ code, signal }, `${env.MILLRACE_FAILPOINT}\n${log}`).deep.equal({
          code: null,
          signal: "SIGKILL",
        });
      }
      const kills = await killAtRandom(killed.database, killed.session, store);
      expect(kills, "kills at random moments").at.least(1);
      await finish(killed.database, store);
      expect((await panesOf(killed.session)).join("\n")).equal(
        (await panesOf(undisturbed.session)).join("\n"),
      );
      if (where === "local") await expectNoState(killed.session);
      else await expectPruned(killed.session);
      await undisturbed.session.close();
      await killed.session.close();
    });
  }

  async function killAtRandom(
    database: FreshDatabase,
    session: SqlSession,
    store: NodeJS.ProcessEnv,
  ): Promise<number> {
    for (let kills = 0; kills < KILLS; kills++) {
      const run = new Run(database, store);
      const before = await epochOf(session);
      if (choice.isHit(0.7)) await untilEpochMoves(session, before);
      await sleep(choice.between(0, 150));
      const { code, signal, log } = await run.kill();
      if (signal === "SIGKILL") continue;
      expect(code, log).equal(0);
      return kills;
    }
    return KILLS;
  }
});

async function epochOf(session: SqlSession): Promise<number> {
  const [row] = await session.query<{ epoch: number }>("select epoch from pipelines");
  return row?.epoch ?? 0;
}

async function untilEpochMoves(session: SqlSession, before: number): Promise<void> {
  for (let waited = 0; waited < 1_000 && (await epochOf(session)) === before; waited++) await sleep(10);
}

async function panesOf(session: SqlSession): Promise<string[]> {
  const panes = await session.query("select * from panes order by kind, key, window_id, index");
  expect(panes.length, "panes").above(500);
  return panes.map((pane) => JSON.stringify(pane));
}

/** Snapshots were taken, and nothing is kept that the last whole one has taken the place of. */
async function expectPruned(session: SqlSession): Promise<void> {
  const [kept] = await session.query<{ snapshots: number; at: number; oldest: number; epoch: number }>(
    `select (select count(*)::int from state_snapshots where chunk = 0) as snapshots,
       (select max(epoch) from state_snapshots where chunk = 0) as at,
       (select min(epoch) from state_deltas) as oldest,
       (select epoch from pipelines) as epoch`,
  );
  expect(kept?.snapshots).equal(1);
  expect(kept?.epoch).above(SNAPSHOT_EPOCHS);
  expect(kept?.oldest).above(kept?.at as number);
}

/** It is on the machine of the run alone. */
async function expectNoState(session: SqlSession): Promise<void> {
  const [kept] = await session.query<{ rows: number }>(
    "select (select count(*)::int from state_snapshots) + (select count(*)::int from state_deltas) as rows",
  );
  expect(kept?.rows).equal(0);
}
