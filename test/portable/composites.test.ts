/** The composites on real job servers, in one graph that asserts its own results; and an assertion that does not hold. */
import { expect } from "chai";
import type { RunningJobServer } from "../../runners/portable/job-servers/start-job-server.js";
import { portableRunner } from "../../runners/portable/portable-runner.js";
import { assertThat } from "../../transforms/assert-that.js";
import { coGroupByKey } from "../../transforms/co-group-by-key.js";
import { count } from "../../transforms/count.js";
import { max, min } from "../../transforms/extremes.js";
import { groupIntoBatches } from "../../transforms/group-into-batches.js";
import { latest } from "../../transforms/latest.js";
import { mean } from "../../transforms/mean.js";
import { periodicImpulse } from "../../transforms/periodic-impulse.js";
import { P, type PCollection, type Root, withName } from "../../transforms/primitives/beam.js";
import { create } from "../../transforms/primitives/create.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { IntervalWindow, type KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { sum } from "../../transforms/sum.js";
import { top } from "../../transforms/top.js";
import {
  ARE_AT_MOST,
  ARE_BATCHES_OF,
  AS_IT_SAYS,
  BY_SHOP,
  JOINED,
  NEVER_EARLY,
  type Sale,
} from "./composites-fns.js";
import { KeptLog, startServer, type Target, targets } from "./targets.js";

const module = new URL("./composites-fns.js", import.meta.url);

type Pair = KV<string, number>;

/** The numbers below 40, by parity, ten to each window of 10 ms. */
const VALUES = Array.from({ length: 40 }, (_, i) => i);
const keyOf = (value: number) => (value % 2 === 0 ? "even" : "odd");
const of = (key: string) => VALUES.filter((value) => keyOf(value) === key);

/** Seconds: a job that has started by then has to wait for the last ones. */
const TICKS = 15;

const first = new IntervalWindow(0, 10);
const last = new IntervalWindow(30, 40);

interface Inputs {
  /** In windows of 10 ms. */
  readonly pairs: PCollection<Pair>;
  /** In the global window. */
  readonly numbers: PCollection<number>;
  readonly none: PCollection<number>;
}

function inputs(root: Root): Inputs {
  const pairs = VALUES.map((value) => ({ key: keyOf(value), value }));
  return {
    pairs: root
      .apply(withName("Pairs", create<Pair>(pairs, { timestampMs: (index) => index })))
      .apply(withName("Windows", windowInto<Pair>(fixedWindows(10)))),
    numbers: root.apply(withName("Numbers", create(VALUES, { timestampMs: (index) => 100 - index }))),
    none: root.apply(withName("None", create<number>([]))),
  };
}

/** @returns the number of its assertions, as of the others */
function combining({ pairs, numbers, none }: Inputs): number {
  const latestOfKeys = pairs.apply(withName("Latest", latest.perKey<string, number>()));
  assertThat(latestOfKeys)
    .inWindow(last)
    .containsInAnyOrder([
      { key: "even", value: 38 },
      { key: "odd", value: 39 },
    ]);
  assertThat(numbers.apply(withName("Latest of all", latest.globally<number>()))).containsInAnyOrder([0]);
  assertThat(none.apply(withName("Latest of none", latest.globally<number>()))).containsInAnyOrder([null]);

  const means = pairs.apply(withName("Mean", mean.perKey<string>()));
  assertThat(means)
    .inOnTimePane(first)
    .containsInAnyOrder([
      { key: "even", value: 4 },
      { key: "odd", value: 5 },
    ]);
  assertThat(numbers.apply(withName("Mean of all", mean.globally()))).containsInAnyOrder([19.5]);
  assertThat(none.apply(withName("Mean of none", mean.globally()))).containsInAnyOrder([Number.NaN]);
  assertThat(none.apply(withName("No mean", mean.globally({ withoutDefaults: true })))).isEmpty();

  assertThat(numbers.apply(withName("Sum", sum.globally()))).containsInAnyOrder([780]);
  assertThat(numbers.apply(withName("Min", min.globally<number>()))).containsInAnyOrder([0]);
  assertThat(numbers.apply(withName("Max", max.globally<number>()))).containsInAnyOrder([39]);
  assertThat(pairs.apply(withName("Count", count.globally({ withoutDefaults: true })))).containsInAnyOrder([
    ...[10, 10, 10, 10],
  ]);
  return 11;
}

function ordering(root: Root, { pairs, none }: Inputs): number {
  assertThat(pairs.apply(withName("Largest", top.largestPerKey<string, number>(2))))
    .inWindow(first)
    .containsInAnyOrder([
      { key: "even", value: [8, 6] },
      { key: "odd", value: [9, 7] },
    ]);
  assertThat(none.apply(withName("Largest of none", top.largest<number>(3)))).containsInAnyOrder([[]]);
  const sales: readonly Sale[] = ["c", "a", "d", "b"].map((shop, price) => ({ shop, price }));
  const all = root.apply(withName("Sales", create(sales)));
  const byShop = top.of<Sale>(2, { comparison: BY_SHOP, config: { sign: -1 } });
  assertThat(all.apply(withName("By shop", byShop))).containsInAnyOrder([[sales[1]!, sales[3]!]]);
  const cheapest = top.smallest<Sale>(1, { field: "price" });
  assertThat(all.apply(withName("Cheapest", cheapest))).containsInAnyOrder([[sales[0]!]]);
  return 4;
}

