/** The statements of source_files. */
import { expect } from "chai";
import {
  findSourceFilesById,
  findSourceFilesByInode,
  findSourceFilesByPath,
  loadSourceFiles,
  reserveFileIds,
  type SourceFileRow,
  upsertSourceFiles,
} from "../../sql/source-files.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";

describe("source-files", () => {
  let database: MigratedDatabase;
  let session: SqlSession;

  beforeEach(async () => {
    database = await migratedDatabase();
    session = database.session;
  });
  afterEach(() => database.close());

  const file = (fileId: number, changes: Partial<SourceFileRow> = {}): SourceFileRow => ({
    fileId,
    path: `day/${fileId}.csv`,
    generation: 0,
    inode: "18446744073709551615",
    byteOffset: 0,
    line: 1,
    header: null,
    rawOffset: 0,
    headHash: "",
    tailHash: "",
    size: 0,
    mtimeNs: 0n,
    state: "reading",
    endedAtByte: null,
    endedAtLine: null,
    ...changes,
  });
  const full = (fileId: number) =>
    file(fileId, {
      path: "a 'b' \"c\" \\ {,} \n é 😀.csv",
      generation: 3,
      byteOffset: Number.MAX_SAFE_INTEGER,
      line: 1_000_001,
      header: ["event_id", "", "a\0b", "\\0", "\\", '"q"', "😀"],
      rawOffset: 4096,
      headHash: "aa",
      tailHash: "bb",
      size: 8192,
      mtimeNs: 1_735_689_600_123_456_789n,
      state: "ended",
      endedAtByte: 17,
      endedAtLine: 2,
    });

  it("upsertSourceFiles() keeps every value as it is, and replaces it the second time", async () => {
    await upsertSourceFiles(session, "p", [full(1), file(2)]);
    expect(await loadSourceFiles(session, "p")).deep.equal([full(1), file(2)]);
    await upsertSourceFiles(session, "p", [file(1), full(2), file(3)]);
    expect(await loadSourceFiles(session, "p")).deep.equal([file(1), full(2), file(3)]);
  });

  it("upsertSourceFiles() of nothing does nothing", async () => {
    await upsertSourceFiles(session, "p", []);
    expect(await loadSourceFiles(session, "p")).deep.equal([]);
  });

  it("upsertSourceFiles() refuses another pipeline's file", async () => {
    await upsertSourceFiles(session, "p", [file(1)]);
    const error = await upsertSourceFiles(session, "q", [full(1)]).catch((thrown: unknown) => thrown);
    expect(error).property("message").include("`q`");
    expect(await loadSourceFiles(session, "p")).deep.equal([file(1)]);
  });

  it("loadSourceFiles() gives a pipeline's own files, of all states or of some", async () => {
    const done = file(2, { state: "done" });
    await upsertSourceFiles(session, "p", [file(1), done, file(3, { state: "ended" })]);
    await upsertSourceFiles(session, "q", [file(4)]);
    expect((await loadSourceFiles(session, "p")).map(({ fileId }) => fileId)).deep.equal([1, 2, 3]);
    expect(await loadSourceFiles(session, "p", ["done"])).deep.equal([done]);
  });

  it("findSourceFilesByPath(), ByInode() and ById() give what is present, newest first", async () => {
    const same = { path: "same.csv", inode: "7" };
    const present = [
      file(1, same),
      file(2, { ...same, state: "missing" }),
      file(3, { ...same, state: "done" }),
    ];
    const gone = (["archived", "deleted", "replaced"] as const).map((state, at) =>
      file(4 + at, { ...same, state }),
    );
    await upsertSourceFiles(session, "p", [...present, ...gone, file(9, { inode: "9" })]);
    await upsertSourceFiles(session, "q", [file(10, same)]);
    const newestFirst = [...present].reverse();
    expect(await findSourceFilesByPath(session, "p", ["same.csv", "none"])).deep.equal(newestFirst);
    expect(await findSourceFilesByInode(session, "p", ["7"])).deep.equal(newestFirst);
    expect(await findSourceFilesById(session, "p", [4, 1, 10])).deep.equal([present[0], gone[0]]);
  });

  it("reserveFileIds() gives ids that stay taken when the transaction fails", async () => {
    expect(await reserveFileIds(session, 3)).deep.equal([1, 2, 3]);
    await session.query("begin");
    expect(await reserveFileIds(session, 2)).deep.equal([4, 5]);
    await session.query("rollback");
    expect(await reserveFileIds(session, 1)).deep.equal([6]);
    expect(await reserveFileIds(session, 0)).deep.equal([]);
  });

  it("reserveFileIds() gives two sessions different ids", async () => {
    const other = await database.connect();
    const [one, two] = await Promise.all([reserveFileIds(session, 500), reserveFileIds(other, 500)]);
    expect(new Set([...one, ...two]).size).equal(1_000);
  });
});
