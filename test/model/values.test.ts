/** Scenarios of values end to end: what goes in comes out, as an element, a value and a key of groups, in state. */
import { withName } from "../../transforms/primitives/beam.js";
import { create } from "../../transforms/primitives/create.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { reshuffle } from "../../transforms/primitives/reshuffle.js";
import { bagState } from "../../transforms/primitives/state-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { grouped, sorted } from "./support/grouping.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectOutputs, runModel, runToFailure } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { kv } from "./support/sources.js";

const CATEGORY = "values";

/** By what a scenario says of them. */
const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  "whole numbers beyond 32 bits": [
    2 ** 31,
    -(2 ** 31) - 1,
    1_700_000_000_000,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
  ],
  bigints: [0n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)],
  bytes: [new Uint8Array(), new Uint8Array([0, 1, 255]), new Uint8Array([1, 2]), new Uint8Array([1, 2, 0])],
  "fractions and numbers that are none": [
    0.1,
    -1.5,
    5e-324,
    Number.MAX_VALUE,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ],
  text: ["", " ", "a", "ä", "a\u0308", "\u0000", "🐎", "line\nbreak", "x".repeat(70_000)],
  "booleans and null": [true, false, null],
  arrays: [[], [[]], [1, "1", null], [2 ** 40, [2n ** 60n, new Uint8Array([7])]]],
  objects: [
    {},
    { a: 1 },
    { a: { b: [1, { c: null }] } },
    { large: 2 ** 52, big: 2n ** 62n, bytes: new Uint8Array([9, 8]) },
  ],
};

/** Emits how many of a key came, and the values, when the last of them comes. */
class KeepFn implements DoFn<KV<unknown, unknown>> {
  readonly kept = bagState<unknown>();

  process({ key, value }: KV<unknown, unknown>, context: ProcessContext): void {
    const kept = context.state(this.kept);
    kept.add(value);
    const values = [...kept.read()];
    if (values.length === 2) context.output(kv(key, values));
  }
}

scenariosOf(CATEGORY, () => {
  for (const [kind, values] of Object.entries(VALUES)) {
    scenario(CATEGORY, `${kind} pass stages unchanged`, ["coders", "Reshuffle"], async () => {
      const run = await runModel((root) =>
        root
          .apply(withName("Create", create<unknown>(values)))
          .apply(withName("Reshuffle", reshuffle()))
          .apply(collect("values")),
      );
      expectOutputs(run, "values", values);
    });

    scenario(CATEGORY, `${kind} are grouped unchanged`, ["coders", "GroupByKey"], async () => {
      const run = await runModel((root) =>
        grouped(root.apply(withName("Create", create(values.map((value) => kv("all", value)))))).apply(
          collect("groups"),
        ),
      );
      expectOutputs(run, "groups", [kv("all", sorted(values))]);
    });

    scenario(CATEGORY, `${kind} are keys, each of its own`, ["coders", "GroupByKey"], async () => {
      const twice = [...values, ...values].map((key, index) => kv(key, index));
      const run = await runModel((root) =>
        grouped(root.apply(withName("Create", create(twice)))).apply(collect("groups")),
      );
      expectOutputs(
        run,
        "groups",
        values.map((key, index) => kv(key, [index, index + values.length])),
      );
    });

    scenario(
      CATEGORY,
      `${kind} are kept in state under keys of their kind`,
      ["coders", "bag state"],
      async () => {
        const twice = [...values, ...values].map((value) => kv(value, value));
        const run = await runModel((root) =>
          root
            .apply(withName("Create", create(twice)))
            .apply(parDo<KV<unknown, unknown>>("Keep", () => new KeepFn()))
            .apply(collect("kept")),
        );
        expectOutputs(
          run,
          "kept",
          values.map((value) => kv(value, [value, value])),
        );
      },
    );
  }

  scenario(
    CATEGORY,
    "an object is one key in whatever order its fields stand",
    ["coders", "GroupByKey"],
    async () => {
      const run = await runModel((root) =>
        grouped(
          root.apply(withName("Create", create([kv({ a: 1, b: 2 }, "x"), kv({ b: 2, a: 1 }, "y")]))),
        ).apply(collect("groups")),
      );
      expectOutputs(run, "groups", [kv({ a: 1, b: 2 }, ["x", "y"])]);
    },
  );

  scenario(
    CATEGORY,
    "a key that no coder carries is an error with its path",
    ["coders", "GroupByKey"],
    async () => {
      await runToFailure(
        (root) =>
          grouped(
            root.apply(withName("Create", create(["a"]))).apply(
              parDo<string, KV<unknown, string>>("Key", () => ({
                process: (value) => [kv({ parts: [1, Symbol(value)] }, value)],
              })),
            ),
          ).apply(collect("groups")),
        /parts/,
      );
    },
  );

  scenario(
    CATEGORY,
    "an element that is no pair of key and value cannot be grouped",
    ["coders", "GroupByKey"],
    async () => {
      await runToFailure(
        (root) =>
          grouped(
            root.apply(withName("Create", create(["not a pair" as unknown as KV<string, string>]))),
          ).apply(collect("groups")),
        /key/,
      );
    },
  );
});
