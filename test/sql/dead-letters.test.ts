/** insertDeadLetters() with the worst contents. */
import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { type DeadLetter, insertDeadLetters } from "../../sql/dead-letters.js";
import { printable } from "../../sql/printable.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";

describe("insertDeadLetters()", () => {
  let database: MigratedDatabase;
  let session: SqlSession;

  beforeEach(async () => {
    database = await migratedDatabase();
    session = database.session;
  });
  afterEach(() => database.close());

  const letter = (byteStart: number, changes: Partial<DeadLetter> = {}): DeadLetter => ({
    fileId: 1,
    generation: 0,
    sourceFile: "a.csv",
    line: 2,
    byteStart,
    byteEnd: byteStart + 1,
    reason: "invalid_price",
    messages: ["price must match"],
    raw: Buffer.from("x"),
    ...changes,
  });
  const stored = () =>
    session.query<{ messages: string[]; raw: Buffer; source_file: string }>(
      `select pipeline, epoch, file_id, generation, source_file, line, byte_start, byte_end, reason, messages, raw
      from dead_letters order by byte_start`,
    );

  it("stores every field as it is", async () => {
    const raw = Buffer.from([0, 255, 10, 13, 92, 34]);
    const given = letter(5, { generation: 3, line: 9, byteEnd: Number.MAX_SAFE_INTEGER, raw });
    await insertDeadLetters(session, "p", 12, [given]);
    expect(await stored()).deep.equal([
      {
        pipeline: "p",
        epoch: 12,
        file_id: 1,
        generation: 3,
        source_file: "a.csv",
        line: 9,
        byte_start: 5,
        byte_end: Number.MAX_SAFE_INTEGER,
        reason: "invalid_price",
        messages: ["price must match"],
        raw,
      },
    ]);
  });

  it("takes every character from U+0000 to U+00FF, quotes, braces and half pairs in messages and names", async () => {
    const characters = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
    const texts = [
      ...characters,
      "\ud800",
      "\udfff",
      "a\ud83d\ud83d\ude00b",
      '{"a",NULL}',
      "NULL",
      "",
      "\\u0000",
    ];
    await insertDeadLetters(
      session,
      "p",
      1,
      texts.map((text, at) => letter(at, { messages: [text, `a${text}b`], sourceFile: text })),
    );
    const rows = await stored();
    expect(rows.map(({ messages }) => messages)).deep.equal(
      texts.map((text) => [printable(text), printable(`a${text}b`)]),
    );
    for (const { messages, source_file } of rows) {
      for (const text of [...messages, source_file]) expect(text).not.match(/[\p{Cc}\p{Cs}]/u);
    }
  });

  it("keeps 1 MiB of any bytes", async () => {
    const raws = [randomBytes(1 << 20), Buffer.alloc(1 << 20), Buffer.alloc(1 << 20, 0x5c), Buffer.alloc(0)];
    await insertDeadLetters(
      session,
      "p",
      1,
      raws.map((raw, at) => letter(at, { raw })),
    );
    const rows = await stored();
    for (const [at, raw] of raws.entries()) expect(rows[at]!.raw.equals(raw), `raw ${at}`).equal(true);
  });

  it("stores more than one statement carries, in letters and in bytes", async () => {
    const raw = Buffer.alloc(1 << 20, 1);
    const large = Array.from({ length: 20 }, (_, at) => letter(at, { raw }));
    const small = Array.from({ length: 2_500 }, (_, at) => letter(100 + at));
    await insertDeadLetters(session, "p", 1, [...large, ...small]);
    const [row] = await session.query(
      "select count(*) as count, sum(length(raw)) as bytes from dead_letters",
    );
    expect(row).deep.equal({ count: 2_520, bytes: 20 * (1 << 20) + 2_500 });
  });

  it("stores no letter and no message as nothing", async () => {
    await insertDeadLetters(session, "p", 1, []);
    await insertDeadLetters(session, "p", 1, [letter(1, { messages: [] })]);
    expect(await stored())
      .nested.property("[0].messages")
      .deep.equal([]);
  });

  it("surfaces a second letter at the same place, and keeps apart pipelines, files and generations", async () => {
    await insertDeadLetters(session, "p", 1, [letter(1)]);
    const again = await insertDeadLetters(session, "p", 2, [letter(1)]).catch((thrown: unknown) => thrown);
    expect(again).property("code", "23505");
    await insertDeadLetters(session, "p", 2, [letter(1, { generation: 1 }), letter(1, { fileId: 2 })]);
    await insertDeadLetters(session, "q", 2, [letter(1)]);
    expect(await stored()).length(4);
  });
});
