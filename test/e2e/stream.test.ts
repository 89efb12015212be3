/** `pipeline` as a stream: files that come and grow while it runs, and every way to stop it. */

import { appendFile, rename, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { descendantsOf, jsonLines, type RunningCommand, until } from "../support/product.js";
import { HEADER } from "./expected-file.js";
import { database, product, session, useFreshProduct } from "./fresh-product.js";
import { event } from "./troubled-input.js";

const RUNS = /user-events: .* into .*, runner direct/;
const SAME_SIGNAL_MS = 1_000;

describe("pipeline as a stream", () => {
  useFreshProduct();

  it("takes renamed and growing files while it runs, shows its pid, and drains by SIGTERM", async () => {
    const command = product.start(["pipeline", "--json"]);
    await command.says(RUNS);
    await drop("a.csv", `${HEADER}\n${event("a1")}\n`);
    await untilWritten(["a1"]);
    await appendFile(product.input("a.csv"), `${event("a2")}\n${event("a3").slice(0, 9)}`);
    await untilWritten(["a1", "a2"]);
    await appendFile(product.input("a.csv"), `${event("a3").slice(9)}\n`);
    await untilWritten(["a1", "a2", "a3"]);
    await drop("b.csv", `${HEADER}\n${event("b1")}`);
    await untilWritten(["a1", "a2", "a3", "b1"]);
    const [running] = await product.status();
    expect(running).to.deep.include({ pid: command.pid, files_read: 2, records_read: 4, dead_letters: {} });

    command.kill("SIGTERM");
    const { code, stdout } = await command.ended;
    expect(code).to.equal(0);
    const events = jsonLines(stdout);
    expect(events.at(-1)).to.include({ event: "end", state: "DRAINED", exit_code: 0, events_written: 4 });
    for (const one of events.slice(0, -1)) expect(one).to.include({ event: "commit" });
    expect((await product.status())[0]).to.deep.equal({ ...running, pid: null });
  });

  it("takes a second SIGTERM within a second as the same one", async () => {
    const command = product.start(["pipeline"]);
    const release = await holdUpCommit(command);
    command.kill("SIGTERM");
    await command.says(/SIGTERM: draining/);
    command.kill("SIGTERM");
    await sleep(200);
    expect(command.isRunning).to.equal(true);
    await release();
    expect(await command.ended).to.include({ code: 0 });
    expect(await ids()).to.deep.equal(["a1"]);
  });

  for (const [signal, exitCode] of [["SIGTERM", 143] as const, ["SIGINT", 130] as const]) {
    it(`stops at once with ${exitCode} at a later second ${signal}, and the next run makes up for it`, async () => {
      const command = product.start(["pipeline"]);
      const release = await holdUpCommit(command);
      command.kill(signal);
      await sleep(SAME_SIGNAL_MS + 200);
      command.kill(signal);
      const { code, stderr } = await command.ended;
      expect(code).to.equal(exitCode);
      expect(stderr).to.include(`${signal} again: stopping at once`);
      await release();
      await product.succeed(["pipeline", "--once"]);
      expect(await ids()).to.deep.equal(["a1"]);
    });
  }

  it("gives up draining after --drain-timeout with 1 and says so", async () => {
    const command = product.start(["pipeline", "--drain-timeout=300ms", "--json"]);
    const release = await holdUpCommit(command);
    command.kill("SIGTERM");
    const { code, stdout } = await command.ended;
    expect(code).to.equal(1);
    expect(jsonLines(stdout).at(-1)).to.deep.include({ event: "end", exit_code: 1, events_written: 0 });
    expect(jsonLines(stdout).at(-1)!["error"]).to.match(
      /^draining took longer than 0\.3 s \(--drain-timeout\)/,
    );
    await release();
    await product.succeed(["pipeline", "--once"]);
    expect(await ids()).to.deep.equal(["a1"]);
  });
});

describe("npm run pipeline", () => {
  useFreshProduct();

  it("drains when npm is told to stop, and ends with 0", async () => {
    const npm = product.startNpm("pipeline", product.folderFlags);
    const pid = await runOneFile(npm);
    npm.kill("SIGTERM");
    const { code, stdout } = await npm.ended;
    expect(code).to.equal(0);
    expect(stdout).to.match(/^user-events {2}DRAINED {2}1 read: 1 written/m);
    expect(isAlive(pid)).to.equal(false);
  });

  it("takes Ctrl-C, which terminal and npm both pass on, as one", async () => {
    const npm = product.startNpm("pipeline", product.folderFlags);
    const pid = await runOneFile(npm);
    process.kill(pid, "SIGINT");
    npm.kill("SIGINT");
    const { code, stdout } = await npm.ended;
    expect(code).to.equal(0);
    expect(stdout).to.match(/^user-events {2}DRAINED {2}1 read: 1 written/m);
    expect(isAlive(pid)).to.equal(false);
  });
});

/** Puts a whole file into the folder at once, as a careful writer does. */
async function drop(name: string, text: string): Promise<void> {
  await writeFile(product.path(name), text);
  await rename(product.path(name), product.input(name));
}

async function ids(): Promise<string[]> {
  const rows = await session.query<{ event_id: string }>("select event_id from user_events order by id");
  return rows.map((row) => row.event_id);
}

async function untilWritten(expected: readonly string[]): Promise<void> {
  let found: string[] = [];
  await until(async () => {
    found = await ids();
    return found.length >= expected.length;
  }, `${expected} in the table`);
  expect(found).to.deep.equal(expected);
}

/** Starts with one file whose rows cannot be written before `release`: another session has the table. */
async function holdUpCommit(command: RunningCommand): Promise<() => Promise<void>> {
  await command.says(RUNS);
  await session.query("begin; lock table user_events in access exclusive mode");
  await drop("a.csv", `${HEADER}\n${event("a1")}\n`);
  const waiting =
    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
  const observer = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
  await until(async () => (await observer.query(waiting)).length > 0, "a commit that waits for the table");
  await observer.close();
  return async () => void (await session.query("rollback"));
}

/** Through npm, from one file to one row; the pid of the process that npm started. */
async function runOneFile(npm: RunningCommand): Promise<number> {
  await npm.says(RUNS);
  await drop("a.csv", `${HEADER}\n${event("a1")}\n`);
  await untilWritten(["a1"]);
  const [status] = await product.status();
  // no shell in between, which would keep signals to itself
  if (process.platform === "linux") expect(await descendantsOf(npm.pid)).to.deep.equal([status!.pid]);
  return status!.pid!;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
