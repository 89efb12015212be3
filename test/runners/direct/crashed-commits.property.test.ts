/**
 * Property: a random pipeline that is thrown down at random places of its commits writes into PostgreSQL what one
 * does that never was, wherever its state is. `MILLRACE_SEEDS` says how many seeds, `MILLRACE_SEED` the first: alone, it
 * runs one again.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "chai";
import { DirectRunner } from "../../../runners/direct/direct-runner.js";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { translate } from "../../../runners/graph/translate.js";
import type { LocalStoreOptions } from "../../../runners/job/runner.js";
import { SqlSession } from "../../../sql/sql-session.js";
import { Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";
import type { DoFn, FinishBundleContext, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { type Failpoint, onFailpoint } from "../../../transforms/primitives/failpoint.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { systemClock } from "../../../transforms/primitives/system-clock.js";
import { buildPlan } from "../../model/support/build-plan.js";
import { canonicalText, plain } from "../../model/support/canonical-text.js";
import { randomPlan } from "../../model/support/random-plan.js";
import { buildModel } from "../../model/support/run-model.js";
import { CommittedMemory, Crash } from "../../support/memory-committer.js";
import { type FreshDatabase, freshDatabase } from "../../support/postgres.js";
import { runThroughCrashes } from "../../support/restarted-plan.js";
import { Choice, chooseSeed } from "../../support/seeded-choice.js";

const SEEDS_DEFAULT = 20;
const SEEDS_PER_TEST = 20;
const STARTS_MAX = 300;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const WHERE = ["memory", "database", "local"] as const;

/** Writes what it is given as lines, in the epoch's transaction. */
class WriteLinesFn implements DoFn {
  readonly observesWindows = true;
  #lines: string[] = [];

  constructor(readonly pipeline: string) {}

  process(element: unknown, { timestampMs, window, pane }: ProcessContext): void {
    this.#lines.push(canonicalText({ value: plain(element), timestampMs, window: window.id, pane }));
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    const lines = this.#lines.splice(0);
    if (lines.length === 0) return;
    const transaction = await context.transaction();
    await transaction.execute("insert into lines select $1, unnest($2::text[])", [this.pipeline, lines]);
  }
}
const WRITE_LINES = registerDoFn(
  "test/crashed-commits-lines@1",
  (pipeline: string) => new WriteLinesFn(pipeline),
);

describe("random pipelines thrown down in their commits (property)", function () {
  this.timeout(600_000);
  const isOne = (process.env["MILLRACE_SEED"] ?? "") !== "";
  const count = Number(process.env["MILLRACE_SEEDS"] ?? (isOne ? 1 : SEEDS_DEFAULT));
  const first = chooseSeed();
  let database: FreshDatabase;
  let session: SqlSession;
  let directory: string;
  /** Places at which a run was thrown down. */
  const visited = new Set<Failpoint>();
  before(async () => {
    database = await freshDatabase();
    session = await SqlSession.connect({ connection: database.connection, applicationName: "test" });
    await session.query("create table lines (pipeline text not null, line text not null)");
    directory = await mkdtemp(join(tmpdir(), "millrace-thrown-"));
  });
  after(async () => {
    onFailpoint(undefined);
    await session.close();
    await database.drop();
    await rm(directory, { recursive: true });
  });

  async function linesOf(pipeline: string): Promise<string> {
    const rows = await session.query<{ line: string }>("select line from lines where pipeline = $1", [
      pipeline,
    ]);
    return rows
      .map(({ line }) => line)
      .sort()
      .join("\n");
  }

  async function expectedOf(seed: number): Promise<string> {
    const { pipeline, collected } = buildModel((root) => buildPlan(root, randomPlan(seed)));
    const options = { bundleElementsMax: 1, onRestart: () => undefined };
    await runThroughCrashes(translate(graphProto(pipeline)), new CommittedMemory(), options);
    const lines = collected("groups").map((one) => canonicalText({ ...one, window: one.window.id }));
    return lines.sort().join("\n");
  }

  function storeOf(where: (typeof WHERE)[number], choice: Choice): LocalStoreOptions | undefined {
    if (where === "memory") return undefined;
    return {
      ...{ directory, durability: where, residentBytesMax: choice.of([0, 5_000]) },
      ...{ waitingBytesMax: choice.of([0, 2_000, 100_000]), pieceBytes: choice.of([100, 1_000]) },
      snapshotEpochs: choice.between(1, 8),
    };
  }

  /** @returns whether it has come to its end */
  async function start(
    seed: number,
    pipeline: string,
    localStore: LocalStoreOptions | undefined,
  ): Promise<boolean> {
    const graph = new Pipeline();
    const sink = withName("Write lines", registeredParDo<unknown, never>(WRITE_LINES, pipeline));
    buildPlan(new Root(graph), randomPlan(seed), sink);
    const job = await new DirectRunner().run(graph, {
      ...{ pipeline, connection: database.connection, once: false, takeover: false, bundleElementsMax: 1 },
      ...{ retryTimeoutMs: 2_000, clock: systemClock, log: SILENT, localStore },
    });
    const state = await job.waitUntilFinish();
    if (state === "DONE") return true;
    const { failure } = job;
    if (failure instanceof Crash || failure?.cause instanceof Crash) return false;
    throw failure ?? new Error(`the job ended ${state}`);
  }

  async function checkSeed(seed: number): Promise<number> {
    const expected = await expectedOf(seed);
    let crashes = 0;
    for (const where of WHERE) {
      const choice = new Choice(~seed);
      const share = choice.of([0.01, 0.05, 0.15]);
      const pipeline = `p${seed}-${where}`;
      onFailpoint((name) => {
        if (crashes >= STARTS_MAX || !choice.isHit(share)) return;
        visited.add(name);
        crashes++;
        throw new Crash(name);
      });
      const localStore = storeOf(where, choice);
      while (!(await start(seed, pipeline, localStore))) {}
      onFailpoint(undefined);
      assert.equal(await linesOf(pipeline), expected, `state in ${where}`);
    }
    return crashes;
  }

  for (let from = 0; from < count; from += SEEDS_PER_TEST) {
    const until = Math.min(count, from + SEEDS_PER_TEST);
    it(`write what those do that never were, seeds ${first + from} to ${first + until - 1}`, async () => {
      let crashes = 0;
      for (let seed = first + from; seed < first + until; seed++) {
        crashes += await checkSeed(seed).catch((error: Error) => {
          throw new Error(`MILLRACE_SEED=${seed} fails: ${error.message}`, { cause: error });
        });
      }
      if (until - from > 10) assert.isAbove(crashes, 0, "crashes");
    });
  }

  // A few seeds alone need not have come to all of them.
  if (count < SEEDS_PER_TEST) return;
  it("are thrown down at every place of a commit", () => {
    const places: readonly Failpoint[] = [
      ...(["before-transaction", "after-begin", "after-state", "after-ledger", "before-commit"] as const),
      ...(["after-commit", "after-apply", "before-finalize", "after-finalize"] as const),
    ];
    assert.includeMembers([...visited], [...places]);
  });
});
