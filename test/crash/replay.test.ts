/** Sinks in another database while the process is killed or fenced, or a connection breaks: its rows are those of an undisturbed run. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { migrate } from "../../sql/migrate.js";
import { SqlSession } from "../../sql/sql-session.js";
import { REPLAY_FAILPOINTS } from "../../transforms/primitives/failpoint.js";
import {
  changesAsCsv,
  dumpOther,
  expectedOther,
  OTHER_TABLES_SQL,
  randomChanges,
  readOther,
} from "../support/other-database.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { type ClientMessage, type Fault, TcpProxy } from "../support/tcp-proxy.js";
import type { ReplayProgram } from "./replay-program.js";

const PROGRAM = fileURLToPath(new URL("./replay-program.js", import.meta.url));
const FAILPOINTS = ["after-rows", "before-commit", "after-commit", ...REPLAY_FAILPOINTS] as const;
const CHANGES = 3_000;
const KILLS_AT_RANDOM = Number(process.env["MILLRACE_KILLS"] ?? 6);
const FAULTS = 6;
const EVERY_WAY = ["cut-before", "cut-within", "cut-after", "drop-reply"] as const;
/** Until an orphaned backend commits what its client no longer waits for. */
const LATE_MS = 400;

describe("crash: sinks in another database", function () {
  this.timeout(60_000 + KILLS_AT_RANDOM * 5_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  const changes = randomChanges(choice, CHANGES, 0.01);
  let directory: string;
  let here: FreshDatabase;
  let there: FreshDatabase;
  let undisturbed: readonly string[];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "millrace-replay-"));
    await writeFile(join(directory, "changes.csv"), changesAsCsv(changes));
    await open();
    await expectEnd();
    undisturbed = await dumpOther(there.connection);
    expect(await readOther(there.connection)).to.deep.equal(expectedOther(changes));
    await close();
  });
  after(() => rm(directory, { recursive: true, force: true }));
  beforeEach(open);
  afterEach(close);

  async function open(): Promise<void> {
    [here, there] = [await freshDatabase(), await freshDatabase()];
    await ask(there, OTHER_TABLES_SQL);
    const session = await SqlSession.connect({ connection: here.connection, applicationName: "test" });
    await migrate(session, { info: () => undefined });
    await session.close();
  }

  async function close(): Promise<void> {
    await here.drop();
    await there.drop();
  }

  const start = (options: Partial<ReplayProgram> = {}, failpoint?: string): ChildProcess => {
    const program = { directory, connection: here.connection, other: there.connection, ...options };
    return spawn(process.execPath, [PROGRAM, JSON.stringify(program)], {
      env: {
        PATH: process.env["PATH"],
        ...(failpoint === undefined ? {} : { MILLRACE_FAILPOINT: failpoint }),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
  };

  async function expectEnd(options: Partial<ReplayProgram> = {}): Promise<void> {
    const child = start(options);
    const errors = textOf(child);
    expect(await endOf(child), errors.join("")).to.deep.equal({ code: 0, signal: null });
  }

  async function expectUndisturbed(): Promise<void> {
    expect(await dumpOther(there.connection)).to.deep.equal(undisturbed);
    const [left] = await ask<{ count: number }>(here, "select count(*)::int as count from sink_outbox");
    expect(left!.count, "left in the log").to.equal(0);
    const [refused] = await ask<{ count: number }>(
      there,
      "select count(*)::int as count from millrace_sink_refused where step = 'WriteJournal'",
    );
    expect(refused!.count).to.equal(
      changes.length - undisturbed.filter((row) => row.startsWith("journal")).length,
    );
  }

  it(`killed at each failpoint: as undisturbed (MILLRACE_SEED=${seed})`, async () => {
    for (const name of choice.shuffled(FAILPOINTS)) {
      const failpoint = `${name}:${choice.between(1, 3)}`;
      expect(await endOf(start({}, failpoint)), failpoint).to.deep.equal({ code: null, signal: "SIGKILL" });
    }
    const [mid] = await ask<{ epoch: number }>(here, "select epoch from pipelines");
    expect(mid!.epoch, "committed before the end").to.be.within(1, CHANGES / 50 - 1);
    await expectEnd();
    await expectUndisturbed();
  });

  it(`killed at random moments: as undisturbed (MILLRACE_SEED=${seed})`, async () => {
    let killed = 0;
    for (let n = 0; n < KILLS_AT_RANDOM; n++) {
      const child = start();
      await Promise.race([once(child.stdout!, "data"), once(child, "close")]);
      await sleep(choice.between(0, 120));
      killed += Number(child.kill("SIGKILL"));
      await endOf(child);
    }
    expect(killed, "kills").to.be.above(1);
    await expectEnd();
    await expectUndisturbed();
  });

  const isCommit = ({ sql }: ClientMessage) => sql === "commit";
  const isCopyData = ({ type }: ClientMessage) => type === "d";
  const isLedger = ({ sql }: ClientMessage) => sql.startsWith("update millrace_sink");
  const PLACES: readonly (readonly [string, (message: ClientMessage) => boolean, readonly Fault[]])[] = [
    ["COPY", isCopyData, ["cut-before", "cut-within", "cut-after"]],
    ["the move of the ledger", isLedger, EVERY_WAY],
    ["COMMIT", isCommit, [...EVERY_WAY, LATE_MS]],
  ];
  for (const side of ["there", "here"] as const) {
    for (const [place, isPlace, faults] of PLACES) {
      if (side === "here" && place !== "COMMIT") continue;
      it(`connection cut ${side} at ${place} in every way: as undisturbed (MILLRACE_SEED=${seed})`, async () => {
        const target = side === "there" ? there : here;
        const proxy = await TcpProxy.listen({ host: target.connection.host!, port: target.connection.port! });
        try {
          const inTurn = choice.shuffled(faults);
          let passed = 0;
          proxy.chooseFault = (message) => {
            if (proxy.faults >= FAULTS || !isPlace(message) || passed++ % 3 !== 0) return "pass";
            return inTurn[proxy.faults % inTurn.length] as Fault;
          };
          const connection = { ...target.connection, port: proxy.port };
          await expectEnd(side === "there" ? { other: connection } : { connection });
          expect(proxy.faults, "connections cut").to.equal(FAULTS);
          await expectUndisturbed();
        } finally {
          await proxy.close();
        }
      });
    }
  }

  it(`a run that is taken over while it replays applies nothing out of order (MILLRACE_SEED=${seed})`, async () => {
    const first = start();
    const errors = textOf(first);
    await once(first.stdout!, "data");
    await sleep(choice.between(0, 60));
    first.kill("SIGSTOP");
    const second = start({ takeover: true });
    const others = textOf(second);
    await Promise.race([once(second.stdout!, "data"), once(second, "close")]);
    first.kill("SIGCONT");
    expect(await endOf(second), others.join("")).to.deep.equal({ code: 0, signal: null });
    const { code } = await endOf(first);
    expect(code, errors.join("")).to.equal(1);
    await expectUndisturbed();
  });
});

function textOf(child: ChildProcess): string[] {
  const parts: string[] = [];
  child.stderr!.on("data", (bytes) => parts.push(String(bytes)));
  child.stdout!.resume();
  return parts;
}

async function endOf(child: ChildProcess) {
  child.stderr!.resume();
  child.stdout!.resume();
  if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  return { code: child.exitCode, signal: child.signalCode };
}

async function ask<Row>({ connection }: FreshDatabase, statement: string): Promise<Row[]> {
  const session = await SqlSession.connect({ connection, applicationName: "test" });
  try {
    return await session.query<Row>(statement);
  } finally {
    await session.close();
  }
}
