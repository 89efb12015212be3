/** Scenarios of splittable DoFns, bounded and unbounded: restrictions, checkpoints, side inputs, windows. */
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
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { AT_ONCE, DONE, IndexesFn } from "./support/indexes-fn.js";
import { into } from "./support/into.js";
import { mapping, registerLocally, splittable } from "./support/local-do-fn.js";
import { type OffsetRange, OffsetRangeTracker } from "./support/offset-range.js";
import { collect, expectElements, expectOutputs, runModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { elements, elementsAt, kv } from "./support/sources.js";

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
            .apply(into<string>("Window", slidingWindows({ sizeMs: 4, periodMs: 2 })))
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
          ).apply(into<string>("Window side", fixedWindows(4)));
          elementsAt(
            root,
            [0, 1, 2, 3, 4, 5, 6, 7].map((value) => [value, value] as const),
          )
            .apply(into<number>("Window", fixedWindows(2)))
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
          ).apply(into<string>("Window side", fixedWindows(2)));
          elementsAt(
            root,
            [0, 1, 2, 3].map((value) => [value, value] as const),
          )
            .apply(into<number>("Window", fixedWindows(1)))
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
              mapping<KV<string, Iterable<number>>, unknown>("Sort", ({ key, value }) =>
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
});
