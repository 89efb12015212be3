/** Rows that PostgreSQL rejects for what they hold: they alone become dead letters, everything else goes in. */

import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { expectExact } from "../support/oracle.js";
import {
  ask,
  createWorkspace,
  migrateWorkspace,
  PipelineProcess,
  runOnce,
  type Workspace,
} from "../support/pipeline-process.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { type ShopEvent, ShopInput } from "../support/shop-input.js";

/** Each is a rule that only the database knows, and what breaks it. */
const RULES: readonly {
  readonly name: string;
  readonly sql: string;
  readonly message: RegExp;
  readonly isRejected: (event: ShopEvent) => boolean;
}[] = [
  {
    name: "a trigger raises P0001 before the row",
    sql: `create function refuse() returns trigger language plpgsql as $$
        begin
          if new.user_id like '%13' then raise exception 'user % is refused', new.user_id; end if;
          return new;
        end $$;
      create trigger refuse before insert on user_events for each row execute function refuse()`,
    message: /^SQLSTATE P0001: user user-\d*13 is refused$/,
    isRejected: ({ user_id }) => user_id.endsWith("13"),
  },
  {
    name: "a deferred constraint trigger raises P0001",
    sql: `create function refuse() returns trigger language plpgsql as $$
        begin
          if new.user_id like '%13' then raise exception 'user % is refused', new.user_id; end if;
          return null;
        end $$;
      create constraint trigger refuse after insert on user_events
        deferrable initially deferred for each row execute function refuse()`,
    message: /^SQLSTATE P0001: user user-\d*13 is refused$/,
    isRejected: ({ user_id }) => user_id.endsWith("13"),
  },
  {
    name: "a generated column overflows: 22003",
    sql: "alter table user_events add column large integer generated always as (trunc(price * 22600)) stored",
    message: /^SQLSTATE 22003: integer out of range$/,
    isRejected: ({ price }) => Number(price) > 95_021.4,
  },
  {
    name: "a check constraint: 23514",
    sql: "alter table user_events add constraint no_gifts check (price > 5000)",
    message: /^SQLSTATE 23514, constraint no_gifts: /,
    isRejected: ({ price }) => Number(price) <= 5_000,
  },
  {
    name: "a deferred foreign key: 23503",
    sql: `create table products (product_id text primary key);
      insert into products select 'product-' || n from generate_series(1, 480) n;
      insert into products select 'продукт-' || n from generate_series(1, 50) n;
      insert into products select product_id || '-other' from products;
      alter table user_events add constraint known_product foreign key (product_id) references products
        deferrable initially deferred`,
    message: /^SQLSTATE 23503, constraint known_product: /,
    isRejected: ({ product_id }) => /^product-(48[1-9]|49\d|500)/.test(product_id),
  },
];

describe("crash: rejected_by_database", function () {
  this.timeout(120_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  let workspace: Workspace;
  let input: ShopInput;

  beforeEach(async () => {
    workspace = await createWorkspace();
    await migrateWorkspace(workspace);
    input = new ShopInput({ choice, directory: workspace.inputDir, recordsPerFile: 500 });
  });

  afterEach(() => workspace.remove());

  for (const { name, sql, message, isRejected } of RULES) {
    it(`${name}: only the rows that break it (MILLRACE_SEED=${seed})`, async () => {
      await ask(workspace, sql);
      await input.writeBacklog(5);
      await runOnce(workspace);
      await expectExact(workspace, input.files, { isRejected });
      const rejected = await ask<{ messages: string[] }>(
        workspace,
        "select messages from dead_letters where reason = 'rejected_by_database'",
      );
      expect(rejected).not.empty;
      for (const { messages } of rejected) expect(messages.join("\n")).match(message);
    });

    it(`${name}: an id counts as seen once a row of it was accepted (MILLRACE_SEED=${seed})`, async () => {
      await ask(workspace, sql);
      const [bad, good] = badAndGood(isRejected);
      const conflict = { ...good, event_timestamp: "2020-01-01 00:00:00.000000" };
      // In one transaction, in the next one, in another process.
      await input.writeEvents([bad, good, good, bad, conflict]);
      await runOnce(workspace);
      await input.writeEvents([conflict, bad, good]);
      await runOnce(workspace);
      const stream = new PipelineProcess(workspace);
      const [laterBad, laterGood] = badAndGood(isRejected);
      for (const events of [[laterBad], [laterBad], [laterGood], [laterBad, laterGood], [bad, good]]) {
        await input.writeEvents(events);
        const all = input.files.reduce((sum, { records }) => sum + records.length, 0);
        await stream.until(`${all} records`, () => stream.lastCommit?.totals.records_read === all);
        await sleep(50);
      }
      stream.signal("SIGTERM");
      expect((await stream.exited).code, stream.log).equal(0);
      await expectExact(workspace, input.files, { isRejected });
    });
  }

  /** Two events of one id: the first breaks the rule, the second does not. */
  function badAndGood(isRejected: (event: ShopEvent) => boolean): [ShopEvent, ShopEvent] {
    const find = (wanted: boolean): ShopEvent => {
      for (;;) {
        const event = input.newEvent();
        if (isRejected(event) === wanted) return event;
      }
    };
    const good = find(false);
    return [{ ...find(true), event_id: good.event_id }, good];
  }
});
