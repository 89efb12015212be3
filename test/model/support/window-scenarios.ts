/** Scenarios of windows as tables: windows by element, or values by window. */
import type { WindowingOptions, windowInto } from "../../../transforms/primitives/window-into.js";
import { grouped, keyed } from "./grouping.js";
import { into } from "./into.js";
import type { ModelFeature } from "./model-features.js";
import { collect, expectElements, runModel } from "./run-model.js";
import { scenario } from "./scenarios.js";
import { kv, timed } from "./sources.js";

export const CATEGORY = "windows";

type WindowFnSpec = Parameters<typeof windowInto>[0];

/** A scenario that only assigns windows: `value → windows` of elements given by event time. */
export function assigns(
  name: string,
  features: readonly [ModelFeature, ...ModelFeature[]],
  windowFn: WindowFnSpec,
  expected: Readonly<Record<string, { at: number; windows: readonly string[] }>>,
): void {
  scenario(CATEGORY, name, features, async () => {
    const elements = Object.entries(expected).map(([value, { at }]) => [at, value] as const);
    const run = await runModel((root) =>
      root.apply(timed("Elements", elements)).apply(into("Window", windowFn)).apply(collect("assigned")),
    );
    expectElements(
      run,
      "assigned",
      Object.entries(expected).flatMap(([value, { at, windows }]) =>
        windows.map((window) => ({ value, timestampMs: at, window })),
      ),
    );
  });
}

/** A scenario that groups everything under one key: windows with the values that end in them. */
export function groups(
  name: string,
  features: readonly [ModelFeature, ...ModelFeature[]],
  windowFn: WindowFnSpec,
  elements: readonly (readonly [timestampMs: number, value: string])[],
  expected: Readonly<Record<string, readonly string[]>>,
  options: WindowingOptions = {},
): void {
  scenario(CATEGORY, name, features, async () => {
    const run = await runModel((root) =>
      grouped(
        root
          .apply(timed("Elements", elements))
          .apply(into("Window", windowFn, options))
          .apply(keyed("all")),
      ).apply(collect("groups")),
    );
    expectElements(
      run,
      "groups",
      Object.entries(expected).map(([window, values]) => ({ value: kv("all", values), window })),
    );
  });
}
