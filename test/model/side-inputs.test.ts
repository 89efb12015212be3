/** Scenarios of side inputs: what a DoFn reads beside its element, of which window, and when it is there. */
import { type PCollection, type Root, withName } from "../../transforms/primitives/beam.js";
import { combinePerKey } from "../../transforms/primitives/combine-per-key.js";
import { create } from "../../transforms/primitives/create.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import type { StepOf } from "../../transforms/primitives/par-do.js";
import {
  iterableSideInput,
  mapSideInput,
  multimapSideInput,
  singletonSideInput,
} from "../../transforms/primitives/side-input-spec.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { afterCount, repeatedly } from "../../transforms/primitives/triggers.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, globalWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { SUM } from "./support/combine-fns.js";
import { at, kv, sorted, timed } from "./support/grouping.js";
import { mapping, parDo } from "./support/local-do-fn.js";
import { collect, expectElements, expectOutputs, runModel, runToFailure } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";

const CATEGORY = "side inputs";

/** Emits each element with all elements of the side input. */
class WithAllFn<T> implements DoFn<string> {
  readonly side = iterableSideInput<T>();

  process(element: string, context: ProcessContext): void {
    context.output([element, sorted(context.sideInput(this.side))]);
  }
}

/** Emits each element with the one element of the side input. */
class WithOneFn<T> implements DoFn<string> {
  readonly side: ReturnType<typeof singletonSideInput<T>>;

  constructor(...fallback: T[]) {
    this.side = singletonSideInput<T>(...fallback);
  }

  process(element: string, context: ProcessContext): void {
    context.output([element, context.sideInput(this.side)]);
  }
}

/** Emits each element with what the map has under it. */
class LookUpFn implements DoFn<string> {
  readonly side = mapSideInput<string, number>();

  async process(element: string, context: ProcessContext): Promise<Iterable<unknown>> {
    const view = context.sideInput(this.side);
    return [[element, (await view.get(element)) ?? "none"]];
  }
}

/** Emits each element with all values the multimap has under it. */
class LookUpAllFn implements DoFn<string> {
  readonly side = multimapSideInput<string, number>();

  async process(element: string, context: ProcessContext): Promise<Iterable<unknown>> {
    const view = context.sideInput(this.side);
    return [[element, sorted(await view.get(element))]];
  }
}

/** Emits each element with the keys of the multimap. */
class KeysFn implements DoFn<string> {
  readonly side = multimapSideInput<string, number>();

  async process(element: string, context: ProcessContext): Promise<Iterable<unknown>> {
    return [[element, sorted(await context.sideInput(this.side).keys())]];
  }
}

/** Counts a key's elements, and emits the count times the factor beside it. */
class ScaledCountFn implements DoFn<KV<string, string>> {
  readonly factor = singletonSideInput<number>();
  readonly count = valueState<number>();

  process({ key }: KV<string, string>, context: ProcessContext): void {
    const cell = context.state(this.count);
    const count = (cell.read() ?? 0) + 1;
    cell.write(count);
    context.output([key, count * context.sideInput(this.factor)]);
  }
}

/** Sums two side inputs. */
class WithTwoFn implements DoFn<string> {
  readonly small = singletonSideInput<number>();
  readonly large = iterableSideInput<number>();

  process(element: string, context: ProcessContext): void {
    const large = [...context.sideInput(this.large)].reduce((a, b) => a + b, 0);
    context.output([element, large + context.sideInput(this.small)]);
  }
}

const of = <T>(root: Root, name: string, elements: readonly T[]) =>
  root.apply(withName(name, create(elements)));

function into<T>(
  name: string,
  ...how: Parameters<typeof windowInto>
): StepOf<PCollection<T>, PCollection<T>> {
  return withName(name, windowInto<T>(...how));
}

