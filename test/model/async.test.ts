/** Scenarios of asynchronous DoFns: promises, async iterables, bounded concurrency, order by key. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import { create } from "../../transforms/primitives/create.js";
import type {
  DoFn,
  ElementContext,
  FinishBundleContext,
  ProcessContext,
} from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { iterableSideInput } from "../../transforms/primitives/side-input-spec.js";
import { bagState, valueState } from "../../transforms/primitives/state-spec.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectElements, expectOutputs, expectPanes, runModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { elements, elementsAt, kv } from "./support/sources.js";

/** Lets `turns` turns of the event loop pass. */
async function pause(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
}

const NUMBERS = Array.from({ length: 100 }, (_, number) => number);

/** Works on each element for some turns, the later ones faster, and keeps how many it worked on at once. */
class ConcurrentFn implements DoFn<number> {
  declare readonly concurrencyMax?: number;
  readonly seen: { running: number; most: number };

  constructor(seen: { running: number; most: number }, concurrencyMax?: number) {
    this.seen = seen;
    if (concurrencyMax !== undefined) this.concurrencyMax = concurrencyMax;
  }

  async process(element: number, context: ProcessContext): Promise<void> {
    this.seen.running += 1;
    this.seen.most = Math.max(this.seen.most, this.seen.running);
    await pause(10 - (element % 10));
    context.output(element);
    this.seen.running -= 1;
  }
}

/** Reads a key's count, waits, writes it: right only if a key's elements do not overlap. */
class SlowCountFn implements DoFn<KV<string, number>> {
  readonly count = valueState<number>();
  readonly order = bagState<number>();

  async process({ key, value }: KV<string, number>, context: ProcessContext): Promise<void> {
    const count = context.state(this.count).read() ?? 0;
    await pause((10 - value) % 7);
    context.state(this.count).write(count + 1);
    context.state(this.order).add(value);
    context.output(kv(key, { count: count + 1, order: [...context.state(this.order).read()] }));
  }
}

