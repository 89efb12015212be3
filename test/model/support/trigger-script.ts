/** Scenarios of triggers: a script of elements and time, and the panes that come of it. */
import { expect } from "chai";
import { withName } from "../../../transforms/primitives/beam.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";
import { fixedWindows } from "../../../transforms/primitives/window-fns.js";
import type { WindowingOptions, windowInto } from "../../../transforms/primitives/window-into.js";
import { grouped, keyed } from "./grouping.js";
import { into } from "./into.js";
import type { ModelFeature } from "./model-features.js";
import { asOrdered, collect, type ModelRun, runModel } from "./run-model.js";
import { scenario } from "./scenarios.js";
import { at } from "./sources.js";

export const CATEGORY = "triggers";

export type Stream = ReturnType<typeof testStream<string>>;
type Features = readonly [ModelFeature, ...ModelFeature[]];

/** A pane as scenarios write it: timing, index/non-speculative index, values; "last" if it says that it is the last. */
type PaneText = string;

/** Groups what the script emits under one key. */
export function runScript(
  script: Stream,
  options: WindowingOptions,
  windowFn: Parameters<typeof windowInto>[0] = fixedWindows(10),
): Promise<ModelRun> {
  return runModel((root) =>
    grouped(
      root
        .apply(withName("Stream", script))
        .apply(into("Window", windowFn, options))
        .apply(keyed("k")),
    ).apply(collect("panes")),
  );
}

/** The panes in their order, each as `<window> <timing> <index>/<non-speculative index> [values] (first) (last)`. */
function paneTexts(run: ModelRun): PaneText[] {
  return run.collected("panes").map(({ value, window, pane }) => {
    const { value: values } = value as { value: string[] };
    const marks = `${pane.isFirst ? " first" : ""}${pane.isLast ? " last" : ""}`;
    const indexes = `${pane.index}/${pane.nonSpeculativeIndex}`;
    return `${window.id} ${pane.timing} ${indexes} [${values.join(" ")}]${marks}`;
  });
}

/** A scenario of one script, in windows of 10 ms unless told otherwise. */
export function fires(
  name: string,
  features: Features,
  setting: {
    readonly script: Stream;
    readonly options: WindowingOptions;
    readonly windowFn?: Parameters<typeof windowInto>[0];
    readonly panes: readonly PaneText[];
  },
): void {
  scenario(CATEGORY, name, features, async () => {
    const run = await runScript(setting.script, setting.options, setting.windowFn);
    expect(asOrdered(paneTexts(run))).to.deep.equal(asOrdered(setting.panes));
  });
}

/** Elements one by one, so that each arrives in a bundle of its own. */
export function elements(
  script: Stream,
  ...values: readonly (readonly [timestampMs: number, value: string])[]
): Stream {
  return values.reduce((stream, [timestampMs, value]) => stream.addElements(at(timestampMs, value)), script);
}

/** Every element is on time for the global window. */
export function numbered(count: number): Stream {
  return elements(
    testStream<string>().advanceWatermarkTo(0),
    ...Array.from({ length: count }, (_, index) => [index, String(index + 1)] as const),
  );
}
