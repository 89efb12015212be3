/** Scenarios of metrics: counters, distributions and gauges by step, attempted and committed. */
import { expect } from "chai";
import { type PCollection, withName } from "../../transforms/primitives/beam.js";
import type {
  BundleContext,
  DoFn,
  ElementContext,
  ProcessContext,
} from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { parDo } from "./support/local-do-fn.js";
import { portableTarget } from "./support/portable-targets.js";
import { type ModelRun, runModel, startModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, kv, streamed } from "./support/sources.js";

/** Counts elements, and keeps a distribution of them; emits each twice. */
class CountingFn implements DoFn<number> {
  process(element: number, context: ProcessContext): void {
    context.metrics.counter("count").inc();
    context.metrics.distribution("input").update(element);
    context.metrics.gauge("last").set(element);
    context.output(element);
    context.output(element);
  }
}

const runCounting = () =>
  runModel((root) =>
    elements(root, [5, 8, 13])
      .apply(parDo<number, number>("First", () => new CountingFn()))
      .apply(parDo("Second", () => new CountingFn())),
  );

type Kind = "counters" | "distributions" | "gauges";

/**
 * What the job tells of a metric, as [attempted, committed]; of a gauge without its time. Of Beam's job servers each
 * knows one of the two for certain: Spark what was attempted, Prism what is committed.
 */
function metric(run: ModelRun, kind: Kind, step: string, name: string): readonly unknown[] {
  const results = run.result.metrics({ step, name })[kind];
  expect(results, `${kind} "${name}" of ${step}`).to.have.length(1);
  let [{ attempted, committed }] = results as unknown as [{ attempted: unknown; committed: unknown }];
  if (portableTarget !== undefined && committed !== undefined) attempted = committed;
  if (portableTarget === "spark") committed = attempted;
  return kind === "gauges" ? [gaugeValue(attempted), gaugeValue(committed)] : [attempted, committed];
}

const gaugeValue = (gauge: unknown) => (gauge as { value: number } | undefined)?.value;

/** A step that updates metrics only where it is told. */
const metricsOnly = (name: string, doFn: () => DoFn<number>) => (numbers: PCollection<number>) =>
  numbers.apply(parDo(name, doFn));

