/** writeChangesToPostgres(): whatever order, bundles and attempts changes come in, each row is that of its greatest version. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { classify } from "../../sql/sql-state.js";
import type { RowChange } from "../../transforms/row-change.js";
import { element } from "../runners/bundle/stages.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { SinkWorker } from "../support/sink-worker.js";

/** Of each kind of version column: a version as a step may be given it, rising with the number. */
const VERSIONS = {
  bigint: (n: number) => 9_007_199_254_740_990n + BigInt(n),
  numeric: (n: number) => (n / 4).toFixed(2 + (n % 3)),
  timestamptz: (n: number) => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString(),
} as const;
type VersionType = keyof typeof VERSIONS;

interface Change {
  readonly operation: "upsert" | "delete";
  readonly key: number;
  readonly version: number;
  /** The table refuses it. */
  readonly isBad: boolean;
}

const SCENARIOS = 24;
const LANES = 3;
const ATTEMPTS_MAX = 50;
const BACKOFF_MS = 20;
const TABLE = {
  ...{ table: "states", columns: ["part", "key", "note", "version"], conflictKey: ["key", "part"] },
  version: "version",
};

describe("writeChangesToPostgres, random changes", function () {
  this.timeout(120_000);
  const seed = chooseSeed();
  let database: MigratedDatabase;
  let session: SqlSession;
  beforeEach(async () => {
    database = await migratedDatabase();
    session = database.session;
  });
  afterEach(() => database.close());

  const createTable = (type: VersionType) =>
    session.query(`drop table if exists states; create table states (
      part text, key integer, note text check (note not like 'bad%'), version ${type} not null,
      gone boolean not null default false, primary key (part, key))`);
  const stored = async () =>
    (
      await session.query<{ key: number; note: string; gone: boolean }>(
        "select key, note, gone from states order by key",
      )
    ).map(({ key, note, gone }) => (gone ? `${key} gone` : `${key} ${note}`));

  it(`in several sessions, rolled back and repeated, with tombstones (MILLRACE_SEED=${seed})`, async () => {
    const choice = new Choice(seed);
    for (let scenario = 0; scenario < SCENARIOS; scenario++) {
      const type = choice.of(Object.keys(VERSIONS) as VersionType[]);
      await createTable(type);
      const changes = randomChanges(choice);
      const bundles = [
        ...cut(choice, changes),
        ...cut(
          choice,
          changes.filter(() => choice.isHit(0.3)),
        ),
      ];
      const plans = choice.shuffled(bundles).map((bundle) => ({
        bundle: choice.shuffled(bundle),
        isRolledBack: choice.isHit(0.2),
        isRepeated: choice.isHit(0.3),
      }));
      const lanes = Array.from({ length: LANES }, async (_, lane) => {
        await using line = await openLine();
        const open = () => line.worker({ ...TABLE, tombstone: "gone" }, true);
        for (const { bundle, isRolledBack, isRepeated } of plans.filter((_, at) => at % LANES === lane)) {
          await untilCommitted(open, bundle, type, isRolledBack);
          if (isRepeated) await untilCommitted(open, bundle, type, false);
        }
      });
      await Promise.all(lanes);
      expect(await stored(), `scenario ${scenario}, ${type}`).to.deep.equal(lastOf(changes, true));
    }
  });

  it(`in one session, each once, in the order of a key's versions, without tombstones (MILLRACE_SEED=${seed})`, async () => {
    const choice = new Choice(seed);
    for (let scenario = 0; scenario < SCENARIOS; scenario++) {
      const type = choice.of(Object.keys(VERSIONS) as VersionType[]);
      await createTable(type);
      const changes = randomChanges(choice).sort(byVersion);
      await using line = await openLine();
      const open = () => line.worker(TABLE, false);
      for (const bundle of cut(choice, changes)) await untilCommitted(open, bundle, type, choice.isHit(0.2));
      expect(await stored(), `scenario ${scenario}, ${type}`).to.deep.equal(lastOf(changes, false));
    }
  });

  it(`tells which changes PostgreSQL refuses, each bundle whole but for them (MILLRACE_SEED=${seed})`, async () => {
    const choice = new Choice(seed);
    for (let scenario = 0; scenario < SCENARIOS; scenario++) {
      await createTable("bigint");
      // of a key one change, so that none is overtaken
      const changes = Array.from({ length: choice.between(1, 200) }, (_, key): Change => {
        return { operation: "upsert", key, version: choice.between(1, 9), isBad: choice.isHit(0.1) };
      });
      await using line = await openLine();
      const worker = await line.worker(TABLE, false);
      const rejected: unknown[] = [];
      for (const bundle of cut(choice, choice.shuffled(changes))) {
        const done = await worker.commit(bundle.map((change) => element(changeOf(change, "bigint"))));
        rejected.push(...(done.values("rejected") as RowChange[]).map(({ row }) => row["key"]));
      }
      expect(rejected, `scenario ${scenario}`).to.have.members(
        changes.filter(({ isBad }) => isBad).map(({ key }) => key),
      );
      expect(await stored(), `scenario ${scenario}`).to.deep.equal(lastOf(changes, false));
    }
  });

  /** A session, and workers on it one after the other. */
  async function openLine() {
    const own = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    await own.query("set deadlock_timeout = '10ms'"); // bundles that lock up come again
    return {
      worker: (table: typeof TABLE & { tombstone?: string }, bundlesMayRepeat: boolean) =>
        SinkWorker.changes(table, { session: own, bundlesMayRepeat }),
      [Symbol.asyncDispose]: () => own.close(),
    };
  }
});

