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

const KEPT = ["(event_timestamp, id)", "(product_id) of purchases, covering"];

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

const RUNS = 7;
const CHECKED = ["event_id", "event_type", "price", "event_timestamp"];

async function main(folder: string, rounds: number): Promise<void> {
  const files = readdirSync(folder).sort();
  const batches = files.map((name) => readFileSync(join(folder, name)));
  const server = await ownServer();
  const { connection } = await freshDatabase(server);
  const session = await SqlSession.connect({ connection, applicationName: "millrace/bench" });
  try {
    const variants: Record<string, string[]> = {
      "no index": [],
      "no index, no check": CHECKED.map(dropCheck),
    };
    for (const [name, definition] of Object.entries(INDEXES)) variants[name] = [createIndex(definition)];
    variants["the two that stay"] = KEPT.map((name) => `create index on user_events ${INDEXES[name]}`);
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
  const loads = new Map<string, Load[]>(Object.keys(variants).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, statements] of Object.entries(variants)) {
      loads.get(name)!.push(await load(session, batches, statements));
      process.stderr.write(`round ${round + 1} ${name}: ${JSON.stringify(loads.get(name)!.at(-1))}\n`);
    }
  }
  console.log("| loaded with | time | of that without | server's CPU | of that without |");
  console.log("| --- | ---: | ---: | ---: | ---: |");
  const base = loads.get("no index")!;
  const cells = (all: Load[], of: (one: Load) => number) => {
    const value = median(all.map(of));
    return `${(value / 1000).toFixed(1)} s | ${(value / median(base.map(of))).toFixed(2)}`;
  };
  for (const [name, all] of loads) {
    console.log(`| ${name} | ${cells(all, (one) => one.wallMs)} | ${cells(all, (one) => one.cpuMs)} |`);
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
    for (let run = 0; run < RUNS; run++) {
      const start = performance.now();
      await session.query(query);
      runs.push(performance.now() - start);
    }
    times.push(Math.min(...runs)); // whatever else ran on the machine only adds
  }
  return times;
}

interface Load {
  readonly wallMs: number;
  /** Of the backend that loads, where the system tells it. */
  readonly cpuMs: number;
}

/** A staged load as the sink does it, one transaction a file. */
async function load(session: SqlSession, batches: Buffer[], statements: string[]): Promise<Load> {
  await session.query("drop table if exists user_events cascade");
  for (const file of ["0002_user_events.sql", "0003_event_views.sql"]) {
    await session.query(readFileSync(new URL(file, MIGRATIONS), "utf8"));
  }
  await session.query(
    "drop index user_events_event_timestamp_id_idx, user_events_product_id_price_user_id_idx",
  );
  for (const statement of statements) await session.query(statement);
  await session.query(`create temp table if not exists staged on commit delete rows as
    select ${COLUMNS} from user_events with no data`);
  await session.query("checkpoint");
  const [backend] = await session.query<{ pid: number }>("select pg_backend_pid() as pid");
  const cpuBefore = cpuMs(backend!.pid);
  const start = performance.now();
  for (const batch of batches) {
    await session.query("begin");
    await session.copy(`copy staged (${COLUMNS}) from stdin (format csv, header)`, [batch]);
    await session.query(
      `insert into user_events (${COLUMNS}) select ${COLUMNS} from staged on conflict do nothing`,
    );
    await session.query("commit");
  }
  return { wallMs: performance.now() - start, cpuMs: cpuMs(backend!.pid) - cpuBefore };
}

/** User and system time of a process on Linux, which counts in hundredths of a second. */
function cpuMs(pid: number): number {
  const [utime, stime] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ").slice(11, 13);
  return (Number(utime) + Number(stime)) * 10;
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
