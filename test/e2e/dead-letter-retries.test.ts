/** Dead letters tried again through a running pipeline: each outcome, each letter once, and counts that add up. */
import { writeFile } from "node:fs/promises";
import { expect } from "chai";
import { requestRetriesOf, requestRetry } from "../../sql/dead-letter-retries.js";
import { expectBalance } from "../support/letter-balance.js";
import { until } from "../support/product.js";
import { HEADER } from "./expected-file.js";
import { product, session, useFreshProduct } from "./fresh-product.js";
import { event } from "./troubled-input.js";

const BY = "somebody@somewhere";

interface StoredRetry {
  readonly id: number;
  readonly event: string;
  readonly outcome: string | null;
  readonly reason: string | null;
  readonly messages: string[] | null;
  readonly by: string | null;
  readonly epoch: number | null;
  readonly pending: boolean;
  readonly attempts: number;
}

describe("retries of dead letters", () => {
  useFreshProduct();

  /** Letters by the first word of their bytes. */
  async function letters(): Promise<Record<string, StoredRetry>> {
    const rows = await session.query<StoredRetry>(
      `select id, split_part(encode(raw, 'escape'), ',', 1) as event, retry_outcome as outcome, retry_reason as reason,
         retry_messages as messages, retried_by as by, retried_epoch as epoch,
         retry_requested_at is not null as pending, retry_attempts as attempts
       from dead_letters order by id`,
    );
    return Object.fromEntries(rows.map((row) => [row.event, row]));
  }

  async function retry(event: string, edited?: string): Promise<void> {
    const { id } = (await letters())[event]!;
    const raw = edited === undefined ? null : Buffer.from(edited);
    expect(await requestRetry(session, "user-events", id, { by: BY, raw }), event).to.equal("requested");
  }

  const once = () => product.succeed(["pipeline", "--once", "--quiet-ms=50"]);
  const files = async () => (await product.ndjson(product.path("data", "error"))).length;
  const prices = () =>
    session.query("select event_id, user_id, price::text from user_events order by event_id");

  it("become rows, duplicates, conflicts, or stay rejected: marked by the commit that decides them", async () => {
    const bad = ["w1", "d1", "c1", "r1", "s1", "two", "none"].map((id) => event(id, "much"));
    await writeFile(product.input("bad.csv"), [HEADER, event("a1"), ...bad, ""].join("\n"));
    await once();
    await expectBalance(session);
    expect(await files()).to.equal(7);

    await retry("w1", `${event("w1", "7.00")}\n`);
    await retry("d1", event("a1"));
    await retry("c1", event("a1", "9.00"));
    await retry("r1");
    await retry("s1", event("", "1.00"));
    await retry("two", `${event("t1")}\n${event("t2")}\n`);
    await retry("none", "\n");
    await once();
    const after = await letters();
    const outcomes = Object.values(after).map(({ event, outcome, reason }) => [event, outcome, reason]);
    expect(outcomes).to.deep.equal([
      ["w1", "written", null],
      ["d1", "duplicate", null],
      ["c1", "conflict", null],
      ["r1", "rejected", "invalid_price"],
      ["s1", "rejected", "invalid_event_id"],
      ["two", "rejected", "invalid_record"],
      ["none", "rejected", "invalid_record"],
    ]);
    expect(after["two"]!.messages).to.deep.equal(["record: must be one record, got several"]);
    expect(after["r1"]!.messages![0]).to.match(/^price: .*got "much"$/);
    const [status] = await product.status();
    for (const letter of Object.values(after)) {
      expect(letter).to.include({ by: BY, pending: false, attempts: 1, epoch: status!.epoch });
    }
    expect(await prices()).to.deep.equal([
      { event_id: "a1", user_id: "u1", price: "1.00" },
      { event_id: "w1", user_id: "u1", price: "7.00" },
    ]);
    const { records_read, events_written, duplicates, conflicts, dead_letters } = status!.files[0]!;
    expect({ records_read, events_written, duplicates, conflicts, dead_letters }).to.deep.equal({
      ...{ records_read: 8, events_written: 2, duplicates: 1, conflicts: 1 },
      dead_letters: { invalid_price: 4 },
    });
    await expectBalance(session);
    expect(await files(), "lines in files: a letter that is rejected again is none that is new").to.equal(7);

    await once();
    expect(await letters(), "a run without requests changes nothing").to.deep.equal(after);
    await retry("r1", event("r1", "3.00"));
    await once();
    expect((await letters())["r1"]).to.include({ outcome: "written", attempts: 2, reason: null });
    await expectBalance(session);
  });

  it("read by the header of their file, and by the pipeline's columns where that is of no use", async () => {
    const reordered = "price,event_id,extra,user_id,event_type,product_id,event_timestamp";
    const record = (id: string, price: string) => `${price},${id},x,u2,view,p1,2026-01-01T10:00:00Z`;
    await writeFile(product.input("a.csv"), `${reordered}\n${record("h1", "much")}\n`);
    await writeFile(product.input("b.csv"), `event_id,user_id\nm1,u1\nm2,u2\n`);
    await writeFile(product.input("c.csv"), `${HEADER}\ng1,u1\n`);
    await once();
    const [first] = Object.values(await letters());
    expect(first!.event).to.equal("much");
    await retry("much", record("h1", "4.00"));
    await retry("m1", event("m1"));
    await retry("m2");
    await writeFile(product.input("c.csv"), `product_id,price\nanother,generation\nand,longer\n`);
    await once();
    expect((await letters())["m1"]).to.include({ outcome: "written" });
    expect((await letters())["much"]).to.include({ outcome: "written" });
    expect((await letters())["m2"]).to.include({ outcome: "rejected", reason: "missing_column" });

    await retry("g1");
    await once();
    const unknown = (await letters())["g1"]!;
    expect(unknown).to.include({ outcome: "rejected", reason: "missing_column" });
    expect(unknown.messages![0]).to.match(/^the header of c\.csv, generation 0 is not known any more/);
    await retry("g1", event("g1"));
    await once();
    expect((await letters())["g1"]).to.include({ outcome: "written", attempts: 2 });
    expect(await prices()).to.deep.equal([
      { event_id: "g1", user_id: "u1", price: "1.00" },
      { event_id: "h1", user_id: "u2", price: "4.00" },
      { event_id: "m1", user_id: "u1", price: "1.00" },
    ]);
    await expectBalance(session);
  });

  it("rejected by the database again, and written once it takes them", async () => {
    await product.succeed(["migrate"]);
    await session.query("alter table user_events add constraint cheap check (price < 5)");
    await writeFile(product.input("dear.csv"), `${HEADER}\n${event("x1", "6.00")}\n${event("x2", "7.00")}\n`);
    await once();
    expect(await requestRetriesOf(session, "user-events", "rejected_by_database", BY)).to.equal(2);
    await once();
    expect((await letters())["x1"]).to.include({ outcome: "rejected", reason: "rejected_by_database" });
    await session.query("alter table user_events drop constraint cheap");
    expect(await requestRetriesOf(session, "user-events", "rejected_by_database", BY)).to.equal(2);
    await once();
    for (const letter of Object.values(await letters()))
      expect(letter).to.include({ outcome: "written", attempts: 2 });
    await expectBalance(session);
  });

  it("of which only the beginning was kept are not taken for whole", async () => {
    const long = `l1,u1,view,p1,1.00,2026-01-01T10:00:00Z,${"x".repeat(1024 * 1024)}`;
    await writeFile(product.input("long.csv"), `${HEADER},note\n${long}\n`);
    await once();
    await retry("l1");
    await once();
    const letter = (await letters())["l1"]!;
    expect(letter).to.include({ outcome: "rejected", reason: "record_too_long" });
    expect(letter.messages![0]).to.match(
      /^the record is 1048616 bytes long, of which the first 1048576 are kept$/,
    );
    await retry("l1", `${event("l1")},shorter`);
    await once();
    expect((await letters())["l1"]).to.include({ outcome: "written" });
    await expectBalance(session);
  });

  it("by thousands, while the stream reads on, each once", async () => {
    const bad = Array.from({ length: 5_000 }, (_, n) => event(`e${n}`, "much"));
    await writeFile(product.input("bad.csv"), [HEADER, ...bad, ""].join("\n"));
    const running = product.start(["pipeline", "--json", "--quiet-ms=50"]);
    const count = async (condition: string) =>
      (await session.query<{ n: number }>(`select count(*) as n from dead_letters where ${condition}`))[0]!.n;
    await until(
      async () => (await session.query("select to_regclass('dead_letters') as t"))[0]!["t"] !== null,
      "the schema",
    );
    await until(async () => (await count("true")) === 5_000, "dead letters");
    await session.query(
      `update dead_letters set retry_requested_at = now(), retry_requested_by = $1,
         retry_raw = convert_to(replace(convert_from(raw, 'UTF8'), 'much', '2.00'), 'UTF8')`,
      [BY],
    );
    await writeFile(product.input("more.csv"), [HEADER, event("e7", "2.00"), event("m1"), ""].join("\n"));
    await until(async () => (await count("retry_requested_at is not null")) === 0, "retries");
    await until(async () => (await session.query("select from user_events")).length === 5_001, "rows");
    running.kill("SIGTERM");
    expect(await running.ended).to.include({ code: 0 });
    const [status] = await product.status();
    expect(status).to.include({ records_read: 5_002, events_written: 5_001, duplicates: 1, conflicts: 0 });
    expect(status!.dead_letters).to.deep.equal({});
    await expectBalance(session);
  });
});
