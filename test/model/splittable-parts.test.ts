/** Scenarios of what a splittable DoFn does with the parts of its restrictions. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import type {
  ProcessContinuation,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { DONE, IndexesFn } from "./support/indexes-fn.js";
import { into } from "./support/into.js";
import { mapping, splittable } from "./support/local-do-fn.js";
import { type OffsetRange, OffsetRangeTracker } from "./support/offset-range.js";
import {
  collect,
  expectElements,
  expectOutputs,
  expectPanes,
  runModel,
  runToFailure,
} from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, elementsAt, kv, streamed } from "./support/sources.js";

/** One claim an element; what is done with it is the scenario's. */
abstract class OnceFn<In> implements SplittableDoFn<In, OffsetRange, number> {
  initialRestriction(): OffsetRange {
    return { from: 0, to: 1 };
  }

  createTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(element: In, tracker: OffsetRangeTracker, context: SplittableProcessContext): ProcessContinuation {
    if (tracker.tryClaim(0)) this.run(element, context);
    return DONE;
  }

  abstract run(element: In, context: SplittableProcessContext): void;
}

scenariosOf("splittable DoFns", (it) => {
  it(
    "it passes late elements on, and the GroupByKey behind it drops them",
    ["unbounded splittable DoFn", "allowed lateness", "TestStream"],
    async () => {
      const run = await runModel((root) => {
        const pairs = streamed(
          root,
          testStream<string>()
            .advanceWatermarkTo(100_000)
            .addElements(at(100_000, "aa"))
            .advanceWatermarkTo(105_000)
            .addElements(at(10_000, "bb"))
            .advanceProcessingTime(3_600_000)
            .advanceWatermarkToInfinity(),
        )
          .apply(into<string>("Window", fixedWindows(10_000), { allowedLatenessMs: 10_000 }))
          .apply(
            splittable<string, KV<string, number>, OffsetRange, number>("Indexes", () => new IndexesFn(1), {
              bounded: false,
            }),
          );
        pairs.apply(collect("all"));
        pairs.apply(withName("Group", groupByKey<string, number>())).apply(collect("panes"));
      });
      expectOutputs(run, "all", [kv("aa", 0), kv("aa", 1), kv("bb", 0), kv("bb", 1)]);
      expectElements(run, "panes", [{ value: kv("aa", [0, 1]), window: "100000/110000", timing: "ON_TIME" }]);
    },
  );

  it(
    "it is called once for each window of an element if it observes windows",
    ["bounded splittable DoFn", "sliding windows"],
    async () => {
      class WindowsFn extends OnceFn<string> {
        readonly observesWindows = true;

        run(element: string, context: SplittableProcessContext): void {
          context.output(`${element} in ${context.window.id}`);
        }
      }
      const run = await runModel((root) =>
        elementsAt(root, [["a", 3]])
          .apply(into<string>("Window", slidingWindows({ sizeMs: 4, periodMs: 2 })))
          .apply(splittable("Windows", () => new WindowsFn(), { bounded: true }))
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: "a in 0/4", window: "0/4" },
        { value: "a in 2/6", window: "2/6" },
      ]);
    },
  );

  it(
    "part of a restriction that is neither claimed nor split off is an error",
    ["bounded splittable DoFn", "faults"],
    async () => {
      class ForgetfulFn extends IndexesFn {
        override process(_text: string, tracker: OffsetRangeTracker): ProcessContinuation {
          tracker.tryClaim(tracker.currentRestriction().from);
          return DONE;
        }
      }
      await runToFailure(
        (root) =>
          elements(root, ["abcdef"]).apply(
            splittable("Forgetful", () => new ForgetfulFn(), { bounded: true }),
          ),
        /were not claimed/,
      );
    },
  );

  it(
    "a part that says to resume but has nothing left is done",
    ["bounded splittable DoFn", "self-checkpoint"],
    async () => {
      const run = await runModel((root) =>
        elements(root, ["abcd"])
          .apply(splittable("Indexes", () => new IndexesFn(2), { bounded: true }))
          .apply(collect("out")),
      );
      expectOutputs(
        run,
        "out",
        [0, 1, 2, 3].map((index) => kv("abcd", index)),
      );
    },
  );

  it(
    "it goes on no sooner than the delay it asks for",
    ["unbounded splittable DoFn", "self-checkpoint", "TestStream"],
    async () => {
      class SlowlyFn extends IndexesFn {
        override splitRestriction(_text: string, range: OffsetRange): OffsetRange[] {
          return [range];
        }

        override process(text: string, tracker: OffsetRangeTracker, context: SplittableProcessContext) {
          const { resume } = super.process(text, tracker, context);
          return resume ? { resume, delayMs: 100 } : DONE;
        }
      }
      const log: unknown[] = [];
      await runModel((root) => {
        const stream = streamed(
          root,
          testStream<string>()
            .addElements(at(1, "ab"))
            .advanceProcessingTime(99)
            .addElements(at(1, ""))
            .advanceProcessingTime(1)
            .addElements(at(1, ""))
            .advanceProcessingTime(100)
            .advanceWatermarkToInfinity(),
        );
        stream.apply(mapping("Log input", (text) => log.push(text)));
        stream
          .apply(
            splittable<string, KV<string, number>, OffsetRange, number>("Slowly", () => new SlowlyFn(1), {
              bounded: false,
            }),
          )
          .apply(mapping<KV<string, number>, unknown>("Log output", ({ value }) => log.push(value)));
      });
      expect(log).to.deep.equal(["ab", 0, "", 1, ""]);
    },
  );

  it(
    "its parts may be processed in any order, each from its own start",
    ["bounded splittable DoFn", "dynamic split"],
    async () => {
      const starts: number[] = [];
      class PartsFn extends IndexesFn {
        override splitRestriction(): OffsetRange[] {
          return [
            { from: 4, to: 6 },
            { from: 0, to: 3 },
            { from: 3, to: 4 },
          ];
        }

        override process(text: string, tracker: OffsetRangeTracker, context: SplittableProcessContext) {
          starts.push(tracker.currentRestriction().from);
          return super.process(text, tracker, context);
        }
      }
      const run = await runModel((root) =>
        elements(root, ["abcdef"])
          .apply(splittable("Parts", () => new PartsFn(100), { bounded: true }))
          .apply(collect("out")),
      );
      expectOutputs(
        run,
        "out",
        [0, 1, 2, 3, 4, 5].map((index) => kv("abcdef", index)),
      );
      expect(starts.sort()).to.deep.equal([0, 3, 4]);
    },
  );

  it("an element whose restriction has no parts gives nothing", ["bounded splittable DoFn"], async () => {
    const run = await runModel((root) =>
      elements(root, ["", "x"])
        .apply(splittable("Indexes", () => new IndexesFn(), { bounded: true }))
        .apply(collect("out")),
    );
    expectPanes(run, "out", [{ value: kv("x", 0) }]);
  });

  it(
    "the runner may stop it in the midst, and goes on with the rest",
    ["bounded splittable DoFn", "dynamic split"],
    async () => {
      const starts: number[] = [];
      class WholeFn extends IndexesFn {
        override splitRestriction(_text: string, range: OffsetRange): OffsetRange[] {
          return [range];
        }

        override process(text: string, tracker: OffsetRangeTracker, context: SplittableProcessContext) {
          starts.push(tracker.currentRestriction().from);
          return super.process(text, tracker, context);
        }
      }
      const text = "x".repeat(25);
      const run = await runModel(
        (root) =>
          elements(root, [text])
            .apply(splittable("Whole", () => new WholeFn(100), { bounded: true }))
            .apply(collect("out")),
        { bundleRecordsMax: 10 },
      );
      expectOutputs(
        run,
        "out",
        [...text].map((_, index) => kv(text, index)),
      );
      expect(starts).to.deep.equal([0, 10, 20]);
    },
  );
});
