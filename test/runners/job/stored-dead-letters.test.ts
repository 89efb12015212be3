/** StoredDeadLetters on a real database: pages, search, one letter, reasons, requests, export, purge. */
import { expect } from "chai";
import { csvFieldsReader } from "../../../pipelines/dead-letter-fields.js";
import { DeadLetterError, RETRY_BYTES_MAX } from "../../../runners/job/dead-letter-actions.js";
import { StoredDeadLetters } from "../../../runners/job/stored-dead-letters.js";
import { settleRetries } from "../../../sql/dead-letter-retries.js";
import { type DeadLetter, insertDeadLetters } from "../../../sql/dead-letters.js";
import { addToLedger } from "../../../sql/ledger.js";
import type { SqlSession } from "../../../sql/sql-session.js";
import { type MigratedDatabase, migratedDatabase } from "../../support/migrated-database.js";

const PIPELINE = "p";
const HEADER = ["event_id", "user_id", "price"];

describe("StoredDeadLetters", () => {
  let database: MigratedDatabase;
  let session: SqlSession;
  let letters: StoredDeadLetters;
  beforeEach(async () => {
    database = await migratedDatabase();
    session = database.session;
    letters = new StoredDeadLetters({
      queries: session,
      pipeline: PIPELINE,
      readFields: csvFieldsReader(","),
    });
    await session.query(
      `insert into source_files (file_id, pipeline, path, generation, inode, byte_offset, header)
       values (1, $1, 'a.csv', 0, 'i', 1000, $2)`,
      [PIPELINE, JSON.stringify(HEADER)],
    );
  });
  afterEach(() => database.close());

  function letterAt(at: number, changes: Partial<DeadLetter> = {}): DeadLetter {
    const place = { fileId: 1, generation: 0, sourceFile: "a.csv", line: at + 2 };
    const bytes = { byteStart: 10 * at, byteEnd: 10 * at + 9 };
    const content = { reason: "invalid_price", messages: [`price: must be a number, got "x${at}"`] };
    return { ...place, ...bytes, ...content, raw: Buffer.from(`e${at},u,x${at}`), ...changes };
  }
  const insert = (...given: DeadLetter[]) => insertDeadLetters(session, PIPELINE, 7, given);
  const many = (count: number, changes: Partial<DeadLetter> = {}) =>
    Array.from({ length: count }, (_, at) => letterAt(at, changes));
  const failureOf = (work: Promise<unknown>) =>
    work.then(
      () => expect.fail("nothing failed"),
      (error: unknown) => error as DeadLetterError,
    );

  it("list() gives pages, newest first, without gap or repeat", async () => {
    await insert(...many(25));
    await insertDeadLetters(session, "another", 1, [letterAt(0)]);
    const lines: number[] = [];
    let next: string | null | undefined;
    let pages = 0;
    while (next !== null) {
      const page = await letters.list({ limit: 10, ...(next && { before: next }) });
      lines.push(...page.items.map(({ line }) => line));
      next = page.next;
      pages++;
    }
    expect(lines).to.deep.equal(Array.from({ length: 25 }, (_, n) => 26 - n));
    expect(pages).to.equal(3);
    const [first] = (await letters.list({ limit: 1 })).items;
    const { id: _, createdAtMs, ...rest } = first!;
    expect(createdAtMs).to.be.closeTo(Date.now(), 60_000);
    expect(rest).to.deep.equal({
      ...{ reason: "invalid_price", sourceFile: "a.csv", generation: 0, line: 26, epoch: 7 },
      ...{ byteStart: 240, byteEnd: 249, messages: ['price: must be a number, got "x24"'], retry: null },
    });
  });

  it("list() finds by reason, and by text in file, message or record, whatever its bytes", async () => {
    await insert(
      letterAt(0, { reason: "field_count" }),
      letterAt(1, { sourceFile: "Orders_100%.csv" }),
      letterAt(2, { messages: ["user_id: must be Ünlike"] }),
      letterAt(3, { raw: Buffer.from([0xff, 0x00, ...Buffer.from("NEEDLE\\ü")]) }),
      letterAt(4, { raw: Buffer.concat([Buffer.from("needle"), Buffer.alloc(20_000)]) }),
    );
    const linesOf = async (query: object) => (await letters.list(query)).items.map(({ line }) => line);
    expect(await linesOf({ reason: "field_count" })).to.deep.equal([2]);
    expect(await linesOf({ search: "orders_100%" })).to.deep.equal([3]);
    expect(await linesOf({ search: "ÜNlike" })).to.deep.equal([4]);
    expect(await linesOf({ search: "needle" }), "the larger record is not looked into").to.deep.equal([5]);
    expect(await linesOf({ search: "NEEDLE\\ü" })).to.deep.equal([5]);
    expect(await linesOf({ search: "%" })).to.deep.equal([3]);
    expect(await linesOf({ search: "needle\0" }), "a byte that no text holds").to.deep.equal([]);
    expect(await linesOf({ search: "csv", reason: "field_count" })).to.deep.equal([2]);
    expect(await linesOf({ search: "'; drop table dead_letters; --" })).to.deep.equal([]);
  });

  it("list() looks at a bounded number of letters in one search, and says where to go on", async () => {
    await insert(letterAt(0, { raw: Buffer.from("needle") }), ...many(10_001).slice(1));
    const first = await letters.list({ search: "needle" });
    expect(first.items).to.deep.equal([]);
    expect(first.next).to.be.a("string");
    const second = await letters.list({ search: "needle", before: first.next as string });
    expect(second.items.map(({ line }) => line)).to.deep.equal([2]);
    expect(second.next).to.equal(null);
  });

  it("show() gives bytes, text and fields, and marks those that fail", async () => {
    const facts = "SQLSTATE 23514, constraint events_price_check: violates";
    await insert(
      letterAt(0),
      letterAt(1, {
        raw: Buffer.from([0xff, 0x1b, 0x2c]),
        reason: "invalid_encoding",
        messages: ["the record"],
      }),
      letterAt(2, {
        raw: Buffer.from('"a\nb",u\u001b[2J,1,more'),
        reason: "rejected_by_database",
        messages: [facts],
      }),
      letterAt(3, { generation: 4 }),
    );
    const [d, c, b, a] = (await letters.list()).items;
    expect(await letters.show(a!.id)).to.deep.include({
      rawBase64: Buffer.from("e0,u,x0").toString("base64"),
      text: "e0,u,x0",
      fields: [
        { name: "event_id", value: "e0", isFailing: false },
        { name: "user_id", value: "u", isFailing: false },
        { name: "price", value: "x0", isFailing: true },
      ],
    });
    expect(await letters.show(b!.id)).to.deep.include({ text: null, fields: null, rawBase64: "/xss" });
    expect((await letters.show(c!.id)).fields).to.deep.equal([
      { name: "event_id", value: "a\nb", isFailing: false },
      { name: "user_id", value: "u\u001b[2J", isFailing: false },
      { name: "price", value: "1", isFailing: true },
      { name: "field 4", value: "more", isFailing: false },
    ]);
    expect((await letters.show(d!.id)).fields, "of a generation whose header is not known").to.equal(null);
  });

  it("refuses ids, limits and letters that there are not, by name", async () => {
    expect(await failureOf(letters.show("1; drop"))).to.include({ code: "invalid_id" });
    expect(await failureOf(letters.show("-1"))).to.be.instanceOf(DeadLetterError);
    expect(await failureOf(letters.list({ before: "x" }))).to.include({ code: "invalid_id" });
    expect(await failureOf(letters.list({ limit: 201 }))).to.include({
      message: "limit must be a whole number from 1 to 200, got 201",
    });
    const missing = { code: "not_found", message: 'pipeline "p" has no dead letter 999' };
    expect(await failureOf(letters.show("999"))).to.include(missing);
    expect(await failureOf(letters.retryOne("999", { by: "me" }))).to.include(missing);
  });

  it("reasons() counts what is dead still, what was retried, and when letters came", async () => {
    expect(await letters.reasons()).to.deep.equal({
      total: 0,
      byReason: {},
      retried: 0,
      atMs: [],
      series: {},
    });
    await insert(...many(3), letterAt(9, { reason: "field_count" }));
    await session.query("update dead_letters set created_at = '2026-01-01T00:00:00Z' where line < 4");
    await session.query("update dead_letters set created_at = '2026-01-01T01:00:00Z' where line >= 4");
    const id = (await letters.list()).items.at(-1)!.id;
    await letters.retryOne(id, { by: "me" });
    await settleRetries(session, PIPELINE, 8, [{ id: Number(id), outcome: "written", problem: undefined }]);
    const reasons = await letters.reasons(10);
    expect(reasons).to.deep.include({
      ...{ total: 3, retried: 1, byReason: { field_count: 1, invalid_price: 2 } },
      series: {
        field_count: [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        invalid_price: [2, 0, 0, 0, 0, 0, 0, 0, 0, 1],
      },
    });
    expect(reasons.atMs).to.have.length(10);
    expect(reasons.atMs[0]).to.equal(Date.UTC(2026, 0, 1));
    expect(reasons.atMs[9]! - reasons.atMs[8]!).to.equal(360_001);
  });

  it("asks for no retry that the runner's graph would never read, by name", async () => {
    await insert(letterAt(0));
    const here = new StoredDeadLetters({
      ...{ queries: session, pipeline: PIPELINE, readFields: () => undefined },
      heldWithoutRetries: "runner flink",
    });
    const { id, reason } = (await here.list()).items[0]!;
    for (const refused of [here.retryOne(id, { by: "me" }), here.retryReason(reason, "me")]) {
      expect(await failureOf(refused)).to.include({
        code: "not_taken",
        message:
          'runner flink takes no retries of dead letters: run pipeline "p" with --runner=direct for them',
      });
    }
    expect((await here.show(id)).retry).to.equal(null);
  });

  it("retryOne() asks once; a pending or settled letter is refused, a rejected one may be tried again", async () => {
    await insert(letterAt(0));
    const { id } = (await letters.list()).items[0]!;
    const asked = await letters.retryOne(id, { by: "me\u001b", raw: Buffer.from("e") });
    expect(asked).to.include({
      status: "requested",
      by: "me\\u001b",
      epoch: null,
      reason: null,
      attempts: 0,
    });
    expect((await letters.show(id)).retry).to.deep.equal(asked);
    expect(await failureOf(letters.retryOne(id, { by: "you" }))).to.include({
      ...{ code: "pending", message: `a retry of dead letter ${id} is pending, asked for by me\\u001b` },
    });
    const problem = { reason: "field_count", messages: ["expected\n6"] };
    await settleRetries(session, PIPELINE, 8, [{ id: Number(id), outcome: "rejected", problem }]);
    expect((await letters.show(id)).retry).to.deep.include({
      ...{ status: "rejected", epoch: 8, reason: "field_count", messages: ["expected\\n6"], attempts: 1 },
    });
    await letters.retryOne(id, { by: "you" });
    await settleRetries(session, PIPELINE, 9, [{ id: Number(id), outcome: "duplicate", problem: undefined }]);
    expect(await failureOf(letters.retryOne(id, { by: "you" }))).to.include({ code: "settled" });
    const large = { by: "me", raw: Buffer.alloc(RETRY_BYTES_MAX + 1) };
    expect(await failureOf(letters.retryOne(id, large))).to.include({ code: "too_large" });
  });

  it("a request that is settled twice is a bug that fails the commit", async () => {
    await insert(letterAt(0));
    const { id } = (await letters.list()).items[0]!;
    await letters.retryOne(id, { by: "me" });
    const settle = () =>
      settleRetries(session, PIPELINE, 8, [{ id: Number(id), outcome: "written", problem: undefined }]);
    await settle();
    const again = await settle().catch((error: Error) => error.message);
    expect(again).to.match(/1 dead letters were tried again, but only 0 of them are still pending/);
  });

  it("retryReason() asks for all of a reason that are open, and retryProgress() follows them", async () => {
    await insert(...many(5), letterAt(9, { reason: "field_count" }));
    const { requested, atMs } = await letters.retryReason("invalid_price", "me");
    expect(requested).to.equal(5);
    expect((await letters.retryReason("invalid_price", "me")).requested).to.equal(0);
    expect(await letters.retryProgress("invalid_price", atMs)).to.deep.equal({ pending: 5, decided: {} });
    const ids = (await letters.list({ reason: "invalid_price" })).items.map(({ id }) => Number(id));
    await settleRetries(session, PIPELINE, 8, [
      { id: ids[0]!, outcome: "written", problem: undefined },
      { id: ids[1]!, outcome: "rejected", problem: { reason: "r", messages: [] } },
    ]);
    expect(await letters.retryProgress("invalid_price", atMs)).to.deep.equal({
      ...{ pending: 3, decided: { written: 1, rejected: 1 } },
    });
    expect((await letters.retryReason("invalid_price", "me")).requested, "the rejected one").to.equal(1);
  });

  it("export() gives the lines of the error directory's files, oldest first, of all or of one reason", async () => {
    const large = letterAt(3, { raw: Buffer.alloc(1024 * 1024, "x") });
    await insert(
      ...many(40),
      { ...large, byteStart: 5_000 },
      letterAt(60, { reason: "r", raw: Buffer.from([0xff]) }),
    );
    const all: Record<string, unknown>[] = [];
    for await (const line of letters.export()) {
      expect(line.endsWith("\n")).to.equal(true);
      all.push(JSON.parse(line));
    }
    expect(all.map(({ line }) => line)).to.deep.equal([
      ...Array.from({ length: 40 }, (_, n) => n + 2),
      5,
      62,
    ]);
    expect(all[0]).to.deep.equal({
      ...{ pipeline: PIPELINE, epoch: 7, source_file: "a.csv", file_id: 1, generation: 0, line: 2 },
      ...{
        byte_start: 0,
        byte_end: 9,
        reason: "invalid_price",
        messages: ['price: must be a number, got "x0"'],
      },
      ...{ raw: "e0,u,x0", raw_encoding: "utf8" },
    });
    const some: string[] = [];
    for await (const line of letters.export("r")) some.push(line);
    expect(some.map((line) => JSON.parse(line))).to.deep.equal([all.at(-1)]);
    expect(all.at(-1)).to.include({ raw: "/w==", raw_encoding: "base64" });
  });

  it("purge() deletes letters and not their counts; pending ones, and those that may be read again, stay", async () => {
    const counts = { recordsRead: 5, eventsWritten: 0, duplicates: 0, conflicts: 0 };
    await addToLedger(session, PIPELINE, [{ fileId: 1, ...counts, deadLetters: { invalid_price: 4, r: 1 } }]);
    await insert(
      letterAt(0),
      letterAt(1),
      letterAt(2, { reason: "r" }),
      letterAt(200), // behind the committed position of its file
      letterAt(3),
    );
    await session.query("update dead_letters set created_at = '2026-01-01T00:00:00Z' where line = 2");
    await letters.retryOne((await letters.list({ search: "e1" })).items[0]!.id, { by: "me" });
    const old = { beforeMs: Date.UTC(2026, 0, 1, 0, 0, 1) };
    expect(await letters.purgeable(old)).to.deep.equal({ purgeable: 1, kept: 0 });
    expect(await letters.purge(old)).to.deep.equal({ purged: 1, kept: 0 });
    expect(await letters.purge({ reason: "invalid_price" })).to.deep.equal({ purged: 1, kept: 2 });
    expect(await letters.purge({})).to.deep.equal({ purged: 1, kept: 2 });
    const left = (await letters.list()).items.map(({ line }) => line);
    expect(left).to.deep.equal([202, 3]);
    const ledger = await session.query("select records_read, dead_letters from ledger");
    expect(ledger).to.deep.equal([{ records_read: 5, dead_letters: { r: 1, invalid_price: 4 } }]);
  });
});