/** A batch that waits for the clock at the end of a bounded input keeps Beam's Flink in streaming for ever. */
function batching({ pairs }: Inputs, { name }: Target): number {
  const limits = name === "Flink streaming" ? {} : { maxBufferingDurationMs: 20 };
  const batches = pairs.apply(
    withName("Batch", groupIntoBatches<string, number>({ batchSize: 2, ...limits })),
  );
  const values = { even: of("even"), odd: of("odd") };
  assertThat(batches).satisfies(ARE_BATCHES_OF, { values, sizeMax: 2 });
  const unhurried = pairs.apply(
    withName(
      "Batch by size",
      groupIntoBatches<string, number>({
        ...{ batchBytes: 100, sizeFn: { fn: AS_IT_SAYS } },
      }),
    ),
  );
  assertThat(unhurried).satisfies(ARE_BATCHES_OF, { values, sumMax: 100 });
  // The windows' sums by key are 20 to 185: one batch each but for the last two windows.
  assertThat(unhurried).satisfies(ARE_AT_MOST, 14);
  return 3;
}

function joining(root: Root, { pairs }: Inputs): number {
  const names = root
    .apply(
      withName(
        "Names",
        create<KV<string, string>>(
          [
            { key: "even", value: "two" },
            { key: "even", value: "four" },
            { key: "prime", value: "five" },
          ],
          { timestampMs: [2, 4, 5] },
        ),
      ),
    )
    .apply(withName("Name windows", windowInto<KV<string, string>>(fixedWindows(10))));
  const joined = P({ left: pairs, right: names }).apply(
    withName("Join", coGroupByKey<string, { left: number; right: string }>()),
  );
  assertThat(joined)
    .inWindow(first)
    .satisfies(JOINED, ["even 0,2,4,6,8 four,two", "odd 1,3,5,7,9 ", "prime  five"]);
  return 1;
}

function ticking(root: Root): number {
  const ticks = root.apply(
    withName("Ticks", periodicImpulse({ startMs: 5, intervalMs: 10, stopMs: 10_000, applyWindowing: true })),
  );
  assertThat(ticks).inWindow(last).containsInAnyOrder([35]);
  assertThat(
    ticks.apply(withName("Count ticks", count.globally({ withoutDefaults: true }))),
  ).containsInAnyOrder(Array.from({ length: 1_000 }, () => 1));
  return 2;
}

/** Spark starts a worker for each of the graph's many stages, unless they are kept. */
const keptWorkers = ({ name }: Target) => (name === "Spark" ? { environment_cache_millis: 60_000 } : {});

for (const target of targets) {
  describe(`composites on ${target.name}`, () => {
    let server: RunningJobServer;

    before("server", async function () {
      this.timeout(600_000); // it may have to be installed
      server = await startServer(target.server);
    });
    after(() => server.stop());

    const runnerOf = () =>
      portableRunner({
        ...{
          jobEndpoint: server.endpoint,
          modules: [module],
          pipelineOptions: { ...target.options, ...keptWorkers(target) },
        },
        log: new KeptLog(),
      });

    it("give what they should, as each of their assertions says", async function () {
      this.timeout(400_000);
      let assertions = 0;
      const result = await runnerOf().run((root) => {
        const all = inputs(root);
        assertions += combining(all);
        assertions += ordering(root, all);
        assertions += batching(all, target);
        assertions += joining(root, all);
        assertions += ticking(root);
      });
      expect(await result.counters()).to.deep.equal({ assertions_passed: assertions });
    });

    // Beam's runner on Spark resumes no splittable DoFn: what is not due yet would fail the job
    if (target.name !== "Spark") {
      it("periodicImpulse emits by the clock, resumed whenever the next is due", async () => {
        const startMs = Date.now();
        const result = await runnerOf().run((root) => {
          const ticks = root.apply(
            withName(
              "Ticks",
              periodicImpulse({ startMs, intervalMs: 1_000, stopMs: startMs + TICKS * 1_000 }),
            ),
          );
          const seen = P(ticks).apply(withName("Seen", registeredParDo<number, number>(NEVER_EARLY, null)));
          assertThat(seen).containsInAnyOrder(Array.from({ length: TICKS }, (_, n) => startMs + n * 1_000));
        });
        expect(await result.counters()).to.deep.equal({ assertions_passed: 1 });
      });
    }

    it("an assertion that does not hold fails the job with its name and what is missing", async () => {
      let failure: Error | undefined;
      await runnerOf()
        .run((root) => {
          const { none } = inputs(root);
          assertThat(none, "Nothing is something").containsInAnyOrder([5, 7]);
        })
        .catch((error: Error) => {
          failure = error;
        });
      expect(failure?.message).to.contain(
        'assertion "Nothing is something" does not hold: expected 2 elements, got 0 elements; ' +
          "missing: 5, 7; unexpected: none",
      );
    });
  });
}