scenariosOf(CATEGORY, () => {
  scenario(CATEGORY, "an iterable has all elements, for each element", ["iterable side input"], async () => {
    const run = await runModel((root) => {
      const side = of(root, "Side", [11, 13, 17, 11]);
      of(root, "Main", ["a", "b"])
        .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", [11, 11, 13, 17]],
      ["b", [11, 11, 13, 17]],
    ]);
  });

  scenario(CATEGORY, "an empty iterable is there, and empty", ["iterable side input"], async () => {
    const run = await runModel((root) => {
      const side = of<number>(root, "Side", []);
      of(root, "Main", ["a"])
        .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [["a", []]]);
  });

  scenario(
    CATEGORY,
    "an iterable has the elements of the element's window",
    ["iterable side input", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const side = root
          .apply(
            timed("Side", [
              [1, 11],
              [11, 13],
              [12, 17],
              [21, 19],
            ]),
          )
          .apply(into("Side windows", fixedWindows(10)));
        root
          .apply(
            timed("Main", [
              [5, "a"],
              [15, "b"],
              [35, "c"],
            ]),
          )
          .apply(into("Main windows", fixedWindows(10)))
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", [11]], window: "0/10", timestampMs: 5 },
        { value: ["b", [13, 17]], window: "10/20", timestampMs: 15 },
        { value: ["c", []], window: "30/40", timestampMs: 35 },
      ]);
    },
  );

  scenario(CATEGORY, "an iterable of lists keeps them whole", ["iterable side input"], async () => {
    const run = await runModel((root) => {
      const side = of(root, "Side", [[1, 2], [3], []]);
      of(root, "Main", ["a"])
        .apply(parDo("With", () => new WithAllFn<number[]>(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [["a", sorted([[1, 2], [3], []])]]);
  });

  scenario(CATEGORY, "a singleton is its one element", ["singleton side input"], async () => {
    const run = await runModel((root) => {
      const side = of(root, "Side", [47]);
      of(root, "Main", ["a", "b"])
        .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", 47],
      ["b", 47],
    ]);
  });

  scenario(
    CATEGORY,
    "a singleton is the one of the element's window",
    ["singleton side input", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const side = root
          .apply(
            timed("Side", [
              [1, 47],
              [11, 48],
            ]),
          )
          .apply(into("Side windows", fixedWindows(10)));
        root
          .apply(
            timed("Main", [
              [5, "a"],
              [15, "b"],
            ]),
          )
          .apply(into("Main windows", fixedWindows(10)))
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", 47], window: "0/10" },
        { value: ["b", 48], window: "10/20" },
      ]);
    },
  );

  scenario(CATEGORY, "a singleton without element is its default", ["singleton side input"], async () => {
    const run = await runModel((root) => {
      const side = root.apply(timed("Side", [[1, 47]])).apply(into("Side windows", fixedWindows(10)));
      root
        .apply(
          timed("Main", [
            [5, "a"],
            [15, "b"],
          ]),
        )
        .apply(into("Main windows", fixedWindows(10)))
        .apply(parDo("With", () => new WithOneFn<number>(-1), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", 47],
      ["b", -1],
    ]);
  });

  scenario(
    CATEGORY,
    "a singleton without element and default is an error",
    ["singleton side input", "faults"],
    async () => {
      await runToFailure((root) => {
        const side = of<number>(root, "Side", []);
        of(root, "Main", ["a"])
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      }, /side/);
    },
  );

  scenario(
    CATEGORY,
    "a singleton of several elements is an error",
    ["singleton side input", "faults"],
    async () => {
      await runToFailure((root) => {
        const side = of(root, "Side", [1, 2]);
        of(root, "Main", ["a"])
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      }, /side.*2/);
    },
  );

  scenario(CATEGORY, "a map has one value a key, and none for others", ["map side input"], async () => {
    const run = await runModel((root) => {
      const side = of(root, "Side", [kv("a", 1), kv("b", 3)]);
      of(root, "Main", ["a", "b", "c"])
        .apply(parDo("Look up", () => new LookUpFn(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", 1],
      ["b", 3],
      ["c", "none"],
    ]);
  });

  scenario(CATEGORY, "a map of what was combined has its sums", ["map side input", "Combine"], async () => {
    const run = await runModel((root) => {
      const side = of(root, "Side", [kv("a", 1), kv("a", 20), kv("b", 3)]).apply(
        withName("Sum", combinePerKey<string, number, number>(SUM, null)),
      );
      of(root, "Main", ["a", "b"])
        .apply(parDo("Look up", () => new LookUpFn(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", 21],
      ["b", 3],
    ]);
  });

  scenario(
    CATEGORY,
    "a map that has a key twice is an error when it is read",
    ["map side input", "faults"],
    async () => {
      await runToFailure((root) => {
        const side = of(root, "Side", [kv("a", 1), kv("a", 1)]);
        of(root, "Main", ["a"])
          .apply(parDo("Look up", () => new LookUpFn(), { sideInputs: { side } }))
          .apply(collect("out"));
      }, /side.*a|a.*side/s);
    },
  );

  scenario(
    CATEGORY,
    "a map has the entries of the element's window",
    ["map side input", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const side = root
          .apply(
            timed("Side", [
              [1, kv("a", 1)],
              [2, kv("b", 4)],
              [11, kv("b", 3)],
            ]),
          )
          .apply(into("Side windows", fixedWindows(10)));
        root
          .apply(
            timed("Main", [
              [5, "a"],
              [4, "b"],
              [15, "b"],
              [16, "a"],
            ]),
          )
          .apply(into("Main windows", fixedWindows(10)))
          .apply(parDo("Look up", () => new LookUpFn(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", 1], window: "0/10" },
        { value: ["b", 4], window: "0/10" },
        { value: ["b", 3], window: "10/20" },
        { value: ["a", "none"], window: "10/20" },
      ]);
    },
  );

  scenario(CATEGORY, "an empty map has nothing", ["map side input"], async () => {
    const run = await runModel((root) => {
      const side = of<KV<string, number>>(root, "Side", []);
      of(root, "Main", ["a"])
        .apply(parDo("Look up", () => new LookUpFn(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [["a", "none"]]);
  });

  scenario(CATEGORY, "a multimap has all values of a key", ["multimap side input"], async () => {
    const run = await runModel((root) => {
      const side = of(root, "Side", [kv("a", 1), kv("a", 1), kv("a", 2), kv("b", 3)]);
      of(root, "Main", ["a", "b", "c"])
        .apply(parDo("Look up", () => new LookUpAllFn(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [
      ["a", [1, 1, 2]],
      ["b", [3]],
      ["c", []],
    ]);
  });

  scenario(
    CATEGORY,
    "a multimap has the values of the element's window",
    ["multimap side input", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const side = root
          .apply(
            timed("Side", [
              [1, kv("a", 1)],
              [2, kv("a", 2)],
              [11, kv("a", 3)],
            ]),
          )
          .apply(into("Side windows", fixedWindows(10)));
        root
          .apply(
            timed("Main", [
              [5, "a"],
              [15, "a"],
            ]),
          )
          .apply(into("Main windows", fixedWindows(10)))
          .apply(parDo("Look up", () => new LookUpAllFn(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", [1, 2]], window: "0/10" },
        { value: ["a", [3]], window: "10/20" },
      ]);
    },
  );

  scenario(CATEGORY, "a multimap tells its keys, each once", ["multimap side input"], async () => {
    const run = await runModel((root) => {
      const side = of(root, "Side", [kv("x", 1), kv("y", 1), kv("x", 2)]);
      of(root, "Main", ["a"])
        .apply(parDo("Keys", () => new KeysFn(), { sideInputs: { side } }))
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [["a", ["x", "y"]]]);
  });

  scenario(
    CATEGORY,
    "fixed windows read of the larger ones that hold them",
    ["iterable side input", "fixed windows"],
    async () => {
      const run = await runModel((root) => {
        const side = root
          .apply(
            timed("Side", [
              [1, 1],
              [99, 2],
              [100, 3],
            ]),
          )
          .apply(into("Side windows", fixedWindows(100)));
        root
          .apply(
            timed("Main", [
              [5, "a"],
              [95, "b"],
              [105, "c"],
            ]),
          )
          .apply(into("Main windows", fixedWindows(10)))
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", [1, 2]], window: "0/10" },
        { value: ["b", [1, 2]], window: "90/100" },
        { value: ["c", [3]], window: "100/110" },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "fixed windows read of the global window",
    ["iterable side input", "global window"],
    async () => {
      const run = await runModel((root) => {
        const side = of(root, "Side", [1, 2]);
        root
          .apply(
            timed("Main", [
              [5, "a"],
              [15, "b"],
            ]),
          )
          .apply(into("Main windows", fixedWindows(10)))
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", [1, 2]], window: "0/10" },
        { value: ["b", [1, 2]], window: "10/20" },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "an element in several windows reads of each",
    ["iterable side input", "sliding windows"],
    async () => {
      const run = await runModel((root) => {
        const side = root
          .apply(
            timed("Side", [
              [1, 1],
              [6, 6],
              [11, 11],
            ]),
          )
          .apply(into("Side windows", fixedWindows(5)));
        root
          .apply(timed("Main", [[7, "a"]]))
          .apply(into("Main windows", slidingWindows({ sizeMs: 10, periodMs: 5 })))
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["a", [6]], window: "0/10" },
        { value: ["a", [11]], window: "5/15" },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "main windows read of the first sliding window that holds their end",
    ["iterable side input", "sliding windows"],
    async () => {
      const run = await runModel((root) => {
        const side = root
          .apply(
            timed("Side", [
              [1, 1],
              [6, 6],
              [11, 11],
              [16, 16],
            ]),
          )
          .apply(into("Side windows", slidingWindows({ sizeMs: 10, periodMs: 5 })));
        root
          .apply(timed("Main", [[7, "a"]]))
          .apply(into("Main windows", fixedWindows(10)))
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [{ value: ["a", [1, 6]], window: "0/10" }]);
    },
  );

  scenario(
    CATEGORY,
    "one step reads two side inputs",
    ["iterable side input", "singleton side input"],
    async () => {
      const run = await runModel((root) => {
        const small = of(root, "Small", [1]);
        const large = of(root, "Large", [100, 200]);
        of(root, "Main", ["a"])
          .apply(parDo("With", () => new WithTwoFn(), { sideInputs: { small, large } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [["a", 301]]);
    },
  );

  scenario(
    CATEGORY,
    "two steps read one side input in ways of their own",
    ["iterable side input", "multimap side input"],
    async () => {
      const run = await runModel((root) => {
        const side = of(root, "Side", [kv("a", 1), kv("b", 2)]);
        const main = of(root, "Main", ["a"]);
        main
          .apply(parDo("All", () => new WithAllFn<KV<string, number>>(), { sideInputs: { side } }))
          .apply(collect("all"));
        main
          .apply(parDo("Look up", () => new LookUpAllFn(), { sideInputs: { side } }))
          .apply(collect("looked up"));
      });
      expectOutputs(run, "all", [["a", [kv("a", 1), kv("b", 2)]]]);
      expectOutputs(run, "looked up", [["a", [1]]]);
    },
  );

  scenario(
    CATEGORY,
    "a side input is made from the main input itself",
    ["singleton side input", "Combine"],
    async () => {
      const run = await runModel((root) => {
        const words = of(root, "Words", ["a", "bb", "cccc"]);
        const side = words
          .apply(mapping("Length", (word: string) => kv("all", word.length)))
          .apply(withName("Sum", combinePerKey<string, number, number>(SUM, null)))
          .apply(mapping("Value", ({ value }: KV<string, number>) => value));
        words
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [
        ["a", 7],
        ["bb", 7],
        ["cccc", 7],
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a stateful step reads a side input too",
    ["singleton side input", "value state"],
    async () => {
      const run = await runModel((root) => {
        const factor = of(root, "Factor", [10]);
        of(root, "Main", [kv("x", "1"), kv("y", "2"), kv("x", "3")])
          .apply(parDo("Count", () => new ScaledCountFn(), { sideInputs: { factor } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [
        ["x", 10],
        ["x", 20],
        ["y", 10],
      ]);
    },
  );

  scenario(
    CATEGORY,
    "an element waits until its side window is complete",
    ["iterable side input", "TestStream"],
    async () => {
      const script = testStream<string>()
        .addElements(at(1, "main a"))
        .addElements(at(2, "side 1"))
        .addElements(at(12, "side 2"))
        .addElements(at(3, "side 3"))
        .advanceWatermarkTo(10)
        .addElements(at(13, "main b"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const all = root.apply(withName("Stream", script)).apply(into("Windows", fixedWindows(10)));
        const only = (name: string, kind: string) =>
          all.apply(
            parDo<string, string>(name, () => ({ process: (text) => (text.startsWith(kind) ? [text] : []) })),
          );
        only("Main", "main")
          .apply(parDo("With", () => new WithAllFn<string>(), { sideInputs: { side: only("Side", "side") } }))
          .apply(collect("out"));
      });
      expectElements(run, "out", [
        { value: ["main a", ["side 1", "side 3"]], window: "0/10", timestampMs: 1 },
        { value: ["main b", ["side 2"]], window: "10/20", timestampMs: 13 },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a triggered side input is read as it stands",
    ["triggered side input", "TestStream", "accumulating panes"],
    async () => {
      const script = testStream<string>()
        .addElements(at(1, "side 1"))
        .addElements(at(2, "main a"))
        .addElements(at(3, "side 20"))
        .addElements(at(4, "main b"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const all = root.apply(withName("Stream", script));
        const only = (name: string, kind: string) =>
          all.apply(
            parDo<string, string>(name, () => ({ process: (text) => (text.startsWith(kind) ? [text] : []) })),
          );
        const side = only("Side", "side")
          .apply(mapping("Pair", (text: string) => kv("all", Number(text.split(" ")[1]))))
          .apply(
            into("Trigger", globalWindows(), {
              trigger: repeatedly(afterCount(1)),
              accumulation: "accumulating",
            }),
          )
          .apply(withName("Sum", combinePerKey<string, number, number>(SUM, null)))
          .apply(mapping("Value", ({ value }: KV<string, number>) => value));
        only("Main", "main")
          .apply(parDo("With", () => new WithOneFn<number>(), { sideInputs: { side } }))
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [
        ["main a", 1],
        ["main b", 21],
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a side input that the step does not declare is refused by name",
    ["iterable side input"],
    async () => {
      await runToFailure((root) => {
        const other = of(root, "Side", [1]);
        of(root, "Main", ["a"])
          .apply(parDo("With", () => new WithAllFn<number>(), { sideInputs: { other } }))
          .apply(collect("out"));
      }, /other/);
    },
  );

  scenario(
    CATEGORY,
    "a declared side input that nobody gives is refused by name",
    ["iterable side input"],
    async () => {
      await runToFailure(
        (root) =>
          of(root, "Main", ["a"])
            .apply(parDo("With", () => new WithAllFn<number>()))
            .apply(collect("out")),
        /side/,
      );
    },
  );
});
