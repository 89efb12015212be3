/** Positions in a real database, and a source that lives on them. */
import { appendFile, rename } from "node:fs/promises";
import { expect } from "chai";
import { migrate } from "../../sql/migrate.js";
import { SqlSession } from "../../sql/sql-session.js";
import type { StoredFile } from "../../transforms/read-from-directory/source-positions.js";
import { storedPositions } from "../../transforms/read-from-directory/stored-positions.js";
import { freshDatabase } from "../support/postgres.js";
import { SourceDirectory } from "../support/source-directory.js";
import { MemoryPositions } from "../support/source-host.js";

describe("storedPositions()", () => {
  let session: SqlSession;
  let close: () => Promise<void>;
  const file = (fileId: number, more: Partial<StoredFile> = {}): StoredFile => ({
    fileId,
    path: `${fileId}.csv`,
    generation: 0,
    inode: `1844674407370955${fileId}`,
    byteOffset: 10,
    line: 2,
    header: null,
    rawOffset: 10,
    headHash: "head",
    tailHash: "tail",
    size: 12,
    mtimeNs: 1_764_000_000_123_456_789n,
    state: "reading",
    endedAtByte: null,
    endedAtLine: null,
    ...more,
  });
  const save = async (pipeline: string, files: StoredFile[]) => {
    await session.query("begin");
    await storedPositions(session, pipeline).save(session, files);
    await session.query("commit");
  };

  before(async () => {
    const database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "millrace/test" });
    await migrate(session, { info: () => undefined });
    close = async () => {
      await session.close();
      await database.drop();
    };
  });
  after(() => close());
  beforeEach(() => session.query("truncate source_files"));

  it("gives back every field as it was saved, whatever the header holds", async () => {
    const files = [
      file(1, { header: ["a", "b\0c", "\\0", "\u{1f600}"], endedAtByte: 10, endedAtLine: 1, state: "ended" }),
      file(2, { path: 'a\n"b\\.csv', byteOffset: Number.MAX_SAFE_INTEGER, headHash: "", tailHash: "" }),
    ];
    await save("p", files);
    expect(await storedPositions(session, "p").load()).to.deep.equal(files);
    const changed = [file(1, { generation: 1, header: null, path: "other.csv" })];
    await save("p", changed);
    expect(await storedPositions(session, "p").findById([1])).to.deep.equal(changed);
  });

  it("loads what is not finished, finds what is in the directory, and no other pipeline's", async () => {
    const states = [
      "reading",
      "ended",
      "done",
      "corrupt",
      "missing",
      "archived",
      "deleted",
      "replaced",
    ] as const;
    await save(
      "p",
      states.map((state, i) => file(i + 1, { state, path: "same.csv", inode: "7" })),
    );
    await save("q", [file(100, { path: "same.csv", inode: "7" })]);
    const positions = storedPositions(session, "p");
    const ids = async (files: Promise<StoredFile[]>) => (await files).map(({ fileId }) => fileId);
    expect(await ids(positions.load())).to.deep.equal([1, 2]);
    expect(await ids(positions.findByPath(["same.csv", "x"]))).to.deep.equal([5, 4, 3, 2, 1]);
    expect(await ids(positions.findByInode(["7"]))).to.deep.equal([5, 4, 3, 2, 1]);
    expect(await ids(positions.findById([1, 6, 100]))).to.deep.equal([1]);
  });

  it("never writes over another pipeline's file", async () => {
    await save("p", [file(1)]);
    const error = await save("q", [file(1)]).catch((thrown: Error) => thrown);
    await session.query("rollback");
    expect(error).to.have.property("message", `a file id of "q" is another pipeline's: 0 of 1 rows stored`);
  });

  it("reserves ids that nobody else gets", async () => {
    const positions = storedPositions(session, "p");
    const ids = [...(await positions.reserveFileIds(3)), ...(await positions.reserveFileIds(2))];
    expect(new Set(ids).size).to.equal(5);
  });

  it("lets a source go on over restarts, renames and growth", async () => {
    const directory = await SourceDirectory.create();
    await directory.writeAged("a.csv", "1\n2", 60_000);
    const positions = Object.assign(new MemoryPositions(), storedPositions(session, "p"), {
      save: async (transaction: unknown, files: StoredFile[]) => {
        (transaction as { writes: StoredFile[] }).writes.push(...files);
      },
      commit: (files: StoredFile[]) => files.length > 0 && save("p", files),
    });
    const source = directory.host({}, { positions: positions as unknown as MemoryPositions });
    await source.settle(15_000);
    await source.restart();
    await rename(directory.at("a.csv"), directory.at("b.csv"));
    await appendFile(directory.at("b.csv"), "x\n3\n");
    await source.settle(15_000);
    expect(source.texts).to.deep.equal(["1", "2", "x", "3"]);
    expect(new Set(source.committed.map(({ fileId }) => fileId)).size).to.equal(1);
    await directory.remove();
  });
});
