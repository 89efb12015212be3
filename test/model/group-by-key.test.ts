/** Scenarios of GroupByKey: what is one key, what is one group. */
import { withName } from "../../transforms/primitives/beam.js";
import { create } from "../../transforms/primitives/create.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { GLOBAL_WINDOW_END_MS } from "../../transforms/primitives/timestamp-bounds.js";
import type { KV } from "../../transforms/primitives/window.js";
import { grouped } from "./support/grouping.js";
import { mapping } from "./support/local-do-fn.js";
import { collect, expectElements, expectOutputs, runModel } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { kv } from "./support/sources.js";

const CATEGORY = "GroupByKey";
const INT_MAX = 2147483647;
const INT_MIN = -2147483648;

scenariosOf(CATEGORY, () => {
  scenario(CATEGORY, "gathers all values of a key, and keys apart", ["GroupByKey"], async () => {
    const pairs = [
      kv("k1", 3),
      kv("k5", INT_MAX),
      kv("k5", INT_MIN),
      kv("k2", 66),
      kv("k1", 4),
      kv("k2", -33),
    ];
    const run = await runModel((root) =>
      grouped(root.apply(withName("Pairs", create(pairs)))).apply(collect("groups")),
    );
    expectElements(run, "groups", [
      { value: kv("k1", [3, 4]), window: "" },
      { value: kv("k5", [INT_MIN, INT_MAX]), window: "" },
      { value: kv("k2", [-33, 66]), window: "" },
    ]);
  });

  scenario(CATEGORY, "of nothing gives nothing", ["GroupByKey"], async () => {
    const run = await runModel((root) =>
      grouped(root.apply(withName("None", create<KV<string, number>>([])))).apply(collect("groups")),
    );
    expectOutputs(run, "groups", []);
  });

  scenario(CATEGORY, "keeps equal values of a key apart", ["GroupByKey"], async () => {
    const run = await runModel((root) =>
      grouped(root.apply(withName("Pairs", create([kv("a", 1), kv("a", 1), kv("a", 1)])))).apply(
        collect("groups"),
      ),
    );
    expectOutputs(run, "groups", [kv("a", [1, 1, 1])]);
  });

  scenario(
    CATEGORY,
    "gives an on-time, only pane at the end of the window",
    ["GroupByKey", "panes"],
    async () => {
      const run = await runModel((root) =>
        grouped(root.apply(withName("Pairs", create([kv("a", 1)])))).apply(collect("groups")),
      );
      expectElements(run, "groups", [
        {
          value: kv("a", [1]),
          timestampMs: GLOBAL_WINDOW_END_MS,
          timing: "ON_TIME",
          isFirst: true,
          isLast: true,
          index: 0,
          nonSpeculativeIndex: 0,
        },
      ]);
    },
  );

  scenario(CATEGORY, "takes keys for equal when their encodings are", ["GroupByKey", "coders"], async () => {
    const pairs = Array.from({ length: 50 }, (_, index) => kv({ id: index % 5, kind: "k" }, 1));
    const run = await runModel((root) =>
      grouped(root.apply(withName("Pairs", create(pairs)))).apply(collect("groups")),
    );
    const ones = Array.from({ length: 10 }, () => 1);
    expectOutputs(
      run,
      "groups",
      [0, 1, 2, 3, 4].map((id) => kv({ id, kind: "k" }, ones)),
    );
  });

  scenario(CATEGORY, "keeps keys of different types apart", ["GroupByKey", "coders"], async () => {
    const keys = [1, "1", true, "true", "", "[1]", [1]];
    const run = await runModel((root) =>
      grouped(root.apply(withName("Pairs", create(keys.map((key, index) => kv(key, index)))))).apply(
        collect("groups"),
      ),
    );
    expectOutputs(
      run,
      "groups",
      keys.map((key, index) => kv(key, [index])),
    );
  });

  for (const [size, length] of [
    ["10 KB", 10 * 1024],
    ["100 KB", 100 * 1024],
    ["1 MB", 1024 * 1024],
    ["10 MB", 10 * 1024 * 1024],
  ] as const) {
    scenario(CATEGORY, `groups by keys of ${size}`, ["GroupByKey"], async () => {
      const run = await runModel((root) =>
        grouped(
          root
            .apply(withName("Letters", create(["a", "a", "b"])))
            .apply(mapping("Expand", (letter: string) => kv(letter.repeat(length), letter))),
        )
          .apply(
            mapping("Measure", ({ key, value }: KV<string, string[]>) => [key[0], key.length, value.length]),
          )
          .apply(collect("groups")),
      );
      expectOutputs(run, "groups", [
        ["a", length, 2],
        ["b", length, 1],
      ]);
    });
  }

  scenario(
    CATEGORY,
    "gathers a key with 20,000 values beside one with a single one",
    ["GroupByKey"],
    async () => {
      const pairs = Array.from({ length: 20_001 }, (_, index) => kv(index === 7 ? "cold" : "hot", index));
      const run = await runModel((root) =>
        grouped(root.apply(withName("Pairs", create(pairs))))
          .apply(
            mapping("Measure", ({ key, value }: KV<string, number[]>) => [
              key,
              value.length,
              value.reduce((a, b) => a + b, 0),
            ]),
          )
          .apply(collect("groups")),
      );
      expectOutputs(run, "groups", [
        ["hot", 20_000, 200_010_000 - 7],
        ["cold", 1, 7],
      ]);
    },
  );

  scenario(CATEGORY, "lets a group's values be read again", ["GroupByKey"], async () => {
    const run = await runModel((root) =>
      root
        .apply(withName("Pairs", create([kv("a", 1), kv("a", 2)])))
        .apply(withName("Group", groupByKey<string, number>()))
        .apply(
          mapping("Twice", ({ value }: KV<string, Iterable<number>>) => [
            [...value].length,
            [...value].length,
          ]),
        )
        .apply(collect("counts")),
    );
    expectOutputs(run, "counts", [[2, 2]]);
  });

  scenario(CATEGORY, "groups what was grouped", ["GroupByKey"], async () => {
    const run = await runModel((root) => {
      const first = grouped(
        root.apply(withName("Pairs", create([kv("a", 1), kv("b", 2), kv("a", 3), kv("c", 4)]))),
        "First",
      ).apply(mapping("BySize", ({ key, value }: KV<string, number[]>) => kv(value.length, key)));
      return grouped(first, "Second").apply(collect("groups"));
    });
    expectOutputs(run, "groups", [kv(2, ["a"]), kv(1, ["b", "c"])]);
  });
});
