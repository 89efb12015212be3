/** openEmbeddedPostgres() and one command: what it makes, finds again and refuses, on a real server. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { ask, EmbeddedCommands, failureOf } from "../support/embedded-commands.js";

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
});

/** Command lines and environments of a process and its children, where the system shows them. */
async function argumentsOfFamily(pid: number): Promise<string[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const pids = [pid, ...children.split(" ").filter(Boolean)];
  const files = pids.flatMap((member) => [`/proc/${member}/cmdline`, `/proc/${member}/environ`]);
  return await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
}
