/** Commands that only answer: `graph`, `status`, `migrate`, and which layer of the configuration wins. */
import { writeFile } from "node:fs/promises";
import { expect } from "chai";
import { type FreshDatabase, freshDatabase } from "../support/postgres.js";
import { Product } from "../support/product.js";

let product: Product;

/** Inside of a `describe`: at the top of the file they would be hooks of the whole run. */
function useHooks(): void {
  beforeEach(async () => {
    product = await Product.create();
  });
  afterEach(() => product.clear());
}

describe("graph", () => {
  useHooks();

  it("prints the graph in every format, without a database", async () => {
    const mermaid = await product.succeed(["graph"]);
    expect(mermaid.stdout).to.match(/^flowchart LR\n/);
    expect((await product.succeed(["graph", "--format=mermaid"])).stdout).to.equal(mermaid.stdout);
    expect((await product.succeed(["graph", "--format=dot"])).stdout).to.match(
      /^digraph pipeline \{\n[\s\S]*\}\n\/\/ sink WriteEvents into user_events: exactly once, runner direct\n(\/\/ sink .*\n)*$/,
    );
    const proto = JSON.parse((await product.succeed(["graph", "--format=json"])).stdout);
    expect(Object.keys(proto.components.transforms)).to.include.members(["ReadEvents", "WriteEvents"]);
    expect(JSON.parse((await product.succeed(["graph", "--json"])).stdout)).to.deep.equal(proto);
    const unknown = await product.run(["graph", "--format=png"]);
    expect(unknown.code).to.equal(2);
    expect(unknown.stderr).to.equal(
      'millrace: graph.format must be one of mermaid, dot, json, got "png" (from --format).\n',
    );
  });

  it("shows the configuration of the highest layer: file, environment, flag", async () => {
    const input = async (argv: readonly string[], env: Record<string, string> = {}) => {
      const { stdout } = await product.succeed(["graph", "--format=json", ...argv], env);
      const read = JSON.parse(stdout).components.transforms["ReadEvents"].spec.payload as string;
      return JSON.parse(Buffer.from(read, "base64").toString()).directory;
    };
    expect(await input([])).to.equal("data/raw");
    await writeFile(product.path("millrace.yaml"), "input: from-file\n");
    expect(await input([])).to.equal("from-file");
    expect(await input([], { MILLRACE_INPUT: "from-environment" })).to.equal("from-environment");
    expect(await input(["--input=from-flag"], { MILLRACE_INPUT: "from-environment" })).to.equal("from-flag");
  });

  it("takes --json for a format: the higher layer is heard, in one layer the format", async () => {
    const first = async (argv: readonly string[], env: Record<string, string> = {}) =>
      (await product.succeed(["graph", ...argv], env)).stdout.split("\n")[0];
    const json = { MILLRACE_JSON: "true" };
    expect(await first([], json)).to.equal("{");
    expect(await first(["--no-json"], json)).to.equal("flowchart LR");
    expect(await first(["--format=dot"], json)).to.equal("digraph pipeline {");
    expect(await first([], { ...json, MILLRACE_GRAPH_FORMAT: "dot" })).to.equal("digraph pipeline {");
    expect(await first(["--json"], { MILLRACE_GRAPH_FORMAT: "dot" })).to.equal("{");
  });

  it("shows the graph that the options give", async () => {
    const argv = ["graph", "--format=json", "--once", "--delimiter=;", "--glob=*.txt"];
    const { stdout } = await product.succeed(argv);
    const { transforms, pcollections } = JSON.parse(stdout).components;
    const read = JSON.parse(Buffer.from(transforms["ReadEvents"].spec.payload, "base64").toString());
    expect(read).to.deep.include({ globs: ["*.txt"] });
    expect(read.format.options).to.include({ delimiter: ";" });
    expect(pcollections["ReadEvents/ReadFiles.main"].isBounded).to.equal("BOUNDED");
    const other = await product.run(["graph", "--pipeline=user-event"]);
    expect([other.code, other.stdout]).to.deep.equal([2, ""]);
    expect(other.stderr).to.match(/^millrace: pipeline must be one of .* Did you mean "user-events"\?\n$/);
  });
});

describe("status and migrate", () => {
  useHooks();

  let database: FreshDatabase;
  beforeEach(async () => {
    database = await freshDatabase();
  });
  afterEach(() => database.drop());

  it("answer on an empty database, and migrate is done once", async () => {
    const env = { DATABASE_URL: database.url };
    expect((await product.succeed(["status", "--json"], env)).stdout).to.equal("[]\n");
    expect((await product.succeed(["status"], env)).stdout).to.equal(
      "no pipeline has run on this database\n",
    );
    const first = await product.succeed(["migrate"], env);
    expect(first.stdout + first.stderr).to.include("0001_pipelines.sql");
    const second = await product.succeed(["migrate"], env);
    expect(second.stdout + second.stderr).to.not.include("0001_pipelines.sql");
    expect((await product.succeed(["status", "--json"], env)).stdout).to.equal("[]\n");
  });

  it("end with 1 and one line where there is no database", async () => {
    const env = { DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none" };
    for (const verb of ["status", "migrate"]) {
      const { code, stdout, stderr } = await product.run([verb], env);
      expect([code, stdout]).to.deep.equal([1, ""]);
      expect(stderr.trimEnd().split("\n")).to.have.lengthOf(1);
      expect(stderr).to.include("127.0.0.1:1");
    }
  });

  it("once waits --retry-timeout for a database that is away, then ends with 1", async () => {
    const env = { DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none" };
    const { code, stderr } = await product.run(["pipeline", "--once", "--retry-timeout=300ms"], env);
    expect(code).to.equal(1);
    expect(stderr.trimEnd().split("\n").at(-1)).to.match(/ error .*127\.0\.0\.1:1/);
    expect(stderr).to.match(/ warn {2}the database is away; trying again in \d+ ms/);
  });
});