/** The oracle: of each key the greatest version that the table takes, at one version the delete. */
function lastOf(changes: readonly Change[], hasTombstones: boolean): string[] {
  const last = new Map<number, Change>();
  for (const change of changes) {
    const known = last.get(change.key);
    if (!change.isBad && (known === undefined || byVersion(known, change) < 0)) last.set(change.key, change);
  }
  return [...last.values()]
    .sort((a, b) => a.key - b.key)
    .flatMap((change) => {
      if (change.operation === "upsert") return [`${change.key} ${noteOf(change)}`];
      return hasTombstones ? [`${change.key} gone`] : [];
    });
}

function byVersion(a: Change, b: Change): number {
  return a.version - b.version || Number(a.operation === "delete") - Number(b.operation === "delete");
}

/** One version names one state, so what is bad of it is bad each time; no delete is. */
function randomChanges(choice: Choice): Change[] {
  const [keys, versions] = [choice.between(1, 12), choice.between(2, 20)];
  const badShare = choice.of([0, 0, 0.1, 0.5]);
  const isBad = new Map<string, boolean>();
  return Array.from({ length: choice.between(1, 150) }, () => {
    const [key, version] = [choice.between(1, keys), choice.between(1, versions)];
    const operation = choice.isHit(0.3) ? "delete" : "upsert";
    const id = `${key} ${version}`;
    if (!isBad.has(id)) isBad.set(id, choice.isHit(badShare));
    return { operation, key, version, isBad: operation === "upsert" && isBad.get(id)! };
  });
}

function cut<T>(choice: Choice, all: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let from = 0; from < all.length; ) {
    const length = choice.between(1, 40);
    parts.push(all.slice(from, from + length));
    from += length;
  }
  return parts;
}

function noteOf({ key, version, isBad }: Change): string {
  return `${isBad ? "bad" : "good"} ${key}/${version}`;
}

function changeOf(change: Change, type: VersionType): RowChange {
  const { operation, key } = change;
  const version = VERSIONS[type](change.version);
  const part = `part-${key % 3}`;
  return { operation, row: { part, key, version, ...(operation === "upsert" && { note: noteOf(change) }) } };
}

/** Runs the bundle until an attempt is committed, after one that is rolled back if that is wanted. */
async function untilCommitted(
  open: () => Promise<SinkWorker>,
  changes: readonly Change[],
  type: VersionType,
  isRolledBack: boolean,
): Promise<void> {
  const elements = changes.map((change) => element(changeOf(change, type)));
  let worker = await open();
  if (isRolledBack) {
    await worker.run(elements).then(
      (bundle) => bundle.rollback(),
      (error) => mustBeRetried(error, 0),
    );
    worker = await open();
  }
  for (let attempt = 1; ; attempt++) {
    try {
      // what fails is rolled back by the worker
      await worker.commit(elements);
      return;
    } catch (error) {
      mustBeRetried(error, attempt);
      await sleep(Math.random() * BACKOFF_MS); // else three of them may lock up again and again
      worker = await open();
    }
  }
}

function mustBeRetried(error: unknown, attempt: number): void {
  if (classify(error) !== "retry" || attempt > ATTEMPTS_MAX) throw error;
}
