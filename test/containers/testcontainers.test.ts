/** The pipeline as a user starts it, against a PostgreSQL of the public image that the test brings up. */
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { GenericContainer, type StartedTestContainer, Wait } from "testcontainers";
import type { Manifest } from "../../data/generate/manifest.js";
import { SqlSession } from "../../sql/sql-session.js";
import { outputOf } from "./program.js";

const CLI = fileURLToPath(new URL("../../pipelines/cli.js", import.meta.url));
const PASSWORD = "of-this-test-only";

describe("pipeline --once against postgres:15", () => {
  let container: StartedTestContainer;
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-testcontainers-"));
    container = await new GenericContainer("postgres:15")
      .withEnvironment({ POSTGRES_PASSWORD: PASSWORD, POSTGRES_DB: "ecommerce_events" })
      .withExposedPorts(5432)
      .withHealthCheck({
        // over TCP: the server that sets up a new database answers on its socket only
        test: ["CMD", "pg_isready", "--host=127.0.0.1", "--username=postgres", "--dbname=ecommerce_events"],
        interval: 500,
        timeout: 5_000,
        retries: 120,
      })
      .withWaitStrategy(Wait.forHealthCheck())
      .start();
  });

  after(async () => {
    await container?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  it("writes each event once, and nothing again when it is run again", async () => {
    await mkdir(join(folder, "raw"));
    const manifestPath = join(folder, "manifest.json");
    const rate = ["--events-per-second", "1000", "--events", "5000", "--as-fast-as-possible"];
    const shares = ["--malformed-rate", "0.05", "--duplicate-rate", "0.05", "--seed", "3"];
    const output = ["--output", "raw", "--rows-per-file", "1000", "--manifest", manifestPath];
    await millrace("generate", ...rate, ...shares, ...output);
    const manifest = JSON.parse(await readFile(manifestPath, "utf8")) as Manifest;
    expect(manifest.rows).to.equal(5000);

    for (const attempt of ["first", "second"]) {
      const printed = await millrace(
        "pipeline",
        "--once",
        "--input",
        "raw",
        "--error-dir",
        "error",
        "--json",
      );
      expect(JSON.parse(printed.trimEnd().split("\n").at(-1)!), attempt).to.include({ event: "end" });
      expect(await counts(), attempt).to.deep.equal({
        rows: manifest.unique,
        ids: manifest.unique,
        letters: manifest.malformed,
      });
      const entries = await readdir(join(folder, "error"), { withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
      const letters = await Promise.all(files.map((file) => readFile(join(folder, "error", file), "utf8")));
      expect(letters.join("").trimEnd().split("\n").length, attempt).to.equal(manifest.malformed);
      const [status] = JSON.parse(await millrace("status", "--json"));
      expect(status, attempt).to.include({
        records_read: manifest.rows,
        events_written: manifest.unique,
        duplicates: manifest.duplicate,
        conflicts: 0,
      });
    }
  });

  /** Runs a verb to its end in the test's folder. */
  function millrace(...args: string[]): Promise<string> {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(MILLRACE_|PG|DATABASE_URL)/.test(name),
    );
    const env = {
      ...Object.fromEntries(inherited),
      PGHOST: container.getHost(),
      PGPORT: String(container.getMappedPort(5432)),
      PGUSER: "postgres",
      PGDATABASE: "ecommerce_events",
      PGPASSWORD: PASSWORD,
    };
    return outputOf([process.execPath, CLI, ...args], { cwd: folder, env });
  }

  async function counts() {
    const connection = {
      host: container.getHost(),
      port: container.getMappedPort(5432),
      user: "postgres",
      database: "ecommerce_events",
      password: PASSWORD,
    };
    const session = await SqlSession.connect({ connection, applicationName: "millrace/test" });
    try {
      const [row] = await session.query(
        `select (select count(*) from user_events) as rows, (select count(distinct event_id) from user_events) as ids,
          (select count(*) from dead_letters) as letters`,
      );
      return row;
    } finally {
      await session.close();
    }
  }
});
