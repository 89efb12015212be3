/** No password in what commands print, write or show in the list of processes, however they are given it. */
import { randomBytes } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { descendantsOf, type Ended, Product } from "../support/product.js";
import { HEADER } from "./expected-file.js";
import { event } from "./troubled-input.js";

// what a URL must encode is shown in both forms
const CANARY = `canary-${randomBytes(4).toString("hex")}`;
const PASSWORD = `${CANARY}/@:%?`;
const ROLE = `role_${randomBytes(4).toString("hex")}`;

let database: FreshDatabase;
let product: Product;
let admin: SqlSession;
let url: string;

/** Inside of a `describe`: at the top of the file they would be hooks of the whole run. */
function useHooks(): void {
  before(async () => {
    database = await freshDatabase();
    admin = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    await admin.query(`create role ${ROLE} login password '${PASSWORD}'`);
    await admin.query(
      `alter database ${database.name} owner to ${ROLE}; alter schema public owner to ${ROLE}`,
    );
    url = urlWith(PASSWORD);
  });
  after(async () => {
    await admin.query(`reassign owned by ${ROLE} to current_user; drop owned by ${ROLE}; drop role ${ROLE}`);
    await admin.close();
    await database.drop();
  });
  beforeEach(async () => {
    product = await Product.create();
    await writeFile(product.input("a.csv"), `${HEADER}\n${event("a1")}\nbroken\n`);
  });
  afterEach(() => product.clear());
}

describe("a password", () => {
  useHooks();

  it("in DATABASE_URL, a file, PGPASSWORD or .pgpass stays unseen when all goes well", async () => {
    const { host, port } = database.connection as { host: string; port: number };
    await writeFile(product.path("url"), `${url}\n`, { mode: 0o600 });
    await writeFile(product.path(".pgpass"), `${host}:${port}:*:${ROLE}:${escaped(PASSWORD)}\n`, {
      mode: 0o600,
    });
    const pg = { PGHOST: host, PGPORT: String(port), PGUSER: ROLE, PGDATABASE: database.name };
    const ways: [string[], Record<string, string>][] = [
      [["pipeline", "--once", "--log-level=debug"], { DATABASE_URL: url }],
      [["pipeline", "--once", "--log-level=debug", "--json"], { DATABASE_URL_FILE: product.path("url") }],
      [["status"], { ...pg, PGPASSWORD: PASSWORD }],
      [["migrate", "--log-level=debug"], pg],
    ];
    for (const [argv, env] of ways) expectUnseen(await product.succeed(argv, env));
    await expectFilesWithout(["url", ".pgpass"]);
  });

  it("in a flag is warned of, and taken out of the list of processes", async () => {
    const command = product.start(["pipeline", `--database-url=${url}`]);
    await command.says(/user-events: .* into /);
    if (process.platform === "linux") {
      for (const pid of [command.pid, ...(await descendantsOf(command.pid))]) {
        expect(await readFile(`/proc/${pid}/cmdline`, "utf8")).to.not.include(CANARY);
      }
    }
    command.kill("SIGTERM");
    const ended = await command.ended;
    expect(ended.code).to.equal(0);
    expectUnseen(ended);
    expect(ended.stderr).to.match(/ warn {2}a password in --database-url can be seen by every user/);
    await expectFilesWithout([]);
  });

  it("stays unseen when the database or the URL is wrong", async () => {
    const wrong: [string, number][] = [
      [urlWith(`${PASSWORD}wrong`), 1],
      [`postgresql://${ROLE}:${CANARY}@127.0.0.1:1/none`, 1],
      [`postgresql://${ROLE}:${CANARY}@no-such-host.invalid/none`, 1],
      [url.replace(`/${database.name}`, "/no_such_database"), 1],
      [`postgresql://${ROLE}:${CANARY}%ZZ@127.0.0.1/none`, 2],
      [`postgresql://${ROLE}:${CANARY}@127.0.0.1:port/none`, 2],
      [`postgresql://${ROLE}:${CANARY}@127.0.0.1/none?sslmode=${CANARY}`, 2],
      [`host=127.0.0.1 password=${CANARY} port=x`, 2],
      [`mysql://${ROLE}:${CANARY}@127.0.0.1/none`, 2],
    ];
    for (const [DATABASE_URL, code] of wrong) {
      const argv = ["pipeline", "--once", "--retry-timeout=1ms", "--log-level=debug"];
      const ended = await product.run(argv, { DATABASE_URL });
      expectUnseen(ended);
      expect(ended.code, `${DATABASE_URL}\n${ended.stderr}`).to.equal(code);
    }
    await expectFilesWithout([]);
  });
});

function urlWith(password: string): string {
  const { host, port } = database.connection as { host: string; port: number };
  return `postgresql://${ROLE}:${encodeURIComponent(password)}@${host}:${port}/${database.name}`;
}

/** As a field of .pgpass. */
function escaped(password: string): string {
  return password.replace(/[\\:]/g, "\\$&");
}

function expectUnseen({ stdout, stderr }: Ended): void {
  expect(stdout + stderr).to.not.include(CANARY);
}

/** No file of the folder holds it but these, which the test wrote. */
async function expectFilesWithout(own: readonly string[]): Promise<void> {
  const entries = await readdir(product.dir, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile() && !own.includes(one.name))) {
    const path = `${entry.parentPath}/${entry.name}`;
    expect(await readFile(path, "latin1"), path).to.not.include(CANARY);
  }
}
