import { once } from "node:events";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { embeddedPostgresStatus, stopEmbeddedPostgres } from "../../sql/embedded/embedded-postgres.js";
import { describeProcess } from "../../sql/embedded/process-identity.js";
import { ask, EmbeddedCommands, eventually, failureOf } from "../support/embedded-commands.js";

describe("openEmbeddedPostgres() among commands", () => {
  let commands: EmbeddedCommands;
  before(async () => {
    commands = await EmbeddedCommands.create();
  });
  after(() => commands.clear());

  it("attaches to a live server, which the last one to leave stops", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir);
    const pid = await commands.serverPid(stateDir);
    const second = commands.hold(stateDir);
    expect((await second.line("open")).url).to.equal(first.url);
    expect((await embeddedPostgresStatus({ stateDir })).sessions).to.deep.equal([
      "millrace/holder",
      "millrace/test",
    ]);
    await first.close();
    expect(await commands.serverPid(stateDir)).to.equal(pid);
    await second.leave();
    expect(await embeddedPostgresStatus({ stateDir })).to.include({ state: "stopped" });
    expect(await describeProcess(pid!)).to.equal(undefined);
  });

  it("stops the server when the last two leave together", async () => {
    const stateDir = await commands.stateDir();
    const holders = [commands.hold(stateDir), commands.hold(stateDir), commands.hold(stateDir)];
    for (const holder of holders) await holder.line("open");
    await Promise.all(holders.map((holder) => holder.leave()));
    expect(await commands.serverPid(stateDir)).to.equal(undefined);
  });

  it("ends with one server when several commands start at once", async () => {
    const stateDir = await commands.stateDir();
    const holders = [commands.hold(stateDir), commands.hold(stateDir), commands.hold(stateDir)];
    const opened = await Promise.all(holders.map((holder) => holder.line("open")));
    expect(new Set(opened.map((line) => line.url)).size).to.equal(1);
    const starts = holders.flatMap((holder) => holder.lines).filter((line) => line.event === "log");
    expect(starts).to.have.length(1);
    for (const holder of holders) await holder.leave();
  });

  it("leaves the server running for the next command when a command is killed", async () => {
    const stateDir = await commands.stateDir();
    const holder = commands.hold(stateDir);
    await holder.line("open");
    const pid = await commands.serverPid(stateDir);
    await holder.kill();
    const next = await commands.open(stateDir);
    expect(await commands.serverPid(stateDir)).to.equal(pid);
    await next.close();
    expect(await commands.serverPid(stateDir)).to.equal(undefined);
  });

  it("keeps the server out of the terminal's process group", async () => {
    const stateDir = await commands.stateDir();
    const holder = commands.hold(stateDir);
    await holder.line("open");
    const pid = await commands.serverPid(stateDir);
    process.kill(-holder.pid, "SIGINT");
    await once(holder.process, "close");
    const next = await commands.open(stateDir);
    expect(await commands.serverPid(stateDir)).to.equal(pid);
    await next.close();
  });

  it("settles the pid file of a killed server, and loses nothing", async () => {
    const stateDir = await commands.stateDir();
    const holder = commands.hold(stateDir);
    await holder.line("open");
    const first = await commands.open(stateDir);
    await ask(first.connection, "create table kept as select 7 as n");
    await killServer(commands, stateDir);
    const next = commands.hold(stateDir);
    await next.line("open");
    expect(await ask(first.connection, "select n from kept")).to.deep.equal([{ n: 7 }]);
    await holder.leave();
    await next.leave();
    await first.close();
    expect(await commands.serverPid(stateDir)).to.equal(undefined);
  });

  it("starts although the killed server's pid was given to another program", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir);
    await killServer(commands, stateDir);
    const pidFile = join(first.dataDir, "postmaster.pid");
    const [, ...rest] = (await readFile(pidFile, "utf8")).split("\n");
    await writeFile(pidFile, [process.pid, ...rest].join("\n"));
    const second = await commands.open(stateDir);
    expect(await commands.serverPid(stateDir)).not.to.equal(process.pid);
    await second.close();
    await first.close();
  });

  it("counts a command again whose session broke when the server was restarted", async () => {
    const stateDir = await commands.stateDir();
    const holder = commands.hold(stateDir);
    await holder.line("open");
    await killServer(commands, stateDir);
    const other = await commands.open(stateDir);
    await eventually(
      async () => (await embeddedPostgresStatus({ stateDir })).sessions.includes("millrace/holder"),
      () => `millrace/holder in ${JSON.stringify(holder.lines)} on ${other.url}`,
    );
    await other.close();
    expect(await commands.serverPid(stateDir)).to.be.a("number");
    await holder.leave();
    expect(await commands.serverPid(stateDir)).to.equal(undefined);
  });

  it("keeps a server that was asked to stay, until stopEmbeddedPostgres()", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir, { keepRunning: true });
    await first.close();
    const second = await commands.open(stateDir);
    await second.close();
    expect(await embeddedPostgresStatus({ stateDir })).to.include({ state: "running", keepRunning: true });
    const holder = commands.hold(stateDir);
    await holder.line("open");
    const { programs, reachableDirs } = commands;
    expect(await stopEmbeddedPostgres({ stateDir, programs, reachableDirs })).to.deep.equal({
      wasRunning: true,
      sessionsEnded: ["millrace/holder"],
    });
    expect(await embeddedPostgresStatus({ stateDir })).to.include({ state: "stopped", keepRunning: false });
    await holder.leave();
  });

  it("breaks the lock of a dead process, and of one whose pid was given out again", async () => {
    const stateDir = await commands.stateDir();
    await (await commands.open(stateDir)).close();
    const lockFile = join(stateDir, "postgres", "lock");
    for (const holder of [{ pid: 2_147_483_646 }, { pid: process.pid, start: "another start" }]) {
      await writeFile(
        lockFile,
        JSON.stringify({ ...holder, host: hostname(), token: "of a killed command" }),
      );
      await (await commands.open(stateDir)).close();
    }
    expect(await readdir(join(stateDir, "postgres"))).not.to.include("lock");
  });

  it("stops waiting for the lock when its signal fires", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir);
    await first.close();
    const lockFile = join(stateDir, "postgres", "lock");
    await writeFile(lockFile, "");
    expect((await failureOf(commands.open(stateDir, { signal: AbortSignal.timeout(100) }))).code).to.equal(
      "aborted",
    );
    await rm(lockFile);
  });
});

/** As the system does when memory is short. */
async function killServer(commands: EmbeddedCommands, stateDir: string): Promise<void> {
  const pid = await commands.serverPid(stateDir);
  process.kill(pid!, "SIGKILL");
  await eventually(async () => (await commands.serverPid(stateDir)) === undefined);
}
