/** The compose stack of a fresh clone, on a real container engine: each test goes on where the last one ended. */
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { Manifest } from "../../data/generate/manifest.js";
import { SqlSession } from "../../sql/sql-session.js";
import { ComposeStack } from "./compose-stack.js";
import { eventually, outputOf } from "./program.js";

const PASSWORD_FILE = "/run/millrace/postgres-password";
const DRAIN_MS_MAX = 30_000;

describe("docker-compose.yml", function () {
  this.bail(true);

  let stack: ComposeStack;
  let password: string;
  /** What the generator wrote, run by run. */
  const manifests: Manifest[] = [];
  const total = (count: (manifest: Manifest) => number) =>
    manifests.reduce((sum, manifest) => sum + count(manifest), 0);

  before(async () => {
    stack = await ComposeStack.clone();
  });

  after(async () => {
    await stack?.remove();
  });

  it("comes up from a clone with `up -d --build` alone", async function () {
    this.timeout(900_000); // installs and builds
    await stack.compose("up", "-d", "--build");
    const health = async (service: string) => (await stack.inspect(service)).State.Health?.Status;
    await eventually(
      "postgres is healthy",
      () => health("postgres"),
      (seen) => seen === "healthy",
    );
    await eventually(
      "pipeline is healthy",
      () => health("pipeline"),
      (seen) => seen === "healthy",
    );
    expect((await stack.inspect("prepare")).State).to.include({ Status: "exited", ExitCode: 0 });
    password = (await stack.compose("exec", "-T", "postgres", "cat", PASSWORD_FILE)).trimEnd();
    expect(password).to.match(/^[\w-]{32}$/);
  });

  it("runs PostgreSQL 15 with the schema in place", async () => {
    expect(await stack.psql("select current_setting('server_version_num')::int / 10000")).to.equal("15");
    expect(await stack.psql("select count(*) from user_events")).to.equal("0");
  });

  it("carries what the generator writes into user_events, each event once", async () => {
    const flags = ["--events-per-second", "200", "--duration", "5", "--seed", "7"];
    manifests.push(await stack.generate("first", ...flags, "--malformed-rate", "0.05"));
    expect(manifests[0]).to.include({ rows: 1000, complete: true });
    await expectAllArrived();
  });

  it("takes a file that a user drops into data/raw", async () => {
    const file = join(stack.folder, "data/raw/by-hand.csv");
    const header = "event_id,user_id,event_type,product_id,price,event_timestamp\n";
    await writeFile(`${file}.tmp`, `${header}by-hand-1,u1,purchase,p1,9.99,2026-01-31T12:00:00Z\n`);
    await rename(`${file}.tmp`, file);
    const price = () => stack.psql("select price from user_events where event_id = 'by-hand-1'");
    await eventually("the row is there", price, (seen) => seen === "9.99");
    manifests.push({ rows: 1, unique: 1, duplicate: 0, malformed: 0 } as Manifest);
  });

  it("gives no service more than it needs", async () => {
    for (const service of ["postgres", "pipeline"]) {
      const { Config, HostConfig } = await stack.inspect(service);
      expect(Config.User, service).to.match(/^(1000:1000|postgres)$/);
      expect(HostConfig.ReadonlyRootfs, service).to.equal(true);
      const status = await stack.compose("exec", "-T", service, "cat", "/proc/1/status");
      expect(status, service).to.match(/^CapEff:\s+0+$/m);
      expect(status, service).to.match(/^NoNewPrivs:\s+1$/m);
      expect(status, service).not.to.match(/^Uid:.*\b0\b/m);
      const touch = await stack.composeEnd("exec", "-T", service, "touch", "/outside");
      expect(touch.exitCode, service).not.to.equal(0);
    }
  });

  it("keeps no volume without a name, which `down` would leave behind", async () => {
    for (const service of ["prepare", "postgres", "pipeline"]) {
      const volumes = (await stack.inspect(service)).Mounts.filter(({ Type }) => Type === "volume");
      expect(volumes, service).not.to.be.empty;
      for (const { Name } of volumes) expect(Name, service).to.match(new RegExp(`^${stack.project}_`));
    }
  });

  it("lets in whoever has the password, from this machine only", async () => {
    const connection = {
      host: "127.0.0.1",
      port: stack.port,
      user: "postgres",
      database: "ecommerce_events",
    };
    const attempt = async (given: string) => {
      const applicationName = "millrace/test";
      const session = await SqlSession.connect({
        connection: { ...connection, password: given },
        applicationName,
      });
      await session.close();
    };
    await attempt(password);
    const refused = await attempt(`${password}x`).catch((error: unknown) => error);
    expect(refused).to.have.property("code", "28P01");
    for (const address of otherAddresses())
      expect(await answers(address, stack.port), address).to.equal(false);
  });

  it("has the page of the pipeline on this machine only, and shows nothing without the token", async () => {
    const ask = async (headers: Record<string, string>) => {
      const response = await fetch(`http://127.0.0.1:${stack.monitorPort}/api/overview`, { headers });
      return [response.status, ((await response.json()) as { state?: string }).state];
    };
    expect(await ask({})).to.deep.equal([401, undefined]);
    const token = /#token=([\w-]+)/.exec(await stack.compose("logs", "--no-color", "pipeline"))?.[1];
    expect(await ask({ authorization: `Bearer ${token}` })).to.deep.equal([200, "RUNNING"]);
    for (const address of otherAddresses())
      expect(await answers(address, stack.monitorPort), address).to.equal(false);
  });

  it("shows the password in no configuration, environment or log", async () => {
    const shown = [
      await stack.compose("config"),
      await stack.compose("logs", "--no-color"),
      ...(await Promise.all(["prepare", "postgres", "pipeline"].map((one) => stack.inspectText(one)))),
      ...(await Promise.all(
        (await filesBelow(join(stack.folder, "logs"))).map((file) => readFile(file, "utf8")),
      )),
    ];
    for (const text of shown) expect(text).to.not.include(password);
  });

  it("drains on SIGTERM, exits with 0, and goes on where it stopped", async () => {
    const generating = stack.generate(
      "second",
      "--events-per-second",
      "300",
      "--duration",
      "12",
      "--seed",
      "8",
    );
    await Promise.all([generating.then((manifest) => manifests.push(manifest)), stopAndStart()]);
    await expectAllArrived();

    async function stopAndStart(): Promise<void> {
      await someArrived();
      const startMs = performance.now();
      await stack.compose("stop", "pipeline");
      expect(performance.now() - startMs).to.be.below(DRAIN_MS_MAX);
      expect((await stack.inspect("pipeline")).State).to.include({ Status: "exited", ExitCode: 0 });
      await stack.compose("start", "pipeline");
    }
  });

  it("ends at once on a SIGTERM that comes before it listens", async () => {
    await stack.compose("stop", "pipeline");
    const id = (await stack.compose("ps", "--all", "--quiet", "pipeline")).trim();
    const startMs = performance.now();
    await outputOf(["docker", "start", id]);
    await outputOf(["docker", "stop", id]);
    expect(performance.now() - startMs).to.be.below(DRAIN_MS_MAX);
    await stack.compose("start", "pipeline");
    await expectAllArrived();
  });

  it("survives kill -9 of the pipeline", async () => {
    const generating = stack.generate(
      "third",
      "--events-per-second",
      "300",
      "--duration",
      "8",
      "--seed",
      "9",
    );
    await Promise.all([generating.then((manifest) => manifests.push(manifest)), killAndStart()]);
    await expectAllArrived();

    async function killAndStart(): Promise<void> {
      await someArrived();
      await stack.compose("kill", "--signal", "KILL", "pipeline");
      await stack.compose("start", "pipeline");
    }
  });

  it("goes on by itself when PostgreSQL restarts, in order or by kill -9", async () => {
    const generating = stack.generate(
      "fourth",
      "--events-per-second",
      "300",
      "--duration",
      "15",
      "--seed",
      "10",
    );
    const { RestartCount } = await stack.inspect("pipeline");
    await Promise.all([generating.then((manifest) => manifests.push(manifest)), restartPostgres()]);
    await expectAllArrived();
    expect((await stack.inspect("pipeline")).RestartCount).to.equal(RestartCount);

    async function restartPostgres(): Promise<void> {
      await someArrived();
      await stack.compose("restart", "postgres");
      await someArrived();
      await stack.compose("kill", "--signal", "KILL", "postgres");
      await stack.compose("start", "postgres");
    }
  });

  it("keeps password and data when it is put up again", async () => {
    const count = await stack.psql("select count(*) from user_events");
    await stack.compose("down");
    await stack.compose("up", "-d", "--wait");
    expect((await stack.compose("exec", "-T", "postgres", "cat", PASSWORD_FILE)).trimEnd()).to.equal(
      password,
    );
    expect(await stack.psql("select count(*) from user_events")).to.equal(count);
    await expectAllArrived();
  });

  it("leaves nothing in the engine after `down -v`", async () => {
    await stack.compose("--profile", "generator", "down", "--volumes");
    expect(await stack.leftovers()).to.equal("");
  });

  /** Waits for rows that are not there yet. */
  async function someArrived(): Promise<void> {
    const count = async () => Number(await stack.psql("select count(*) from user_events"));
    const before = await eventually(
      "PostgreSQL answers",
      () => count().catch(() => undefined),
      Number.isInteger,
    );
    await eventually("rows arrive", count, (seen) => seen > before!);
  }

  /** Table, dead letters in table and files, and counters: exactly what the manifests say. */
  async function expectAllArrived(): Promise<void> {
    const unique = String(total((manifest) => manifest.unique));
    const malformed = total((manifest) => manifest.malformed);
    const rows = total((manifest) => manifest.rows);
    await eventually(
      "every record is read",
      () => stack.status().catch(() => undefined),
      (seen) => (seen?.records_read ?? 0) >= rows,
    );
    const counted = await stack.psql("select count(*), count(distinct event_id) from user_events");
    expect(counted).to.equal(`${unique}|${unique}`);
    expect(await stack.psql("select count(*) from dead_letters")).to.equal(String(malformed));
    // a file takes its name after the commit
    const letters = () => linesBelow(join(stack.folder, "data/error"));
    await eventually("dead letters are in data/error", letters, (seen) => seen >= malformed);
    expect(await letters()).to.equal(malformed);
    const { dead_letters, ...status } = await stack.status();
    expect(status).to.include({
      records_read: rows,
      events_written: Number(unique),
      duplicates: total((manifest) => manifest.duplicate),
      conflicts: 0,
    });
    expect(Object.values(dead_letters).reduce((sum, count) => sum + count, 0)).to.equal(malformed);
  }
});

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return paths.filter((path) => !path.includes("/.pending/"));
}

async function linesBelow(folder: string): Promise<number> {
  const texts = await Promise.all((await filesBelow(folder)).map((file) => readFile(file, "utf8")));
  return texts.reduce((sum, text) => sum + text.split("\n").length - 1, 0);
}

/** This machine's addresses that others can reach. */
function otherAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4")
    .map(({ address }) => address);
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2_000 });
    const end = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket
      .on("connect", () => end(true))
      .on("error", () => end(false))
      .on("timeout", () => end(false));
  });
}
