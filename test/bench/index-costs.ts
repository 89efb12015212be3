/**
 * What indexes and checks of user_events gain for reading and cost for loading, as Markdown tables:
 * `node dist/test/bench/index-costs.js FOLDER [ROUNDS]`, FOLDER holding CSV files of 10,000 valid events
 * with repeats. Results and how they were made: docs/indexes.md.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { SqlSession } from "../../sql/sql-session.js";
import { freshDatabase, ownServer, stopTestPostgres } from "../support/postgres.js";

const MIGRATIONS = new URL("../../../sql/migrations/", import.meta.url);
const COLUMNS = "event_id, user_id, event_type, product_id, price, event_timestamp";

const INDEXES: Readonly<Record<string, string>> = {
  "(event_timestamp, id)": "(event_timestamp, id)",
  "(event_timestamp)": "(event_timestamp)",
  "brin (event_timestamp)": "using brin (event_timestamp)",
  "(event_type)": "(event_type)",
  "(user_id)": "(user_id)",
  "(product_id)": "(product_id)",
  "(product_id) of purchases, covering":
    "(product_id) include (price, user_id) where event_type = 'purchase'",
  "(user_id, event_timestamp) covering": "(user_id, event_timestamp) include (event_type)",
  "(hour, event_type) covering":
    "(date_trunc('hour', event_timestamp at time zone 'UTC'), event_type) include (user_id, price)",
};

const QUERIES: Readonly<Record<string, string>> = {
  v_event_summary: "select * from v_event_summary",
  v_hourly_events: "select * from v_hourly_events",
  v_purchase_funnel: "select * from v_purchase_funnel",
  v_top_products: "select * from v_top_products",
  v_recent_activity: "select * from v_recent_activity",
  "range of time":
    "select event_type, count(*) from user_events where event_timestamp >= (select max(event_timestamp) from user_events) - interval '10 seconds' group by event_type",
  "one user": "select * from user_events where user_id = '4711' order by event_timestamp",
  "one product": "select * from user_events where product_id = '471' order by event_timestamp",
};

const CHECKS = ["event_id", "user_id", "event_type", "product_id", "price", "event_timestamp"];

async function main(folder: string, rounds: number): Promise<void> {
  const files = readdirSync(folder).sort();
  const batches = files.map((name) => readFileSync(join(folder, name)));
  const server = await ownServer();
  const { connection } = await freshDatabase(server);
  const session = await SqlSession.connect({ connection, applicationName: "millrace/bench" });
  try {
    const variants: Record<string, string[]> = { "no index": [], "no check": CHECKS.map(dropCheck) };
    for (const [name, definition] of Object.entries(INDEXES)) variants[name] = [createIndex(definition)];
    await printLoads(session, batches, variants, rounds);
    await printReads(session, batches);
  } finally {
    await session.close();
    await stopTestPostgres();
  }
}

async function printLoads(
  session: SqlSession,
  batches: Buffer[],
  variants: Record<string, string[]>,
  rounds: number,
): Promise<void> {
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, statements] of Object.entries(variants)) {
      times.set(name, [...(times.get(name) ?? []), await load(session, batches, statements)]);
      process.stderr.write(`round ${round + 1} ${name}: ${times.get(name)!.at(-1)!.toFixed(0)} ms\n`);
    }
  }
  const base = median(times.get("no index")!);
  console.log("| loaded with | time to load | of that without an index |\n| --- | ---: | ---: |");
  for (const [name, values] of times) {
    const middle = median(values);
    console.log(`| ${name} | ${(middle / 1000).toFixed(1)} s | ${(middle / base).toFixed(2)} |`);
  }
}

async function printReads(session: SqlSession, batches: Buffer[]): Promise<void> {
  await load(session, batches, []);
  await session.query("vacuum analyze user_events");
  const base = await readAll(session);
  const names = Object.keys(QUERIES);
  console.log(`\n| times faster with | ${names.join(" | ")} |\n| --- |${" ---: |".repeat(names.length)}`);
  console.log(`| (without, ms) | ${base.map((time) => time.toFixed(1)).join(" | ")} |`);
  for (const [name, definition] of Object.entries(INDEXES)) {
    await session.query(createIndex(definition));
    await session.query("vacuum analyze user_events");
    const times = await readAll(session);
    console.log(`| ${name} | ${times.map((time, at) => (base[at]! / time).toFixed(1)).join(" | ")} |`);
    await session.query("drop index candidate");
  }
}

async function readAll(session: SqlSession): Promise<number[]> {
  const times: number[] = [];
  for (const query of Object.values(QUERIES)) {
    const runs: number[] = [];
    for (let run = 0; run < 6; run++) {
      const start = performance.now();
      await session.query(query);
      runs.push(performance.now() - start);
    }
    times.push(median(runs.slice(1)));
  }
  return times;
}

/** A staged load as the sink does it, one transaction a file. Resolves to milliseconds. */
async function load(session: SqlSession, batches: Buffer[], statements: string[]): Promise<number> {
  await session.query("drop table if exists user_events cascade");
  for (const file of ["0002_user_events.sql", "0003_event_views.sql"]) {
    await session.query(readFileSync(new URL(file, MIGRATIONS), "utf8"));
  }
  await session.query("drop index user_events_event_timestamp_id_idx");
  for (const statement of statements) await session.query(statement);
  await session.query(`create temp table if not exists staged on commit delete rows as
    select ${COLUMNS} from user_events with no data`);
  await session.query("checkpoint");
  const start = performance.now();
  for (const batch of batches) {
    await session.query("begin");
    await session.copy(`copy staged (${COLUMNS}) from stdin (format csv, header)`, [batch]);
    await session.query(
      `insert into user_events (${COLUMNS}) select ${COLUMNS} from staged on conflict do nothing`,
    );
    await session.query("commit");
  }
  return performance.now() - start;
}

function createIndex(definition: string): string {
  return `create index candidate on user_events ${definition}`;
}

function dropCheck(column: string): string {
  return `alter table user_events drop constraint user_events_${column}_check`;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

await main(process.argv[2] ?? "", Number(process.argv[3] ?? 3));
