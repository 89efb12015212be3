/** deduplicatePerKey: what it keeps, bundle by bundle, and what it passes of random streams beside a naive evaluation. */
import { expect } from "chai";
import fc from "fast-check";
import { BundleProcessor } from "../../runners/bundle/bundle-processor.js";
import { EngineHost } from "../../runners/direct/engine-host.js";
import { hostedGraph } from "../../runners/direct/hosted-graph.js";
import { Engine } from "../../runners/engine/engine.js";
import { toEngineGraph } from "../../runners/graph/engine-graph.js";
import { graphProto } from "../../runners/graph/graph-proto.js";
import { translate } from "../../runners/graph/translate.js";
import { deduplicatePerKey } from "../../transforms/deduplicate-per-key.js";
import { Pipeline, Root, withName } from "../../transforms/primitives/beam.js";
import { systemClock } from "../../transforms/primitives/system-clock.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import type { TimeDomain } from "../../transforms/primitives/timer-spec.js";
import { GLOBAL_WINDOW, type KV, type Window } from "../../transforms/primitives/window.js";
import { fixedWindows, globalWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { collect, runModel } from "../model/support/run-model.js";
import { at, kv, streamed } from "../model/support/sources.js";
import { TestScope } from "../runners/bundle/test-scope.js";
import { checkAsyncProperty } from "../support/check-property.js";

type Pair = KV<string, number>;
type Script = ReturnType<typeof testStream<Pair>>;

/** Runs a script to its end; after each of its events, how many of the keys and windows have state. */
async function sizesOf(script: Script, timeDomain: TimeDomain, durationMs: number, keys: readonly string[]) {
  const pipeline = new Pipeline();
  streamed(new Root(pipeline), script).apply(
    withName("Dedupe", deduplicatePerKey<string, number>({ horizon: { timeDomain, durationMs } })),
  );
  const plan = translate(graphProto(pipeline));
  const graph = toEngineGraph(plan);
  const engine = new Engine(graph, { processingTimeMs: 0 });
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const host = new EngineHost({
    ...{ engine, pipeline: "test", runId: "run", clock: systemClock, log, database: undefined },
    ...{ mode: "stream", signal: new AbortController().signal, graph: hostedGraph(graph, plan) },
  });
  const processors = new Map<string, BundleProcessor>();
  for (const stage of plan.stages) processors.set(stage.id, await BundleProcessor.create(stage, host));

  const sizes: number[] = [];
  const root = "Dedupe/DropRepeats";
  for (;;) {
    const bundle = engine.nextBundle();
    if (bundle === undefined) break;
    const processor = processors.get(bundle.stage)!;
    const scope = new TestScope((value) => value);
    scope.nowMs = engine.processingTimeMs;
    await processor.startBundle(scope);
    for (const input of bundle.inputs) await processor.process(input);
    await processor.finishBundle();
    const { emitted: outputs, timers, residuals } = scope;
    engine.apply(bundle, { outputs, timers, residuals });
    if (bundle.inputs.every((input) => input.root === root))
      sizes.push(keys.filter((key) => engine.state.has(root, key, GLOBAL_WINDOW)).length);
  }
  expect(engine.isDone, "the engine is at its end").to.equal(true);
  return sizes;
}

describe("deduplicatePerKey's state", () => {
  const KEYS = Array.from({ length: 1000 }, (_, n) => `key ${n}`);

  it("is that of the keys within the horizon of event time, however many there were", async () => {
    let script: Script = testStream<Pair>();
    for (const [n, key] of KEYS.entries())
      script = script.addElements(at(n, kv(key, n))).advanceWatermarkTo(n + 1);
    const sizes = await sizesOf(script.advanceWatermarkToInfinity(), "event-time", 10, KEYS);
    // A timer at n + 10 fires once the watermark is past it: of 11 keys at the most none has fired.
    expect(Math.max(...sizes)).to.equal(11);
    expect(sizes.at(-1)).to.equal(0);
  });

  it("is that of the keys within the horizon of processing time, however many there were", async () => {
    let script: Script = testStream<Pair>();
    for (const [n, key] of KEYS.entries())
      script = script.addElements(at(0, kv(key, n))).advanceProcessingTime(1);
    const sizes = await sizesOf(script.advanceWatermarkToInfinity(), "processing-time", 10, KEYS);
    expect(Math.max(...sizes)).to.equal(10);
    expect(sizes.at(-1)).to.equal(0);
  });

  it("does not grow with repeats", async () => {
    let script: Script = testStream<Pair>();
    for (let n = 0; n < 1000; n++) script = script.addElements(at(n, kv("a", n)));
    const sizes = await sizesOf(script.advanceWatermarkToInfinity(), "event-time", 10_000, ["a"]);
    expect(Math.max(...sizes)).to.equal(1);
    expect(sizes.at(-1)).to.equal(0);
  });
});

type Event =
  | { readonly kind: "elements"; readonly elements: readonly { key: string; aheadMs: number }[] }
  | { readonly kind: "watermark" | "processing-time"; readonly byMs: number };

interface Plan {
  readonly events: readonly Event[];
  readonly timeDomain: TimeDomain;
  readonly durationMs: number;
  readonly windows: "global" | "fixed" | "sliding";
  readonly allowedLatenessMs: number;
  readonly bundleElementsMax: number;
}

const WINDOW_FNS = {
  global: globalWindows(),
  fixed: fixedWindows(10),
  sliding: slidingWindows({ sizeMs: 10, periodMs: 5 }),
};

const plans: fc.Arbitrary<Plan> = fc.record({
  events: fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant("elements" as const),
        // Mostly within the watermark and in any order, now and then behind it.
        elements: fc.array(
          fc.record({ key: fc.constantFrom("a", "b", "c"), aheadMs: fc.integer({ min: -8, max: 25 }) }),
          { minLength: 1, maxLength: 6 },
        ),
      }),
      fc.record({
        kind: fc.constantFrom("watermark" as const, "processing-time" as const),
        byMs: fc.integer({ min: 1, max: 12 }),
      }),
    ),
    { maxLength: 25 },
  ),
  timeDomain: fc.constantFrom<TimeDomain>("event-time", "processing-time"),
  durationMs: fc.integer({ min: 1, max: 30 }),
  windows: fc.constantFrom("global", "fixed", "sliding"),
  allowedLatenessMs: fc.constantFrom(0, 7),
  bundleElementsMax: fc.constantFrom(1, 2, 1000),
});