scenariosOf("metrics", (it) => {
  it("counters are attempted and committed, by step", ["counter", "committed metrics"], async () => {
    const run = await runCounting();
    expect(metric(run, "counters", "First", "count")).to.deep.equal([3, 3]);
    expect(metric(run, "counters", "Second", "count")).to.deep.equal([6, 6]);
  });

  it(
    "distributions have count, sum, minimum and maximum",
    ["distribution", "committed metrics"],
    async () => {
      const run = await runCounting();
      const first = { count: 3, sum: 26, min: 5, max: 13 };
      const second = { count: 6, sum: 52, min: 5, max: 13 };
      expect(metric(run, "distributions", "First", "input")).to.deep.equal([first, first]);
      expect(metric(run, "distributions", "Second", "input")).to.deep.equal([second, second]);
    },
  );

  it("a gauge keeps the last value", ["gauge", "committed metrics"], async () => {
    const run = await runCounting();
    expect(metric(run, "gauges", "First", "last")).to.deep.equal([13, 13]);
  });

  it(
    "startBundle and finishBundle may update metrics",
    ["counter", "distribution", "lifecycle"],
    async () => {
      const update = ({ metrics }: BundleContext, value: number) =>
        metrics.distribution("bundle").update(value);
      const run = await runModel((root) =>
        metricsOnly("Bundles", () => ({
          startBundle: (context) => update(context, 10),
          process() {},
          finishBundle: (context) => update(context, 40),
        }))(elements(root, [1, 2])),
      );
      const [attempted, committed] = metric(run, "distributions", "Bundles", "bundle");
      expect(committed).to.deep.equal(attempted);
      const { count, sum, min, max } = committed as { count: number; sum: number; min: number; max: number };
      expect({ sum, min, max }).to.deep.equal({ sum: 25 * count, min: 10, max: 40 });
    },
  );

  it("timers and their callbacks may update metrics", ["counter", "event-time timers"], async () => {
    const run = await runModel((root) => {
      const timer = eventTimeTimer();
      elements(root, [kv("a", 1), kv("b", 2)]).apply(
        parDo("Timers", () => ({
          timer,
          process: (_element: KV<string, number>, context: ProcessContext) => context.timer(timer).set(3),
          onTimer: (_timer: FiredTimer, { metrics }: ElementContext) => metrics.counter("fired").inc(),
        })),
      );
    });
    expect(metric(run, "counters", "Timers", "fired")).to.deep.equal([2, 2]);
  });

  it("counters count down too, and by more than 2^31", ["counter", "coders"], async () => {
    const run = await runModel((root) =>
      metricsOnly("Count", () => ({
        process(element, { metrics }) {
          metrics.counter("big").inc(element);
          metrics.counter("down").inc(-1);
        },
      }))(elements(root, [3_000_000_000, 3_000_000_000])),
    );
    expect(metric(run, "counters", "Count", "big")).to.deep.equal([6_000_000_000, 6_000_000_000]);
    expect(metric(run, "counters", "Count", "down")).to.deep.equal([-2, -2]);
  });

  it("bundles add up: none counts twice", ["counter", "distribution", "TestStream"], async () => {
    const run = await runModel((root) =>
      streamed(
        root,
        testStream<number>()
          .addElements(at(0, 1), at(0, 2))
          .advanceWatermarkTo(5)
          .addElements(at(5, 3))
          .advanceWatermarkTo(9)
          .addElements(at(9, 4))
          .advanceWatermarkToInfinity(),
      ).apply(parDo("Count", () => new CountingFn())),
    );
    expect(metric(run, "counters", "Count", "count")).to.deep.equal([4, 4]);
    const values = { count: 4, sum: 10, min: 1, max: 4 };
    expect(metric(run, "distributions", "Count", "input")).to.deep.equal([values, values]);
    expect(metric(run, "gauges", "Count", "last")).to.deep.equal([4, 4]);
  });

  it(
    "the metrics of a bundle that fails are attempted, never committed",
    ["committed metrics", "faults"],
    async () => {
      const run = await startModel((root) =>
        metricsOnly("Count", () => ({
          process(element, { metrics }) {
            metrics.counter("count").inc();
            if (element === 3) throw new Error("three is bad");
          },
        }))(elements(root, [1, 2, 3, 4])),
      );
      await run.result.waitUntilFinish();
      expect(metric(run, "counters", "Count", "count")).to.deep.equal([3, undefined]);
    },
  );

  it("a filter selects steps and names", ["counter"], async () => {
    const run = await runCounting();
    const steps = (filter: { step?: string; name?: string }) =>
      run.result.metrics(filter).counters.map(({ step, name }) => `${step} ${name}`);
    expect(steps({ name: "count" }).sort()).to.deep.equal(["First count", "Second count"]);
    expect(steps({ step: "First", name: "count" })).to.deep.equal(["First count"]);
    expect(steps({ name: "no such name" })).to.deep.equal([]);
  });

  it("the SDK's own look at counters and distributions works", ["counter", "distribution"], async () => {
    const { result } = await runCounting();
    const counters = await result.counters();
    const distributions = await result.distributions();
    expect(counters["count"]).to.equal(9);
    expect(distributions["input"]).to.deep.equal({ count: 9, sum: 78, min: 5, max: 13 });
  });

  it(
    "elements dropped for their lateness are counted under the step that drops them",
    ["counter", "allowed lateness", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          testStream<KV<string, number>>()
            .addElements(at(1, kv("a", 1)))
            .advanceWatermarkTo(20)
            .addElements(at(2, kv("a", 2)), at(3, kv("b", 3)), at(21, kv("b", 4)))
            .advanceWatermarkToInfinity(),
        )
          .apply(into<KV<string, number>>("Window", fixedWindows(10)))
          .apply(withName("Group", groupByKey<string, number>())),
      );
      expect(metric(run, "counters", "Group", "droppedDueToLateness")).to.deep.equal([2, 2]);
    },
  );

  it(
    "so are those that come behind the expiration of a stateful step's window",
    ["counter", "value state", "TestStream"],
    async () => {
      const run = await runModel((root) => {
        const state = valueState<number>();
        streamed(
          root,
          testStream<KV<string, number>>()
            .addElements(at(1, kv("a", 1)))
            .advanceWatermarkTo(20)
            .addElements(at(2, kv("a", 2)), at(3, kv("b", 3)), at(4, kv("c", 4)), at(21, kv("b", 5)))
            .advanceWatermarkToInfinity(),
        )
          .apply(into<KV<string, number>>("Window", fixedWindows(10)))
          .apply(
            parDo("Stateful", () => ({
              state,
              process: (_element: KV<string, number>, { metrics }: ProcessContext) =>
                metrics.counter("seen").inc(),
            })),
          );
      });
      expect(metric(run, "counters", "Stateful", "seen")).to.deep.equal([2, 2]);
      expect(metric(run, "counters", "Stateful", "droppedDueToLateness")).to.deep.equal([3, 3]);
    },
  );
});
