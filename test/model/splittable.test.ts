/** Scenarios of splittable DoFns: restrictions, checkpoints, splits, side inputs, windows. */
import { expect } from "chai";
import { Pipeline, Root, withName } from "../../transforms/primitives/beam.js";
import type {
  ProcessContinuation,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { isBounded } from "../../transforms/primitives/par-do.js";
import { singletonSideInput } from "../../transforms/primitives/side-input-spec.js";
import { splittableParDo } from "../../transforms/primitives/splittable-par-do.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { mapping, registerLocally, splittable } from "./support/local-do-fn.js";
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

const DONE: ProcessContinuation = { resume: false };
const AT_ONCE: ProcessContinuation = { resume: true, delayMs: 0 };

/** Pairs a text with each of its indexes; in two halves, and with a checkpoint behind each `perCall` indexes. */
class IndexesFn implements SplittableDoFn<string, OffsetRange, number> {
  readonly perCall: number;

  constructor(perCall = 3) {
    this.perCall = perCall;
  }

  initialRestriction(text: string): OffsetRange {
    return { from: 0, to: text.length };
  }

  splitRestriction(_text: string, { from, to }: OffsetRange): OffsetRange[] {
    const middle = Math.floor((from + to) / 2);
    return [
      { from, to: middle },
      { from: middle, to },
    ].filter((half) => half.from < half.to);
  }

  createTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(text: string, tracker: OffsetRangeTracker, context: SplittableProcessContext): ProcessContinuation {
    let claimed = 0;
    for (let i = tracker.currentRestriction().from; tracker.tryClaim(i); i++) {
      context.output(kv(text, i));
      claimed += 1;
      if (claimed === this.perCall) return AT_ONCE;
    }
    return DONE;
  }
}

const INDEXES = ["a", "bb", "ccccc"].flatMap((text) => [...text].map((_, index) => kv(text, index)));

/** Where blocks of outputs start; claiming a start emits the whole block. */
const BLOCKS = [0, 12, 123, 1_234, 4_567];

/** Emits the offsets below the last block's end, a block a claim. */
class BlocksFn implements SplittableDoFn<unknown, OffsetRange, number> {
  readonly blocksPerCall: number;

  constructor(blocksPerCall: number) {
    this.blocksPerCall = blocksPerCall;
  }

  initialRestriction(): OffsetRange {
    return { from: 0, to: BLOCKS.at(-1)! };
  }

  createTracker(range: OffsetRange): OffsetRangeTracker {
    return new OffsetRangeTracker(range);
  }

  process(
    element: unknown,
    tracker: OffsetRangeTracker,
    context: SplittableProcessContext,
  ): ProcessContinuation {
    const { from } = tracker.currentRestriction();
    let block = BLOCKS.findIndex((start) => start >= from);
    for (let claimed = 0; tracker.tryClaim(BLOCKS[block]!); block++) {
      for (let offset = BLOCKS[block]!; offset < BLOCKS[block + 1]!; offset++) {
        context.output(kv(element, offset));
      }
      claimed += 1;
      if (claimed === this.blocksPerCall) return AT_ONCE;
    }
    return DONE;
  }
}

const ALL_OFFSETS = Array.from({ length: BLOCKS.at(-1)! }, (_, offset) => offset);

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

/** Emits the side input's text with the element. */
class WithSideFn extends OnceFn<number> {
  readonly side = singletonSideInput<string>();

  run(element: number, context: SplittableProcessContext): void {
    context.output(`${context.sideInput(this.side)}:${element}`);
  }
}

class WithSideInBlocksFn extends BlocksFn {
  readonly side = singletonSideInput<string>();

  override process(element: unknown, tracker: OffsetRangeTracker, context: SplittableProcessContext) {
    return super.process(`${context.sideInput(this.side)}:${element}`, tracker, context);
  }
}

class WithTaggedFn extends OnceFn<number> {
  run(element: number, context: SplittableProcessContext): void {
    context.output(`main:${element}`);
    context.outputTo("additional", `additional:${element}`);
  }
}

const kinds = [
  { bounded: true, word: "bounded", feature: "bounded splittable DoFn" },
  { bounded: false, word: "unbounded", feature: "unbounded splittable DoFn" },
] as const;

scenariosOf("splittable DoFns", (it) => {
  for (const { bounded, word, feature } of kinds) {
    it(`every part of a ${word} restriction is processed once`, [feature, "self-checkpoint"], async () => {
      const run = await runModel((root) =>
        elements(root, ["a", "bb", "ccccc"])
          .apply(splittable("Indexes", () => new IndexesFn(), { bounded }))
          .apply(collect("out")),
      );
      expectOutputs(run, "out", INDEXES);
    });

    it(
      `a ${word} one's outputs have the element's windows and time`,
      [feature, "sliding windows", "timestamps"],
      async () => {
        const run = await runModel((root) =>
          elementsAt(root, [
            ["a", 10],
            ["bb", 12],
          ])
            .apply(withName("Window", windowInto<string>(slidingWindows({ sizeMs: 4, periodMs: 2 }))))
            .apply(splittable("Indexes", () => new IndexesFn(1), { bounded }))
            .apply(collect("out")),
        );
        expectElements(run, "out", [
          { value: kv("a", 0), timestampMs: 10, window: "8/12" },
          { value: kv("a", 0), timestampMs: 10, window: "10/14" },
          { value: kv("bb", 0), timestampMs: 12, window: "10/14" },
          { value: kv("bb", 0), timestampMs: 12, window: "12/16" },
          { value: kv("bb", 1), timestampMs: 12, window: "10/14" },
          { value: kv("bb", 1), timestampMs: 12, window: "12/16" },
        ]);
      },
    );

    it(
      `a ${word} one that checkpoints itself again and again loses and repeats nothing`,
      [feature, "self-checkpoint"],
      async () => {
        const run = await runModel((root) =>
          elements(root, ["x"])
            .apply(splittable("Blocks", () => new BlocksFn(1), { bounded }))
            .apply(collect("out")),
        );
        expectOutputs(
          run,
          "out",
          ALL_OFFSETS.map((offset) => kv("x", offset)),
        );
      },
    );

    it(`a ${word} one reads a side input`, [feature, "singleton side input"], async () => {
      const run = await runModel((root) => {
        const side = elements(root, ["foo"], "Side");
        elements(root, [0, 1, 2])
          .apply(splittable("Read", () => new WithSideFn(), { bounded, sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", ["foo:0", "foo:1", "foo:2"]);
    });

    it(
      `a ${word} one reads the side input of its element's window`,
      [feature, "singleton side input", "fixed windows"],
      async () => {
        const run = await runModel((root) => {
          const side = elementsAt(
            root,
            [
              ["a", 0],
              ["b", 4],
            ],
            "Side",
          ).apply(withName("Window side", windowInto<string>(fixedWindows(4))));
          elementsAt(
            root,
            [0, 1, 2, 3, 4, 5, 6, 7].map((value) => [value, value] as const),
          )
            .apply(withName("Window", windowInto<number>(fixedWindows(2))))
            .apply(splittable("Read", () => new WithSideFn(), { bounded, sideInputs: { side } }))
            .apply(collect("out"));
        });
        expectOutputs(run, "out", ["a:0", "a:1", "a:2", "a:3", "b:4", "b:5", "b:6", "b:7"]);
      },
    );

    it(
      `a ${word} one keeps its side input over its checkpoints`,
      [feature, "singleton side input", "self-checkpoint", "fixed windows"],
      async () => {
        const run = await runModel((root) => {
          const side = elementsAt(
            root,
            [
              ["a", 0],
              ["b", 2],
            ],
            "Side",
          ).apply(withName("Window side", windowInto<string>(fixedWindows(2))));
          elementsAt(
            root,
            [0, 1, 2, 3].map((value) => [value, value] as const),
          )
            .apply(withName("Window", windowInto<number>(fixedWindows(1))))
            .apply(
              splittable<number, KV<string, number>, OffsetRange, number>(
                "Read",
                () => new WithSideInBlocksFn(1),
                {
                  bounded,
                  sideInputs: { side },
                },
              ),
            )
            .apply(withName("Group", groupByKey<string, number>()))
            .apply(
              mapping("Sort", ({ key, value }) =>
                kv(
                  key,
                  [...value].sort((a, b) => a - b),
                ),
              ),
            )
            .apply(collect("out"));
        });
        expectElements(run, "out", [
          { value: kv("a:0", ALL_OFFSETS), window: "0/1" },
          { value: kv("a:1", ALL_OFFSETS), window: "1/2" },
          { value: kv("b:2", ALL_OFFSETS), window: "2/3" },
          { value: kv("b:3", ALL_OFFSETS), window: "3/4" },
        ]);
      },
    );

    it(`a ${word} one emits to tagged outputs`, [feature, "ParDo"], async () => {
      const run = await runModel((root) => {
        const fn = registerLocally<number>(() => new WithTaggedFn() as SplittableDoFn<number>);
        const { main, additional } = elements(root, [0, 1, 2]).apply(
          withName(
            "Tagged",
            splittableParDo<number, { main: string; additional: string }>(fn, null, {
              bounded,
              outputs: ["main", "additional"],
            }),
          ),
        );
        main.apply(collect("main"));
        additional.apply(collect("additional"));
      });
      expectOutputs(run, "main", ["main:0", "main:1", "main:2"]);
      expectOutputs(run, "additional", ["additional:0", "additional:1", "additional:2"]);
    });

    it(`the output of a ${word} one is ${word}`, [feature], () => {
      const pipeline = new Pipeline();
      const output = elements(new Root(pipeline), ["x"]).apply(
        splittable("Indexes", () => new IndexesFn(), { bounded }),
      );
      expect(isBounded(pipeline, output)).to.equal(bounded);
    });
  }

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
          .apply(withName("Window", windowInto<string>(fixedWindows(10_000), { allowedLatenessMs: 10_000 })))
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
          .apply(withName("Window", windowInto<string>(slidingWindows({ sizeMs: 4, periodMs: 2 }))))
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
          .apply(mapping("Log output", ({ value }) => log.push(value)));
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
});
