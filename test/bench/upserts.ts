/** Upserts by version, here and into another database, beside the same by hand: COPY into a stage and one INSERT … ON CONFLICT DO UPDATE. */
import { EpochApplier } from "../../runners/direct/replay/apply-epoch.js";
import { CopyRows, copyField } from "../../sql/copy-text.js";
import { createSinkTables } from "../../sql/sink-ledger.js";
import type { SqlSession } from "../../sql/sql-session.js";
import { element } from "../runners/bundle/stages.js";
import type { FreshDatabase } from "../support/postgres.js";
import { Choice } from "../support/seeded-choice.js";
import { PIPELINE, SinkWorker } from "../support/sink-worker.js";
import { type BenchServer, withSession } from "./bench-server.js";
import { MachineMeter } from "./process-meter.js";
import { median, printTable, share } from "./report.js";

const SEED = 7;
const BUNDLE = 20_000;
/** Changes of a key in all. */
const CHANGES_PER_KEY = 4;
const columns = ["shop", "minute", "amount", "version"];
const CREATE = `create table totals (shop text, minute timestamptz, amount bigint not null,
  version bigint not null, gone boolean not null default false, primary key (shop, minute))`;
const WAYS = ["by hand", "writeRowsToPostgres", "with a tombstone column", "into another database"] as const;

interface Row {
  readonly shop: string;
  readonly minute: string;
  readonly amount: number;
  readonly version: number;
  readonly [column: string]: string | number;
}

export interface UpsertsResult {
  readonly way: (typeof WAYS)[number];
  readonly wallS: number;
  /** Of this process. */
  readonly ownCpuS: number;
  readonly postgresCpuS: number;
  readonly foreignShare: number;
}

/** Each way `pairs` times, by turns. @throws when a table is not that of the greatest versions */
export async function measureUpserts(
  server: BenchServer,
  changes: number,
  pairs: number,
): Promise<UpsertsResult[]> {
  const bundles = randomBundles(changes);
  const keys = new Set(bundles.flat().map(({ shop, minute }) => `${shop} ${minute}`)).size;
  const results: UpsertsResult[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    for (const way of WAYS) {
      const { connection, drop } = await server.migrated();
      await withSession(connection, async (session) => {
        await session.query(CREATE);
        const meter = new MachineMeter(server.postmasterPid);
        const before = process.cpuUsage();
        if (way === "by hand") await upsertByHand(session, bundles);
        else if (way === "into another database") await upsertElsewhere(server, connection, session, bundles);
        else await upsertByStep(session, bundles, way === "with a tombstone column");
        const { user, system } = process.cpuUsage(before);
        const { wallS, postgresCpuS, foreignShare } = meter.read();
        results.push({ way, wallS, ownCpuS: (user + system) / 1e6, postgresCpuS, foreignShare });
        if (way !== "into another database") await expectRows(way, session, keys);
      });
      await drop();
    }
  }
  return results;
}

/** @throws when the table is not that of the greatest versions */
async function expectRows(way: string, session: SqlSession, keys: number): Promise<void> {
  const [stored] = await session.query<{ rows: number; wrong: number }>(
    "select count(*)::int as rows, count(*) filter (where amount <> version * 10)::int as wrong from totals",
  );
  if (stored!.rows !== keys || stored!.wrong > 0) {
    throw new Error(`${way}: ${stored!.rows} rows of ${keys}, ${stored!.wrong} of them wrong`);
  }
}

export function printUpserts(results: readonly UpsertsResult[], changes: number): void {
  const figure = (of: readonly UpsertsResult[], pick: (result: UpsertsResult) => number) =>
    median(of.map(pick));
  const rows = WAYS.map((way) => {
    const of = results.filter((result) => result.way === way);
    const cpuS = figure(of, ({ ownCpuS, postgresCpuS }) => ownCpuS + postgresCpuS);
    return [
      way,
      figure(of, ({ wallS }) => wallS).toFixed(2),
      figure(of, ({ ownCpuS }) => ownCpuS).toFixed(2),
      figure(of, ({ postgresCpuS }) => postgresCpuS).toFixed(2),
      Math.round(changes / cpuS).toLocaleString("en-US"),
      share(figure(of, ({ foreignShare }) => foreignShare)),
    ];
  });
  const title = `${changes.toLocaleString("en-US")} upserts, ${CHANGES_PER_KEY} a key, transactions of ${BUNDLE}; medians`;
  printTable(
    title,
    ["", "wall s", "own CPU s", "PostgreSQL CPU s", "upserts a CPU second", "foreign CPU"],
    rows,
  );
}

