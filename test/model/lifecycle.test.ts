/** Scenarios of a DoFn's life: setup, bundles, teardown, in this order and no other, also when it fails. */
import { expect } from "chai";
import { P, withName } from "../../transforms/primitives/beam.js";
import type {
  DoFn,
  FinishBundleContext,
  ProcessContext,
  SetupContext,
} from "../../transforms/primitives/do-fn.js";
import { MAIN_OUTPUT } from "../../transforms/primitives/do-fn.js";
import { flattenAll } from "../../transforms/primitives/flatten-all.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { type KV, NO_FIRING, type WindowedValue } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { parDo, splittable } from "./support/local-do-fn.js";
import { type OffsetRange, OffsetRangeTracker } from "./support/offset-range.js";
import { collect, expectElements, expectOutputs, runModel, runToFailure } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, kv, streamed } from "./support/sources.js";

type Call = "setup" | "startBundle" | "process" | "finishBundle" | "teardown";

/** Calls by instance, in their order. */
class Lives {
  readonly calls: Call[][] = [];

  begin(): Call[] {
    const calls: Call[] = [];
    this.calls.push(calls);
    return calls;
  }

  /** Of the instances that were set up; others only told what they declare. */
  get lived(): readonly Call[][] {
    return this.calls.filter((calls) => calls.length > 0);
  }

  /** Of the instances that were given work. */
  get worked(): readonly Call[][] {
    return this.calls.filter((calls) => calls.includes("startBundle"));
  }
}

/** Notes its calls, and throws in one of them if it is told so. */
class NotingFn implements DoFn<unknown> {
  readonly calls: Call[];
  readonly failsIn: Call | undefined;

  constructor(lives: Lives, failsIn?: Call) {
    this.calls = lives.begin();
    this.failsIn = failsIn;
  }

  setup(_context: SetupContext): void {
    this.note("setup");
  }

  startBundle(): void {
    this.note("startBundle");
  }

  process(element: unknown, context: ProcessContext): void {
    this.note("process");
    context.output(element);
  }

  finishBundle(_context: FinishBundleContext): void {
    this.note("finishBundle");
  }

  teardown(): void {
    this.note("teardown");
  }

  private note(call: Call): void {
    this.calls.push(call);
    if (call === this.failsIn) throw new Error(`${call} fails`);
  }
}

class NotingStatefulFn extends NotingFn {
  readonly state = valueState<number>();
}

/** Keeps the elements of a bundle and emits them, as they came, when it finishes. */
class BufferInMemoryFn implements DoFn<number> {
  #elements: WindowedValue<number>[] = [];

  process(value: number, { timestampMs, windows, pane }: ProcessContext): void {
    this.#elements.push({ value, timestampMs, windows, pane });
  }

  finishBundle(context: FinishBundleContext): void {
    for (const element of this.#elements.splice(0)) {
      context.outputWindowed(MAIN_OUTPUT, { ...element, value: kv("a", element.value) });
    }
  }
}

/** setup, then bundles, then teardown. An instance may be there in reserve, without a bundle. */
const WHOLE_LIFE = /^setup( startBundle( process)* finishBundle)* teardown$/;

function expectWholeLives(lives: Lives): void {
  expect(lives.lived).to.not.have.length(0);
  for (const calls of lives.lived) expect(calls.join(" ")).to.match(WHOLE_LIFE);
}

/** The instance that failed went this way, repetitions aside, and every one that was set up was torn down. */
function expectEnded(lives: Lives, failsIn: Call, expected: readonly Call[]): void {
  const ways = (failsIn === "setup" ? lives.lived : lives.worked).map((calls) => [...new Set(calls)]);
  expect(ways).to.deep.equal([expected]);
  for (const calls of lives.lived) expect(calls.at(-1)).to.equal("teardown");
}

const processed = (lives: Lives) => lives.calls.flat().filter((call) => call === "process").length;