scenariosOf("async DoFns", (it) => {
  it("a promise's outputs have their element's time and window", ["async DoFn", "timestamps"], async () => {
    const run = await runModel((root) =>
      elementsAt(root, [
        ["slow", 5],
        ["fast", 15],
      ])
        .apply(into<string>("Window", fixedWindows(10)))
        .apply(
          parDo("Async", () => ({
            async process(element: string, context: ProcessContext) {
              await pause(element === "slow" ? 20 : 1);
              context.output(element);
            },
          })),
        )
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: "slow", timestampMs: 5, window: "0/10" },
      { value: "fast", timestampMs: 15, window: "10/20" },
    ]);
  });

  it("what a promise gives is emitted", ["async DoFn"], async () => {
    const run = await runModel((root) =>
      elements(root, [1, 2])
        .apply(
          parDo("Async", () => ({
            async process(element: number) {
              await pause(1);
              return [element, element * 10];
            },
          })),
        )
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [1, 2, 10, 20]);
  });

  it("what an async iterable yields is emitted, in its order", ["async DoFn"], async () => {
    const run = await runModel((root) =>
      elements(root, [3])
        .apply(
          parDo("Async", () => ({
            async *process(element: number) {
              for (let i = 0; i < element; i++) {
                await pause(3 - i);
                yield i;
              }
            },
          })),
        )
        .apply(collect("out")),
    );
    expectPanes(run, "out", [{ value: 0 }, { value: 1 }, { value: 2 }]);
  });

  it("what a synchronous generator yields is emitted", ["ParDo"], async () => {
    const run = await runModel((root) =>
      elements(root, [1, 2])
        .apply(
          parDo("Sync", () => ({
            *process(element: number) {
              yield element;
              yield -element;
            },
          })),
        )
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [1, -1, 2, -2]);
  });

  it("a side input is there for as long as a call runs", ["async DoFn", "iterable side input"], async () => {
    const run = await runModel((root) => {
      class SlowReader implements DoFn<number> {
        readonly side = iterableSideInput<number>();
        async process(element: number, context: ProcessContext) {
          await pause(5);
          return [[element, ...context.sideInput(this.side)]];
        }
      }
      const side = root.apply(withName("Side", create([10, 20])));
      elements(root, [1, 2])
        .apply(parDo("Read", () => new SlowReader(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      [1, 10, 20],
      [2, 10, 20],
    ]);
  });

  it("a DoFn works on as many elements at once as it allows", ["async DoFn"], async () => {
    const seen = { running: 0, most: 0 };
    const run = await runModel((root) =>
      elements(root, NUMBERS)
        .apply(parDo("Async", () => new ConcurrentFn(seen, 3)))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", NUMBERS);
    expect(seen).to.deep.equal({ running: 0, most: 3 });
  });

  it("without a limit of its own it is 64", ["async DoFn"], async () => {
    const seen = { running: 0, most: 0 };
    const run = await runModel((root) =>
      elements(root, NUMBERS)
        .apply(parDo("Async", () => new ConcurrentFn(seen)))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", NUMBERS);
    expect(seen).to.deep.equal({ running: 0, most: 64 });
  });

  it("with a limit of one, elements keep their order", ["async DoFn", "per-key order"], async () => {
    const seen = { running: 0, most: 0 };
    const run = await runModel((root) =>
      elements(root, NUMBERS.slice(0, 20))
        .apply(parDo("Async", () => new ConcurrentFn(seen, 1)))
        .apply(collect("out")),
    );
    expectPanes(
      run,
      "out",
      NUMBERS.slice(0, 20).map((value) => ({ value })),
    );
    expect(seen.most).to.equal(1);
  });

  it("elements of one key never overlap", ["async DoFn", "per-key order", "value state"], async () => {
    const run = await runModel((root) =>
      elements(root, [kv("a", 1), kv("b", 1), kv("a", 2), kv("a", 3), kv("b", 2)])
        .apply(parDo("Count", () => new SlowCountFn()))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [
      kv("a", { count: 1, order: [1] }),
      kv("a", { count: 2, order: [1, 2] }),
      kv("a", { count: 3, order: [1, 2, 3] }),
      kv("b", { count: 1, order: [1] }),
      kv("b", { count: 2, order: [1, 2] }),
    ]);
  });

  it("finishBundle waits for every element", ["async DoFn", "lifecycle"], async () => {
    const log: string[] = [];
    await runModel((root) =>
      elements(root, [1, 2, 3]).apply(
        parDo("Async", () => ({
          async process(element: number) {
            await pause(5 * (4 - element));
            log.push(`element ${element}`);
          },
          finishBundle(_context: FinishBundleContext) {
            log.push("finish");
          },
        })),
      ),
    );
    expect(log.slice(0, 3).sort()).to.deep.equal(["element 1", "element 2", "element 3"]);
    expect(log[3]).to.equal("finish");
  });

  it(
    "an asynchronous step feeds a GroupByKey before its window ends",
    ["async DoFn", "GroupByKey"],
    async () => {
      const run = await runModel((root) =>
        elementsAt(root, [
          [3, 3],
          [1, 4],
          [2, 14],
        ])
          .apply(into<number>("Window", fixedWindows(10)))
          .apply(
            parDo<number, KV<string, number>>("Async", () => ({
              async process(element, context) {
                await pause(3 * element);
                context.output(kv("a", element));
              },
            })),
          )
          .apply(withName("Group", groupByKey<string, number>()))
          .apply(
            parDo("Sort", () => ({
              process: ({ value }, context: ProcessContext) => context.output([...value].sort()),
            })),
          )
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: [1, 3], window: "0/10", timing: "ON_TIME" },
        { value: [2], window: "10/20", timing: "ON_TIME" },
      ]);
    },
  );

  it(
    "an asynchronous step behind another keeps each element's context",
    ["async DoFn", "sliding windows"],
    async () => {
      const waits = (name: string, turns: (element: number) => number) =>
        parDo<number, number>(name, () => ({
          observesWindows: true,
          async process(element, context) {
            const before = [context.timestampMs, context.window.id];
            await pause(turns(element));
            expect([context.timestampMs, context.window.id]).to.deep.equal(before);
            context.output(element);
          },
        }));
      const run = await runModel((root) =>
        elementsAt(root, [
          [1, 1],
          [2, 6],
        ])
          .apply(into<number>("Window", slidingWindows({ sizeMs: 10, periodMs: 5 })))
          .apply(waits("First", (element) => element))
          .apply(waits("Second", (element) => 5 - element))
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: 1, timestampMs: 1, window: "-5/5" },
        { value: 1, timestampMs: 1, window: "0/10" },
        { value: 2, timestampMs: 6, window: "0/10" },
        { value: 2, timestampMs: 6, window: "5/15" },
      ]);
    },
  );

  it("a timer's callback may be asynchronous", ["async DoFn", "event-time timers"], async () => {
    const run = await runModel((root) => {
      const timer = eventTimeTimer();
      elements(root, [kv("a", 1)])
        .apply(
          parDo("Timer", () => ({
            timer,
            process(_element: KV<string, number>, context: ProcessContext) {
              context.timer(timer, "x").set(1);
              context.timer(timer, "y").set(2);
            },
            async *onTimer({ tag }: FiredTimer, _context: ElementContext) {
              await pause(tag === "x" ? 5 : 1);
              yield tag;
            },
          })),
        )
        .apply(collect("out"));
    });
    expectPanes(run, "out", [
      { value: "x", timestampMs: 1 },
      { value: "y", timestampMs: 2 },
    ]);
  });

  it("onWindowExpiration may be asynchronous", ["async DoFn", "on window expiration"], async () => {
    const run = await runModel((root) => {
      const state = valueState<number>();
      elements(root, [kv("a", 7)])
        .apply(
          parDo("Expire", () => ({
            state,
            process: ({ value }: KV<string, number>, context: ProcessContext) =>
              context.state(state).write(value),
            async onWindowExpiration(context: ElementContext) {
              await pause(2);
              return [context.state(state).read()];
            },
          })),
        )
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [7]);
  });
});
