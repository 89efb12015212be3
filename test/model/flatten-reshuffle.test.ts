/** Scenarios of Flatten and Reshuffle: the same elements, with all that belongs to them. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import { create } from "../../transforms/primitives/create.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { reshuffle } from "../../transforms/primitives/reshuffle.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { afterCount, repeatedly } from "../../transforms/primitives/triggers.js";
import type { KV } from "../../transforms/primitives/window.js";
import {
  fixedWindows,
  globalWindows,
  sessions,
  slidingWindows,
} from "../../transforms/primitives/window-fns.js";
import { both, grouped, keyed, sorted } from "./support/grouping.js";
import { into } from "./support/into.js";
import { mapping, parDo } from "./support/local-do-fn.js";
import {
  collect,
  expectElements,
  expectOutputs,
  expectPanes,
  runModel,
  runToFailure,
} from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { at, kv, timed } from "./support/sources.js";

const FLATTEN = "Flatten";
const RESHUFFLE = "Reshuffle";

scenariosOf(FLATTEN, () => {
  scenario(FLATTEN, "has the elements of all its inputs", ["Flatten"], async () => {
    const run = await runModel((root) =>
      both("All", [
        root.apply(withName("Left", create([1, 2, 3]))),
        root.apply(withName("Middle", create([3, 4]))),
        root.apply(withName("Right", create([5]))),
      ]).apply(collect("all")),
    );
    expectOutputs(run, "all", [1, 2, 3, 3, 4, 5]);
  });

  scenario(FLATTEN, "has a group's elements beside those of a step", ["Flatten", "GroupByKey"], async () => {
    const run = await runModel((root) => {
      const groups = root
        .apply(withName("Left", create([1, 2])))
        .apply(keyed("group", "Left key"))
        .apply(withName("Group", groupByKey<string, number>()));
      const others = root
        .apply(withName("Right", create([3])))
        .apply(mapping("Pair", (value: number): KV<string, Iterable<number>> => kv("step", [value])));
      both("Both", [groups, others])
        .apply(mapping("Sort", ({ key, value }: KV<string, Iterable<number>>) => kv(key, sorted(value))))
        .apply(collect("all"));
    });
    expectOutputs(run, "all", [kv("group", [1, 2]), kv("step", [3])]);
  });

  scenario(FLATTEN, "of one input is that input", ["Flatten"], async () => {
    const run = await runModel((root) =>
      both("One", [root.apply(withName("Only", create(["a", "b"])))]).apply(collect("all")),
    );
    expectOutputs(run, "all", ["a", "b"]);
  });

  scenario(FLATTEN, "takes an input twice when it is given twice", ["Flatten"], async () => {
    const run = await runModel((root) => {
      const input = root.apply(withName("Create", create([1, 2])));
      both("Twice", [input, input]).apply(collect("all"));
    });
    expectOutputs(run, "all", [1, 1, 2, 2]);
  });

  scenario(FLATTEN, "minds no empty input", ["Flatten"], async () => {
    const run = await runModel((root) => {
      const empty = root.apply(withName("None", create<number>([])));
      const some = root.apply(withName("Some", create([1])));
      both("Mixed", [empty, some]).apply(collect("mixed"));
      both("Nothing", [empty, root.apply(withName("None either", create<number>([])))]).apply(
        collect("nothing"),
      );
    });
    expectOutputs(run, "mixed", [1]);
    expectOutputs(run, "nothing", []);
  });

  scenario(FLATTEN, "of flattens has everything once", ["Flatten"], async () => {
    const run = await runModel((root) => {
      const left = both("Left", [
        root.apply(withName("A", create(["a"]))),
        root.apply(withName("B", create(["b"]))),
      ]);
      const right = both("Right", [root.apply(withName("C", create(["c"])))]);
      both("All", [left, right]).apply(collect("all"));
    });
    expectOutputs(run, "all", ["a", "b", "c"]);
  });

  scenario(FLATTEN, "keeps event times and windows", ["Flatten", "timestamps", "fixed windows"], async () => {
    const run = await runModel((root) => {
      const left = root.apply(timed("Left", [[1, "a"]])).apply(into("Left windows", fixedWindows(10)));
      const right = root.apply(timed("Right", [[12, "b"]])).apply(into("Right windows", fixedWindows(10)));
      both("Both", [left, right]).apply(collect("all"));
    });
    expectElements(run, "all", [
      { value: "a", window: "0/10", timestampMs: 1 },
      { value: "b", window: "10/20", timestampMs: 12 },
    ]);
  });

  scenario(FLATTEN, "joins groups of its inputs under one key", ["Flatten", "GroupByKey"], async () => {
    const run = await runModel((root) => {
      const left = root.apply(withName("Left", create([kv("k", 1), kv("l", 2)])));
      const right = grouped(root.apply(withName("Right", create([kv("k", 3), kv("k", 4)]))), "Inner").apply(
        mapping("Sizes", ({ key, value }: KV<string, number[]>) => kv(key, value.length)),
      );
      grouped(both("Both", [left, right]), "Outer").apply(collect("groups"));
    });
    expectOutputs(run, "groups", [kv("k", [1, 2]), kv("l", [2])]);
  });

  scenario(FLATTEN, "feeds a branch and its origin", ["Flatten", "ParDo"], async () => {
    const run = await runModel((root) => {
      const numbers = root.apply(withName("Create", create([1, 2, 3])));
      const odd = numbers.apply(
        parDo<number, number>("Odd", () => ({
          process: (number) => (number % 2 === 1 ? [number * 10] : []),
        })),
      );
      both("Both", [numbers, odd]).apply(collect("all"));
    });
    expectOutputs(run, "all", [1, 2, 3, 10, 30]);
  });

  scenario(
    FLATTEN,
    "waits with its groups for the slower of two streams of one script",
    ["Flatten", "TestStream"],
    async () => {
      const run = await runModel((root) => {
        const script = testStream<number>()
          .addElements(at(1, 1))
          .advanceWatermarkTo(10)
          .addElements(at(11, 2))
          .advanceWatermarkToInfinity();
        const numbers = root.apply(withName("Stream", script)).apply(into("Window", fixedWindows(10)));
        const sizes = grouped(numbers.apply(keyed("inner", "Inner key")), "Inner").apply(
          parDo<KV<string, number[]>, number>("Values", () => ({
            process: ({ value }) => value.map((n) => n * 100),
          })),
        );
        grouped(both("Both", [numbers, sizes]).apply(keyed("outer", "Outer key")), "Outer").apply(
          collect("groups"),
        );
      });
      expectPanes(run, "groups", [
        { value: kv("outer", [1, 100]), window: "0/10", timing: "ON_TIME" },
        { value: kv("outer", [2, 200]), window: "10/20", timing: "ON_TIME" },
      ]);
    },
  );

  scenario(FLATTEN, "of different windows is refused by name", ["Flatten", "fixed windows"], async () => {
    await runToFailure((root) => {
      const left = root.apply(timed("Left", [[1, "a"]])).apply(into("Windows", fixedWindows(10)));
      const right = root.apply(timed("Right", [[1, "b"]]));
      both("Both", [left, right]).apply(collect("all"));
    }, /"Both".*fixed_windows.*global_windows/);
  });
});

scenariosOf(RESHUFFLE, () => {
  scenario(RESHUFFLE, "keeps every element, repeats included", ["Reshuffle"], async () => {
    const values = [1, 1, 2, 3, 3, 3];
    const run = await runModel((root) =>
      root
        .apply(withName("Create", create(values)))
        .apply(withName("Reshuffle", reshuffle()))
        .apply(collect("all")),
    );
    expectOutputs(run, "all", values);
  });

  scenario(
    RESHUFFLE,
    "keeps event times, windows and panes",
    ["Reshuffle", "timestamps", "panes"],
    async () => {
      const run = await runModel((root) =>
        root
          .apply(
            timed("Create", [
              [1, "a"],
              [12, "b"],
            ]),
          )
          .apply(into("Window", fixedWindows(10)))
          .apply(withName("Reshuffle", reshuffle()))
          .apply(collect("all")),
      );
      expectElements(run, "all", [
        { value: "a", timestampMs: 1, window: "0/10", timing: "UNKNOWN", index: 0 },
        { value: "b", timestampMs: 12, window: "10/20", timing: "UNKNOWN", index: 0 },
      ]);
    },
  );

  scenario(RESHUFFLE, "keeps all windows of an element", ["Reshuffle", "sliding windows"], async () => {
    const run = await runModel((root) =>
      root
        .apply(timed("Create", [[7, "a"]]))
        .apply(into("Window", slidingWindows({ sizeMs: 10, periodMs: 5 })))
        .apply(withName("Reshuffle", reshuffle()))
        .apply(collect("all")),
    );
    expectElements(run, "all", [
      { value: "a", timestampMs: 7, window: "0/10" },
      { value: "a", timestampMs: 7, window: "5/15" },
    ]);
  });

  scenario(
    RESHUFFLE,
    "merges no sessions: the grouping behind it does",
    ["Reshuffle", "session windows"],
    async () => {
      const run = await runModel((root) => {
        const shuffled = root
          .apply(
            timed("Create", [
              [1, kv("k", 1)],
              [4, kv("k", 4)],
            ]),
          )
          .apply(into("Window", sessions(5)))
          .apply(withName("Reshuffle", reshuffle<KV<string, number>>()));
        shuffled.apply(collect("shuffled"));
        grouped(shuffled).apply(collect("groups"));
      });
      expectElements(run, "shuffled", [
        { value: kv("k", 1), window: "1/6" },
        { value: kv("k", 4), window: "4/9" },
      ]);
      expectElements(run, "groups", [{ value: kv("k", [1, 4]), window: "1/9" }]);
    },
  );

  scenario(RESHUFFLE, "keeps the panes of a grouping before it", ["Reshuffle", "panes"], async () => {
    const run = await runModel((root) =>
      grouped(
        root
          .apply(
            withName(
              "Stream",
              testStream<string>()
                .addElements(at(1, "a"))
                .addElements(at(2, "b"))
                .advanceWatermarkToInfinity(),
            ),
          )
          .apply(
            into("Window", globalWindows(), {
              trigger: repeatedly(afterCount(1)),
              accumulation: "discarding",
              onTimeBehavior: "fire-if-non-empty",
              closingBehavior: "emit-if-non-empty",
            }),
          )
          .apply(keyed("k")),
      )
        .apply(withName("Reshuffle", reshuffle()))
        .apply(collect("panes")),
    );
    expectPanes(run, "panes", [
      { value: kv("k", ["a"]), timing: "EARLY", index: 0, isFirst: true },
      { value: kv("k", ["b"]), timing: "EARLY", index: 1, isFirst: false },
    ]);
  });

  scenario(
    RESHUFFLE,
    "lets elements go on before the watermark moves",
    ["Reshuffle", "TestStream"],
    async () => {
      const seen: string[] = [];
      await runModel((root) =>
        root
          .apply(
            withName(
              "Stream",
              testStream<string>()
                .addElements(at(1, "a"))
                .addElements(at(2, "b"))
                .advanceWatermarkToInfinity(),
            ),
          )
          .apply(
            mapping("Before", (text: string) => {
              seen.push(`before ${text}`);
              return text;
            }),
          )
          .apply(withName("Reshuffle", reshuffle<string>()))
          .apply(
            mapping("After", (text: string) => {
              seen.push(`after ${text}`);
              return text;
            }),
          )
          .apply(collect("all")),
      );
      expect(seen).to.deep.equal(["before a", "after a", "before b", "after b"]);
    },
  );

  scenario(RESHUFFLE, "of nothing gives nothing", ["Reshuffle"], async () => {
    const run = await runModel((root) =>
      root
        .apply(withName("Create", create<number>([])))
        .apply(withName("Reshuffle", reshuffle()))
        .apply(collect("all")),
    );
    expectOutputs(run, "all", []);
  });
});