/**
 * The plan's events with the times that they have, and the elements numbered. None is later than its horizon:
 * it would be forgotten at once, and how much comes with it is a matter of bundles.
 */
function timed({ events, durationMs }: Plan) {
  let watermarkMs = 0;
  let clockMs = 0;
  let count = 0;
  return events.map((event) => {
    if (event.kind === "watermark") watermarkMs += event.byMs;
    if (event.kind === "processing-time") clockMs += event.byMs;
    const elements =
      event.kind === "elements"
        ? event.elements.map(({ key, aheadMs }) =>
            at(Math.max(0, watermarkMs + Math.max(aheadMs, -durationMs)), kv(key, count++)),
          )
        : [];
    return { event, elements, watermarkMs, clockMs };
  });
}

/** What must pass, as `value window`, and how many repeats are dropped. */
function evaluateNaively(plan: Plan): { passed: string[]; duplicates: number } {
  const { timeDomain, durationMs, allowedLatenessMs } = plan;
  const windowFn = WINDOW_FNS[plan.windows];
  const expiryOf = (window: Window) =>
    plan.windows === "global" ? Number.POSITIVE_INFINITY : window.maxTimestampMs + allowedLatenessMs;
  const seen = new Map<string, { untilMs: number; expiresMs: number }>();
  const passed: string[] = [];
  let duplicates = 0;
  for (const { elements, watermarkMs, clockMs } of timed(plan)) {
    for (const { value, timestampMs } of elements) {
      for (const window of windowFn.assign(timestampMs, value)) {
        const expiresMs = expiryOf(window);
        if (watermarkMs > expiresMs) continue;
        const id = `${value.key} ${window.id}`;
        if (seen.has(id)) {
          duplicates++;
          continue;
        }
        const untilMs = timeDomain === "event-time" ? timestampMs + durationMs : clockMs + durationMs;
        seen.set(id, { untilMs, expiresMs });
        passed.push(`${value.value} ${window.id}`);
      }
    }
    for (const [id, { untilMs, expiresMs }] of seen) {
      const isForgotten = timeDomain === "event-time" ? watermarkMs > untilMs : clockMs >= untilMs;
      if (isForgotten || watermarkMs > expiresMs) seen.delete(id);
    }
  }
  return { passed, duplicates };
}

async function runPlan(plan: Plan): Promise<{ passed: string[]; duplicates: number }> {
  const { timeDomain, durationMs, allowedLatenessMs, bundleElementsMax } = plan;
  let script: Script = testStream<Pair>().advanceWatermarkTo(0);
  for (const { event, elements, watermarkMs } of timed(plan)) {
    if (event.kind === "elements") script = script.addElements(...elements);
    else if (event.kind === "watermark") script = script.advanceWatermarkTo(watermarkMs);
    else script = script.advanceProcessingTime(event.byMs);
  }
  const run = await runModel(
    (root) =>
      streamed(root, script.advanceWatermarkToInfinity())
        .apply(withName("Window", windowInto<Pair>(WINDOW_FNS[plan.windows], { allowedLatenessMs })))
        .apply(withName("Dedupe", deduplicatePerKey<string, number>({ horizon: { timeDomain, durationMs } })))
        .apply(collect("out")),
    { bundleElementsMax },
  );
  const [counter] = run.result.metrics({ name: "duplicates" }).counters;
  return {
    passed: run.collected("out").map(({ value, window }) => `${(value as Pair).value} ${window.id}`),
    duplicates: (counter?.committed as number | undefined) ?? 0,
  };
}

describe("deduplicatePerKey() over random streams", () => {
  it("passes and counts what a naive evaluation does, in any order of times, lateness, windows and bundles", async () => {
    await checkAsyncProperty(
      fc.asyncProperty(plans, async (plan) => {
        const [actual, expected] = [await runPlan(plan), evaluateNaively(plan)];
        expect({ ...actual, passed: actual.passed.sort() }).to.deep.equal({
          ...expected,
          passed: expected.passed.sort(),
        });
      }),
      500,
    );
  });
});
