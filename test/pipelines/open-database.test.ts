/** openDatabase(): which database a command takes, and that no password of it is shown. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { CommandBench } from "./command-bench.js";

let bench: CommandBench;
let input: string;
/** Hooks of the block that calls it. */
function useFreshState(): void {
  beforeEach(async () => {
    bench = new CommandBench();
    input = await mkdtemp(join(tmpdir(), "millrace-input-"));
  });
  afterEach(() => rm(input, { recursive: true }));
}

describe("the database of a command", () => {
  useFreshState();

  const describeOf = async (...argv: string[]) => {
    expect(await bench.run("status", ...argv)).to.equal(0);
    return bench.out.trimEnd();
  };

  it("is the flag's, and a password in it is warned of, hidden and never shown", async () => {
    expect(await describeOf("--database-url=postgres://ann:canary-9@h:1/d?sslmode=disable")).to.equal(
      "h:1/d as ann",
    );
    expect(bench.err).to.match(
      / warn {2}a password in --database-url can be seen by every user of this machine \(ps\)/,
    );
    expect(bench.title).to.equal("millrace status");
    expect(bench.err + bench.out).to.not.include("canary");
  });

  it("is DATABASE_URL's before PG*'s, without a warning", async () => {
    bench.env = { DATABASE_URL: "postgres://ann:canary-9@h:1/d?sslmode=disable", PGHOST: "other" };
    expect(await describeOf()).to.equal("h:1/d as ann");
    expect([bench.err, bench.title]).to.deep.equal(["", "node"]);
  });

  it("is that of a URL in a file", async () => {
    const file = join(input, "url");
    await writeFile(file, "postgres://ann:canary-9@h:2/d?sslmode=disable\n");
    bench.env = { DATABASE_URL_FILE: file };
    expect(await describeOf()).to.equal("h:2/d as ann");
  });

  it("is PG*'s before millrace.yaml's", async () => {
    const file = join(input, "millrace.yaml");
    await writeFile(file, "databaseUrl: postgres://ann@from-file/d?sslmode=disable\n");
    expect(await describeOf(`--config=${file}`)).to.equal("from-file:5432/d as ann");
    bench.out = "";
    bench.env = { PGHOST: "from-env", PGUSER: "bob", PGSSLMODE: "disable" };
    expect(await describeOf(`--config=${file}`)).to.equal("from-env:5432/bob as bob");
  });

  it("is the embedded one when nothing names any", async () => {
    bench.env = { PGUSER: "bob", PGPASSWORD: "canary-9" };
    expect(await describeOf()).to.equal("127.0.0.1:6000/ecommerce_events as postgres (embedded)");
  });

  it("is refused with 2 when what names it cannot be read", async () => {
    bench.env = { DATABASE_URL: "postgres://ann:canary-9@h:x/d" };
    expect(await bench.run("status")).to.equal(2);
    expect(bench.err).to.equal(
      'millrace: database from DATABASE_URL: port must be a whole number from 1 to 65535, got "x"\n',
    );
    bench.err = "";
    bench.env = { DATABASE_URL_FILE: join(input, "none") };
    expect(await bench.run("status")).to.equal(2);
    expect(bench.err).to.equal(
      `millrace: database from DATABASE_URL_FILE: DATABASE_URL_FILE names "${input}/none", which cannot be read (ENOENT)\n`,
    );
  });
});