/** What a program would do that knows that no key comes twice in a transaction with one version. */
async function upsertByHand(session: SqlSession, bundles: readonly (readonly Row[])[]): Promise<void> {
  const list = columns.join(", ");
  await session.query(`create temporary table stage on commit delete rows as
    select 0::integer as row_index, ${list} from totals limit 0`);
  const rows = new CopyRows();
  for (const bundle of bundles) {
    rows.clear();
    for (const row of bundle) rows.push(columns.map((column) => copyField(row[column])).join("\t"));
    await session.begin();
    await session.copy(`copy stage (row_index, ${list}) from stdin`, rows.chunks(0, rows.length));
    await session.execute(`insert into totals as stored (${list})
      select distinct on (shop, minute) ${list} from stage order by shop, minute, version desc
      on conflict (shop, minute) do update set amount = excluded.amount, version = excluded.version
      where stored.version < excluded.version`);
    await session.commit();
  }
}

async function upsertByStep(
  session: SqlSession,
  bundles: readonly (readonly Row[])[],
  hasTombstones: boolean,
): Promise<void> {
  const table = {
    ...{ table: "totals", columns, conflictKey: ["shop", "minute"], version: "version" },
    ...{ operation: "upsert" as const, ...(hasTombstones ? { tombstone: "gone" } : {}) },
  };
  const worker = await SinkWorker.changes(table, { session });
  for (const bundle of bundles) await worker.commit(bundle.map((row) => element(row)));
}

/** Logged here, and replayed into a second database of the server while the next bundles are logged. */
async function upsertElsewhere(
  server: BenchServer,
  connection: FreshDatabase["connection"],
  session: SqlSession,
  bundles: readonly (readonly Row[])[],
): Promise<void> {
  const other = await server.migrated();
  await withSession(connection, (queries) =>
    withSession(other.connection, async (there) => {
      await there.query(CREATE);
      await createSinkTables(there);
      const key = { pipeline: PIPELINE, shard: 0 };
      const log = { debug() {}, info() {}, warn() {}, error() {} };
      const applier = new EpochApplier({ key, database: "other", queries, log });
      applier.connected(there);
      let epoch = 0;
      const table = { table: "totals", columns, conflictKey: ["shop", "minute"], version: "version" };
      const worker = await SinkWorker.changes(
        { ...table, operation: "upsert", database: "other" },
        {
          session,
          get epoch() {
            return epoch;
          },
        },
      );
      let replayed: Promise<void> = Promise.resolve();
      for (const bundle of bundles) {
        epoch += 1;
        const replayedEpoch = epoch;
        await worker.commit(bundle.map((row) => element(row)));
        replayed = replayed.then(async () => {
          await applier.apply(replayedEpoch);
          await queries.query("delete from sink_outbox where epoch <= $1", [replayedEpoch]);
        });
      }
      await replayed;
      const keys = new Set(bundles.flat().map(({ shop, minute }) => `${shop} ${minute}`)).size;
      await expectRows("into another database", there, keys);
    }),
  );
  await other.drop();
}

/** In any order, so that some are late. */
function randomBundles(changes: number): Row[][] {
  const choice = new Choice(SEED);
  const rows = Array.from({ length: changes }, (_, at): Row => {
    const key = Math.floor(at / CHANGES_PER_KEY);
    const version = (at % CHANGES_PER_KEY) + 1;
    const minute = new Date(Math.floor(key / 1_000) * 60_000).toISOString();
    return { shop: `shop-${key % 1_000}`, minute, amount: version * 10, version };
  });
  const shuffled = choice.shuffled(rows);
  return Array.from({ length: Math.ceil(changes / BUNDLE) }, (_, at) =>
    shuffled.slice(at * BUNDLE, (at + 1) * BUNDLE),
  );
}
