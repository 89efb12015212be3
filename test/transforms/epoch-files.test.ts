/** EpochFiles: what stands in the folder after commits, crashes and a second database. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import type { SqlQueries } from "../../sql/sql-session.js";
import { EpochFiles } from "../../transforms/epoch-files.js";

const RUN = "11111111-1111-4111-8111-111111111111";
const OTHER_RUN = "22222222-2222-4222-8222-222222222222";

describe("EpochFiles", () => {
  let folder: string;
  let files: EpochFiles;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-epoch-files-"));
    files = new EpochFiles(folder, "p");
  });
  afterEach(() => rm(folder, { recursive: true }));

  const published = async () => (await readdir(folder)).filter((name) => name.endsWith(".ndjson")).sort();
  /** A database that knows these commits, as `epoch run_id`. */
  const databaseOf = (...commits: string[]): SqlQueries => ({
    query: async <Row>(_text: string, values: readonly unknown[] = []) =>
      (commits.includes(`${values[1]} ${values[2]}`) ? [{}] : []) as Row[],
  });

  it("shows nothing before the commit, and the epoch's file after it", async () => {
    const pending = await files.writePending(7, RUN, "line\n");
    expect(await published()).to.deep.equal([]);
    await files.publish(pending);
    expect(await published()).to.deep.equal(["p-7.ndjson"]);
    expect(await readdir(join(folder, ".pending"))).to.deep.equal([]);
  });

  it("publishes at the start what was committed, and removes the rest of its own pipeline only", async () => {
    await files.writePending(1, RUN, "committed\n");
    await files.writePending(2, RUN, "never committed\n");
    await files.writePending(1, OTHER_RUN, "of a fenced run\n");
    await new EpochFiles(folder, "q").writePending(1, RUN, "of another pipeline\n");
    await files.recover(databaseOf(`1 ${RUN}`));
    expect(await published()).to.deep.equal(["p-1.ndjson"]);
    expect(await readFile(join(folder, "p-1.ndjson"), "utf8")).to.equal("committed\n");
    expect(await readdir(join(folder, ".pending"))).to.deep.equal([`q-1-${RUN}.ndjson`]);
  });

  it("never replaces a file that another database's epoch of that number left", async () => {
    await files.publish(await files.writePending(1, RUN, "first database\n"));
    await files.publish(await files.writePending(1, OTHER_RUN, "second database\n"));
    expect(await published()).to.deep.equal([`p-1-${OTHER_RUN}.ndjson`, "p-1.ndjson"]);
    expect(await readFile(join(folder, "p-1.ndjson"), "utf8")).to.equal("first database\n");
  });

  it("takes a file that was published meanwhile for published", async () => {
    const pending = await files.writePending(1, RUN, "line\n");
    await files.publish(pending);
    await files.publish(pending);
    expect(await published()).to.deep.equal(["p-1.ndjson"]);
  });

  it("fails when the pending file is gone and nothing was published", async () => {
    const pending = await files.writePending(1, RUN, "line\n");
    await rm(pending.from);
    const error = await files.publish(pending).catch((thrown: unknown) => thrown);
    expect((error as NodeJS.ErrnoException).code).to.equal("ENOENT");
  });
});