scenariosOf("lifecycle", (it) => {
  it("setup, bundles, teardown: each instance lives in this order", ["lifecycle", "Flatten"], async () => {
    const lives = new Lives();
    const run = await runModel((root) =>
      P([elements(root, [1, 2, 4], "Three"), elements(root, [3, 5, 6, 7], "Four")])
        .apply(withName("Flatten", flattenAll<number>()))
        .apply(parDo("Note", () => new NotingFn(lives)))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [1, 2, 3, 4, 5, 6, 7]);
    expectWholeLives(lives);
    expect(processed(lives)).to.equal(7);
  });

  it("a stateful DoFn lives in this order", ["lifecycle", "value state"], async () => {
    const lives = new Lives();
    await runModel((root) =>
      elements(root, [kv("a", 1), kv("b", 2), kv("a", 4)]).apply(
        parDo("Note", () => new NotingStatefulFn(lives)),
      ),
    );
    expectWholeLives(lives);
    expect(processed(lives)).to.equal(3);
  });

  it("DoFns of one fused stage start and finish their bundles together", ["lifecycle"], async () => {
    const log: string[] = [];
    const logging = (name: string): DoFn<number> => ({
      startBundle: () => void log.push(`start ${name}`),
      process(element, context) {
        log.push(`${name} ${element}`);
        context.output(element);
      },
      finishBundle: () => void log.push(`finish ${name}`),
    });
    await runModel((root) =>
      elements(root, [1])
        .apply(parDo<number, number>("First", () => logging("first")))
        .apply(parDo("Second", () => logging("second"))),
    );
    const order = log.filter((line) => /first|second/.test(line)).slice(-6);
    expect(order.slice(2)).to.deep.equal(["first 1", "second 1", "finish first", "finish second"]);
    expect(order.slice(0, 2).sort()).to.deep.equal(["start first", "start second"]);
  });

  it("an instance lives on over all bundles of a stream", ["lifecycle", "TestStream"], async () => {
    const lives = new Lives();
    await runModel((root) =>
      streamed(
        root,
        testStream<number>()
          .addElements(at(0, 1))
          .advanceWatermarkTo(5)
          .addElements(at(5, 2))
          .advanceWatermarkTo(9)
          .addElements(at(9, 3))
          .advanceWatermarkToInfinity(),
      ).apply(parDo("Note", () => new NotingFn(lives))),
    );
    expectWholeLives(lives);
    expect(processed(lives)).to.equal(3);
  });

  it("a splittable DoFn lives in this order", ["lifecycle", "bounded splittable DoFn"], async () => {
    const lives = new Lives();
    const run = await runModel((root) =>
      elements(root, ["a", "b", "c"])
        .apply(
          splittable(
            "Note",
            () => {
              const calls = lives.begin();
              return {
                setup: () => void calls.push("setup"),
                startBundle: () => void calls.push("startBundle"),
                initialRestriction: (): OffsetRange => ({ from: 0, to: 1 }),
                createTracker: (range: OffsetRange) => new OffsetRangeTracker(range),
                process(element: string, tracker: OffsetRangeTracker, context: ProcessContext) {
                  calls.push("process");
                  if (tracker.tryClaim(0)) context.output(element);
                },
                finishBundle: () => void calls.push("finishBundle"),
                teardown: () => void calls.push("teardown"),
              };
            },
            { bounded: true },
          ),
        )
        .apply(collect("out")),
    );
    expectOutputs(run, "out", ["a", "b", "c"]);
    expectWholeLives(lives); // a runner may pair, split and process by an instance each
    expect(processed(lives)).to.equal(3);
  });

  it("finishBundle may emit, with a time and windows of its own", ["lifecycle", "ParDo"], async () => {
    const run = await runModel((root) =>
      elements(root, [1, 2, 3])
        .apply(
          parDo("Sum", () => {
            let sum = 0;
            return {
              startBundle() {
                sum = 0;
              },
              process(element: number) {
                sum += element;
              },
              finishBundle(context: FinishBundleContext) {
                context.output(sum, 77);
                const window = { id: "1/2", maxTimestampMs: 1 };
                context.outputWindowed("main", {
                  value: -sum,
                  timestampMs: 1,
                  windows: [window],
                  pane: NO_FIRING,
                });
              },
            };
          }),
        )
        .apply(collect("out")),
    );
    const sums = run.collected("out").filter(({ value }) => value !== 0 && !Object.is(value, -0));
    expect(sums.map(({ value, timestampMs, window }) => [value, timestampMs, window.id])).to.deep.equal([
      [6, 77, ""],
      [-6, 1, "1/2"],
    ]);
  });

  it(
    "what finishBundle emits for its elements is not late behind it",
    ["lifecycle", "GroupByKey", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          testStream<number>()
            .addElements(at(1, 1), at(2, 2))
            .advanceWatermarkTo(20)
            .addElements(at(21, 3))
            .advanceWatermarkToInfinity(),
        )
          .apply(into<number>("Window", fixedWindows(10)))
          .apply(parDo<number, KV<string, number>>("Buffer", () => new BufferInMemoryFn()))
          .apply(withName("Group", groupByKey<string, number>()))
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: kv("a", [1, 2]), window: "0/10", timing: "ON_TIME" },
        { value: kv("a", [3]), window: "20/30", timing: "ON_TIME" },
      ]);
    },
  );

  it("setup tells the step's path", ["lifecycle"], async () => {
    const steps: string[] = [];
    await runModel((root) =>
      elements(root, [1]).apply(
        parDo("Named", () => ({
          setup: ({ step }: SetupContext) => void steps.push(step),
          process() {},
        })),
      ),
    );
    expect(new Set(steps)).to.deep.equal(new Set(["Named"]));
  });

  const lives: readonly [Call, readonly Call[]][] = [
    ["setup", ["setup", "teardown"]],
    ["startBundle", ["setup", "startBundle", "teardown"]],
    ["process", ["setup", "startBundle", "process", "teardown"]],
    ["finishBundle", ["setup", "startBundle", "process", "finishBundle", "teardown"]],
  ];
  for (const [failsIn, expected] of lives) {
    it(`teardown is called after an exception in ${failsIn}`, ["lifecycle", "faults"], async () => {
      const lives = new Lives();
      await runToFailure(
        (root) => elements(root, [1, 2, 3]).apply(parDo("Note", () => new NotingFn(lives, failsIn))),
        new RegExp(`${failsIn} fails`),
      );
      expectEnded(lives, failsIn, expected);
    });

    it(
      `teardown is called after an exception in ${failsIn} of a stateful DoFn`,
      ["lifecycle", "faults", "value state"],
      async () => {
        const lives = new Lives();
        await runToFailure(
          (root) =>
            elements(root, [kv("a", 1), kv("b", 2), kv("a", 3)]).apply(
              parDo("Note", () => new NotingStatefulFn(lives, failsIn)),
            ),
          new RegExp(`${failsIn} fails`),
        );
        expectEnded(lives, failsIn, expected);
      },
    );
  }

  it("asynchronous setup, bundle starts and ends are awaited", ["lifecycle", "async DoFn"], async () => {
    const log: string[] = [];
    const later = async (text: string) => {
      await new Promise(setImmediate);
      log.push(text);
    };
    const run = await runModel((root) =>
      elements(root, [1])
        .apply(
          parDo("Later", () => ({
            setup: () => later("setup"),
            startBundle: () => later("start"),
            process(element: number, context: ProcessContext) {
              log.push("process");
              context.output(element);
            },
            finishBundle: () => later("finish"),
            teardown: () => later("teardown"),
          })),
        )
        .apply(collect("out")),
    );
    expectElements(run, "out", [{ value: 1 }]);
    expect(log.join(" ")).to.match(/^(setup )+start process finish( teardown)+$/);
  });
});
