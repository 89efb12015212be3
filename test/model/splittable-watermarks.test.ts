/** Scenarios of splittable DoFns in event time: estimators tell the watermark. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import type { SplittableProcessContext } from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import {
  type ManualWatermarkEstimator,
  monotonicWatermarkEstimator,
  type WatermarkEstimator,
} from "../../transforms/primitives/watermark-estimator.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { localParDo, mapping, splittable } from "./support/local-do-fn.js";
import type { OffsetRange } from "./support/offset-range.js";
import { collect, expectPanes, runModel, runToFailure } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, kv, streamed } from "./support/sources.js";
import { ManualTicksFn, TicksFn } from "./support/ticks-fn.js";

class MonotonicTicksFn extends TicksFn<number> {
  initialWatermarkState(_key: string, _range: OffsetRange, timestampMs: number): number {
    return timestampMs;
  }

  createWatermarkEstimator(state: number): WatermarkEstimator<number> {
    return monotonicWatermarkEstimator(state);
  }
}

class SilentTicksFn extends TicksFn<unknown> {}

/** Runs a DoFn of three ticks, one each 100 ms; logs its outputs, panes of 10 ms, and the clock's moves. */
async function logOfTicks<State>(create: () => TicksFn<State>): Promise<string[]> {
  const log: string[] = [];
  await runModel((root) => {
    const stream = streamed(
      root,
      testStream<string>()
        .addElements(at(0, "a"))
        .advanceWatermarkTo(1_000)
        .advanceProcessingTime(100)
        .addElements(at(1_000, "-"))
        .advanceProcessingTime(100)
        .addElements(at(1_001, "-"))
        .advanceProcessingTime(100)
        .advanceWatermarkToInfinity(),
    );
    stream.apply(mapping<string, unknown>("Log input", (text) => log.push(text)));
    const ticks = onlyKey(stream).apply(
      splittable<string, KV<string, number>, OffsetRange, number, State>("Ticks", create, { bounded: false }),
    );
    ticks.apply(mapping<KV<string, number>, unknown>("Log ticks", ({ value }) => log.push(`tick ${value}`)));
    ticks
      .apply(into<KV<string, number>>("Window", fixedWindows(10)))
      .apply(withName("Group", groupByKey<string, number>()))
      .apply(
        mapping<KV<string, Iterable<number>>, unknown>("Log panes", ({ value }) =>
          log.push(`pane ${[...value].join(" ")}`),
        ),
      );
  });
  return log;
}

/** The stream's element "a"; the others only show when the clock has moved. */
const onlyKey = (stream: ReturnType<typeof streamed<string>>) =>
  stream.apply(
    withName(
      "Only a",
      localParDo<string, string>(() => ({
        process: (text, context) => (text === "a" ? context.output(text) : undefined),
      })),
    ),
  );

scenariosOf("splittable DoFns", (it) => {
  it(
    "a watermark set by hand lets windows end before the restriction does",
    ["watermark estimator", "unbounded splittable DoFn", "self-checkpoint", "TestStream"],
    async () => {
      expect(await logOfTicks(() => new ManualTicksFn(3))).to.deep.equal([
        "a",
        "tick 0",
        "pane 0",
        "tick 1",
        "pane 1",
        "-",
        "tick 2",
        "pane 2",
        "-",
      ]);
    },
  );

  it(
    "a monotonic estimator's watermark is the time of the last output",
    ["watermark estimator", "unbounded splittable DoFn", "TestStream"],
    async () => {
      expect(await logOfTicks(() => new MonotonicTicksFn(3))).to.deep.equal([
        "a",
        "tick 0",
        "tick 1",
        "pane 0",
        "-",
        "tick 2",
        "pane 1",
        "pane 2",
        "-",
      ]);
    },
  );

  it(
    "without an estimator the watermark waits for the end of the restriction",
    ["unbounded splittable DoFn", "self-checkpoint", "TestStream"],
    async () => {
      expect(await logOfTicks(() => new SilentTicksFn(3))).to.deep.equal([
        "a",
        "tick 0",
        "tick 1",
        "-",
        "tick 2",
        "pane 0",
        "pane 1",
        "pane 2",
        "-",
      ]);
    },
  );

  it(
    "the estimator's state goes on with the rest of the restriction",
    ["watermark estimator", "self-checkpoint"],
    async () => {
      const states: number[] = [];
      class RecordingFn extends ManualTicksFn {
        override createWatermarkEstimator(state: number): ManualWatermarkEstimator {
          states.push(state);
          return super.createWatermarkEstimator(state);
        }

        override initialWatermarkState(): number {
          return -1;
        }
      }
      const run = await runModel((root) =>
        elements(root, ["a"])
          .apply(
            splittable<string, KV<string, number>, OffsetRange, number, number>(
              "Ticks",
              () => new RecordingFn(3, 0),
              {
                bounded: true,
              },
            ),
          )
          .apply(collect("out")),
      );
      expectPanes(
        run,
        "out",
        [0, 1, 2].map((tick) => ({ value: kv("a", tick), timestampMs: 10 * tick })),
      );
      expect([...new Set(states)]).to.deep.equal([-1, 10, 20]);
    },
  );

  it(
    "a watermark that goes back is an error, and so is the run",
    ["watermark estimator", "faults"],
    async () => {
      class BackwardsFn extends ManualTicksFn {
        override ticked(timestampMs: number, context: SplittableProcessContext<number>): void {
          (context.watermarkEstimator as ManualWatermarkEstimator).setWatermark(100 - timestampMs);
        }
      }
      await runToFailure(
        (root) =>
          elements(root, ["a"]).apply(
            splittable<string, unknown, OffsetRange, number, number>("Ticks", () => new BackwardsFn(3, 0), {
              bounded: true,
            }),
          ),
        /watermark must not go back: 100 → 90/,
      );
    },
  );
});
