/** The life cycle of the embedded PostgreSQL, on a real server. */

import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { embeddedPostgresStatus, stopEmbeddedPostgres } from "../../sql/embedded/embedded-postgres.js";
import { EmbeddedPostgresError } from "../../sql/embedded/embedded-postgres-error.js";
import { describeProcess } from "../../sql/embedded/process-identity.js";
import { isRoot } from "../../sql/embedded/server-account.js";
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";
import { EmbeddedCommands, eventually } from "../support/embedded-commands.js";

describe("openEmbeddedPostgres()", () => {
  let commands: EmbeddedCommands;
  before(async () => {
    commands = await EmbeddedCommands.create();
  });
  after(() => commands.clear());

  it("makes the database with UTF8, sorting by bytes, and durable settings", async () => {
    const database = await commands.open(await commands.stateDir());
    const [row] = await ask(
      database.connection,
      `select current_user::text as role, current_database()::text as database, pg_encoding_to_char(encoding) as encoding,
        datcollate::text as collate, current_setting('fsync') as fsync,
        current_setting('synchronous_commit') as synchronous_commit, current_setting('listen_addresses') as listen,
        current_setting('unix_socket_directories') as sockets, current_setting('max_connections') as connections,
        current_setting('max_wal_size') as wal, current_setting('timezone') as timezone,
        left(rolpassword, 13) as password
       from pg_database, pg_authid where datname = current_database() and rolname = current_user`,
    );
    await database.close();
    expect(row).to.deep.equal({
      role: "postgres",
      database: "ecommerce_events",
      encoding: "UTF8",
      collate: "C",
      fsync: "on",
      synchronous_commit: "on",
      listen: "127.0.0.1",
      sockets: "",
      connections: "50",
      wal: "4GB",
      timezone: "UTC",
      password: "SCRAM-SHA-256",
    });
  });

  it("leaves the password in the pgpass file only", async () => {
    const stateDir = await commands.stateDir();
    const database = await commands.open(stateDir);
    const password = String(database.connection.password);
    const pid = await commands.serverPid(stateDir);
    expect(database.url).to.equal(
      `postgresql://postgres@127.0.0.1:${database.connection.port}/ecommerce_events`,
    );
    expect(await readFile(database.pgpassFile, "utf8")).to.equal(
      `127.0.0.1:${database.connection.port}:*:postgres:${password}\n`,
    );
    expect(await readFile(join(stateDir, "postgres", "server.json"), "utf8")).not.to.contain(password);
    for (const text of await argumentsOfFamily(pid!)) expect(text).not.to.contain(password);
    await database.close();
    expect(await readdir(join(stateDir, "postgres"))).to.have.members(["data", "pgpass", "server.json"]);
  });

  it("lets nobody else read the pgpass file and the data", async () => {
    const database = await commands.open(await commands.stateDir());
    expect((await stat(database.pgpassFile)).mode & 0o777).to.equal(0o600);
    expect((await stat(database.dataDir)).mode & 0o777).to.equal(0o700);
    await database.close();
  });

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

  it("serves data again after a stop, on the same port", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir);
    await ask(first.connection, "create table kept as select 7 as n");
    await first.close();
    const second = await commands.open(stateDir);
    expect(await ask(second.connection, "select n from kept")).to.deep.equal([{ n: 7 }]);
    expect(second.url).to.equal(first.url);
    await second.close();
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

  it("moves to another port when somebody else has taken its own", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir);
    await first.close();
    const stranger = createServer((socket) => socket.destroy()).listen(first.connection.port, "127.0.0.1");
    await once(stranger, "listening");
    const messages: string[] = [];
    const second = await commands.open(stateDir, { log: (message) => messages.push(message) });
    expect(second.connection.port).not.to.equal(first.connection.port);
    expect(messages[0]).to.equal(
      `port ${first.connection.port} is taken by another program: PostgreSQL moves to ${second.connection.port}`,
    );
    expect(await readFile(second.pgpassFile, "utf8")).to.contain(`:${second.connection.port}:`);
    await second.close();
    stranger.close();
  });

  it("refuses data of another major version, naming both and the way out", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir);
    await first.close();
    await writeFile(join(first.dataDir, "PG_VERSION"), "13\n");
    const error = await failureOf(commands.open(stateDir));
    expect(error.code).to.equal("wrong_major");
    expect(error.message).to.equal(
      `${first.dataDir} holds data of PostgreSQL 13, and the programs here are of PostgreSQL 15: dump it with a ` +
        "server of 13 (pg_dumpall) and load that here, or move the folder away to begin with an empty database",
    );
  });

  it("says what to do when the pgpass file is gone", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir);
    await first.close();
    await rm(first.pgpassFile);
    expect((await failureOf(commands.open(stateDir))).code).to.equal("password_lost");
  });

  it("names the end of the server's log when it does not start", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir);
    await first.close();
    await writeFile(join(first.dataDir, "postgresql.conf"), "no_such_setting = 1\n");
    const error = await failureOf(commands.open(stateDir));
    expect(error.code).to.equal("start_failed");
    expect(error.message).to.contain('unrecognized configuration parameter "no_such_setting"');
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

  it("finds its data in a state folder that was moved", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir);
    await ask(first.connection, "create table kept as select 7 as n");
    await first.close();
    const moved = `${stateDir}-moved`;
    await rename(stateDir, moved);
    const second = await commands.open(moved);
    expect(second.dataDir).to.equal(join(moved, "postgres", "data"));
    expect(await ask(second.connection, "select n from kept")).to.deep.equal([{ n: 7 }]);
    await second.close();
  });

  it("gives a copied state folder a server of its own, also while the first one runs", async () => {
    const stateDir = await commands.stateDir();
    const first = await commands.open(stateDir);
    const copy = `${stateDir}-copy`;
    await promisify(execFile)("cp", ["-a", stateDir, copy]);
    const second = await commands.open(copy);
    expect(second.dataDir).to.equal(join(copy, "postgres", "data"));
    expect(second.url).not.to.equal(first.url);
    await second.close();
    expect(await commands.serverPid(stateDir)).to.be.a("number");
    await first.close();
  });

  it("gives up making the data when its signal fires, and leaves no half of them", async () => {
    const stateDir = await commands.stateDir();
    const gaveUp = new AbortController();
    const failure = failureOf(commands.open(stateDir, { signal: gaveUp.signal }));
    // the state is written right before the data are made, which takes a second or more
    while (!(await readdir(join(stateDir, "postgres")).catch((): string[] => [])).includes("server.json")) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    gaveUp.abort(new Error("enough"));
    expect((await failure).code).to.equal("aborted");
    expect(await readdir(join(stateDir, "postgres"))).to.have.members(["pgpass", "server.json"]);
    await (await commands.open(stateDir)).close();
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

if (isRoot()) {
  describe("openEmbeddedPostgres() as root", () => {
    let commands: EmbeddedCommands;
    before(async () => {
      commands = await EmbeddedCommands.create();
    });
    after(() => commands.clear());

    it("runs the server as an account that cannot do harm", async () => {
      const stateDir = await commands.stateDir();
      const database = await commands.open(stateDir);
      expect(database.dataDir).to.equal(join(stateDir, "postgres", "data"));
      const { uid } = await stat(`/proc/${await commands.serverPid(stateDir)}`);
      expect(uid).to.not.equal(0);
      expect((await stat(database.dataDir)).uid).to.equal(uid);
      await database.close();
    });

    it("keeps the data out of a folder 0700, says so, and finds them again", async () => {
      const stateDir = await commands.stateDir({ parentMode: 0o700 });
      const messages: string[] = [];
      const first = await commands.open(stateDir, { log: (message) => messages.push(message) });
      await ask(first.connection, "create table kept as select 7 as n");
      await first.close();
      const [system] = commands.reachableDirs;
      expect(first.dataDir).to.match(new RegExp(`^${system}/data-[0-9a-f]{12}-[0-9a-f]{8}$`));
      expect(messages[0]).to.match(new RegExp(`^PostgreSQL's data go to ${first.dataDir}, because `));
      messages.length = 0;
      const second = await commands.open(stateDir, { log: (message) => messages.push(message) });
      expect(second.dataDir).to.equal(first.dataDir);
      expect(await ask(second.connection, "select n from kept")).to.deep.equal([{ n: 7 }]);
      expect(messages).to.have.length(1);
      await second.close();
    });

    it("refuses a copy of a state folder whose data are elsewhere", async () => {
      const stateDir = await commands.stateDir({ parentMode: 0o700 });
      await (await commands.open(stateDir)).close();
      await promisify(execFile)("cp", ["-a", stateDir, `${stateDir}-copy`]);
      const error = await failureOf(commands.open(`${stateDir}-copy`));
      expect(error.code).to.equal("state_invalid");
      expect(error.message).to.contain(`is a copy of ${join(stateDir, "postgres")}`);
    });

    it("begins anew when the state folder was removed, and names what is left", async () => {
      const stateDir = await commands.stateDir({ parentMode: 0o700 });
      const first = await commands.open(stateDir);
      await first.close();
      await rm(stateDir, { recursive: true });
      const messages: string[] = [];
      const second = await commands.open(stateDir, { log: (message) => messages.push(message) });
      expect(second.dataDir).not.to.equal(first.dataDir);
      expect(messages[0]).to.equal(
        `data of an earlier ${join(stateDir, "postgres")} are left in ${first.dataDir}`,
      );
      await second.close();
    });

    it("serves an ordinary user, who runs the server himself", async () => {
      const stateDir = await commands.stateDir({ parentMode: 0o777 });
      const holder = commands.hold(join(stateDir, "..", "..", ".millrace"), { uid: 65_534 });
      const { dataDir } = await holder.line("open");
      expect((await stat(dataDir)).uid).to.equal(65_534);
      await holder.leave();
      const next = await commands.open(join(dataDir, "..", ".."));
      expect((await stat(`/proc/${await commands.serverPid(join(dataDir, "..", ".."))}`)).uid).to.equal(
        65_534,
      );
      expect((await stat(next.pgpassFile)).uid).to.equal(65_534);
      await next.close();
    });

    it("tells an ordinary user that the state folder is root's", async () => {
      const stateDir = await commands.stateDir();
      await (await commands.open(stateDir)).close();
      const { code } = await commands.hold(stateDir, { uid: 65_534 }).line("error");
      expect(code).to.equal("state_folder_unusable");
    });
  });
}

async function ask(connection: ConnectionConfig, text: string): Promise<unknown[]> {
  const session = await SqlSession.connect({ connection, applicationName: "test" });
  try {
    return await session.query(text);
  } finally {
    await session.close();
  }
}

async function failureOf(attempt: Promise<unknown>): Promise<EmbeddedPostgresError> {
  const outcome = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).to.be.instanceOf(EmbeddedPostgresError);
  return outcome as EmbeddedPostgresError;
}

/** As the system does when memory is short. */
async function killServer(commands: EmbeddedCommands, stateDir: string): Promise<void> {
  const pid = await commands.serverPid(stateDir);
  process.kill(pid!, "SIGKILL");
  await eventually(async () => (await commands.serverPid(stateDir)) === undefined);
}

/** Command lines and environments of a process and its children, where the system shows them. */
async function argumentsOfFamily(pid: number): Promise<string[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const pids = [pid, ...children.split(" ").filter(Boolean)];
  const files = pids.flatMap((member) => [`/proc/${member}/cmdline`, `/proc/${member}/environ`]);
  return await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
}
