/** Scenarios of onWindowExpiration: the last word of a key and window before its state is gone. */
import { type PCollection, type Root, withName } from "../../transforms/primitives/beam.js";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { bagState, valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
} from "../../transforms/primitives/timer-spec.js";
import { GLOBAL_WINDOW_END_MS } from "../../transforms/primitives/timestamp-bounds.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { localParDo, parDo } from "./support/local-do-fn.js";
import { portableTarget } from "./support/portable-targets.js";
import {
  collect,
  expectElements,
  expectInOrder,
  expectOutputs,
  expectPanes,
  type ModelRun,
  runModel,
} from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, elementsAt, kv, streamed } from "./support/sources.js";

type Pair = KV<string, number>;

/** Keeps a key's values and emits them, sorted, when the window expires; passes on what is not positive. */
class UntilExpirationFn implements DoFn<Pair> {
  readonly values = bagState<number>();

  process({ key, value }: Pair, context: ProcessContext): void {
    if (value > 0) context.state(this.values).add(value);
    else context.output(kv(key, "passed on"));
  }

  onWindowExpiration(context: ElementContext): void {
    const values = [...context.state(this.values).read()].sort((a, b) => a - b);
    // a job server may expire every key and window that had elements, also without state
    if (values.length === 0 && portableTarget !== undefined) return;
    context.output(kv(context.key, values));
  }
}

const untilExpiration = () => parDo<Pair, unknown>("Keep", () => new UntilExpirationFn());
const windows = (allowedLatenessMs = 0) => into<Pair>("Window", fixedWindows(10), { allowedLatenessMs });
const script = () => testStream<Pair>();

/** Keeps the input in windows of 10 ms until they expire, and collects as "out" what comes of it. */
function runToExpiration(
  input: (root: Root) => PCollection<Pair>,
  allowedLatenessMs?: number,
): Promise<ModelRun> {
  return runModel((root) =>
    input(root).apply(windows(allowedLatenessMs)).apply(untilExpiration()).apply(collect("out")),
  );
}

/** Has timers of both domains, and says what fires. */
class ExpiringTimersFn implements DoFn<Pair> {
  readonly event = eventTimeTimer();
  readonly processing = processingTimeTimer();

  process({ value }: Pair, context: ProcessContext): void {
    context
      .timer(this.event)
      .set(context.window.maxTimestampMs - 1, { outputTimestampMs: context.timestampMs });
    context.timer(this.processing).setRelative(value);
  }

  onTimer({ family }: FiredTimer, context: ElementContext): void {
    context.output(family);
  }

  onWindowExpiration(context: ElementContext): void {
    context.output("expiration");
  }
}

scenariosOf("on window expiration", (it) => {
  it(
    "it is called once for each key and window of bounded input",
    ["on window expiration", "fixed windows"],
    async () => {
      const run = await runToExpiration((root) =>
        elementsAt(root, [
          [kv("a", 2), 1],
          [kv("a", 1), 2],
          [kv("b", 3), 3],
          [kv("a", 4), 14],
        ]),
      );
      expectElements(run, "out", [
        { value: kv("a", [1, 2]), window: "0/10", timestampMs: 9 },
        { value: kv("b", [3]), window: "0/10", timestampMs: 9 },
        { value: kv("a", [4]), window: "10/20", timestampMs: 19 },
      ]);
    },
  );

  it(
    "it is called when the watermark has passed the window's end",
    ["on window expiration", "TestStream"],
    async () => {
      const run = await runToExpiration((root) =>
        streamed(
          root,
          script()
            .addElements(at(1, kv("a", 1)))
            .advanceWatermarkTo(9)
            .addElements(at(9, kv("a", 2)))
            .advanceWatermarkTo(10)
            .addElements(at(11, kv("a", 0)))
            .advanceWatermarkToInfinity(),
        ),
      );
      expectPanes(run, "out", [
        { value: kv("a", [1, 2]), window: "0/10" },
        { value: kv("a", "passed on"), window: "10/20" },
      ]);
    },
  );

  it(
    "it waits as long as late elements are allowed, and sees their state",
    ["on window expiration", "allowed lateness", "TestStream"],
    async () => {
      const run = await runToExpiration(
        (root) =>
          streamed(
            root,
            script()
              .addElements(at(1, kv("a", 1)))
              .advanceWatermarkTo(29)
              .addElements(at(3, kv("a", 2)), at(30, kv("b", 0)))
              .advanceWatermarkTo(30)
              .addElements(at(31, kv("c", 0)))
              .advanceWatermarkToInfinity(),
          ),
        20,
      );
      expectPanes(run, "out", [
        { value: kv("b", "passed on"), window: "30/40" },
        { value: kv("a", [1, 2]), window: "0/10" },
        { value: kv("c", "passed on"), window: "30/40" },
      ]);
    },
  );

  it(
    "in the global window it is called at the end of time",
    ["on window expiration", "global window"],
    async () => {
      const run = await runModel((root) =>
        elements(root, [kv("a", 3), kv("a", 1), kv("b", 2)])
          .apply(untilExpiration())
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: kv("a", [1, 3]), window: "", timestampMs: GLOBAL_WINDOW_END_MS },
        { value: kv("b", [2]), window: "", timestampMs: GLOBAL_WINDOW_END_MS },
      ]);
    },
  );

  it(
    "it is called for each of an element's windows",
    ["on window expiration", "sliding windows"],
    async () => {
      const run = await runModel((root) =>
        elementsAt(root, [
          [kv("a", 1), 3],
          [kv("a", 2), 8],
        ])
          .apply(into<Pair>("Window", slidingWindows({ sizeMs: 10, periodMs: 5 })))
          .apply(untilExpiration())
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: kv("a", [1]), window: "-5/5" },
        { value: kv("a", [1, 2]), window: "0/10" },
        { value: kv("a", [2]), window: "5/15" },
      ]);
    },
  );

  it("a key and window that has no state does not expire", ["on window expiration"], async () => {
    const run = await runToExpiration((root) =>
      elementsAt(root, [
        [kv("a", 0), 1],
        [kv("b", 5), 2],
        [kv("a", 0), 11],
      ]),
    );
    expectElements(run, "out", [
      { value: kv("a", "passed on"), window: "0/10" },
      { value: kv("a", "passed on"), window: "10/20" },
      { value: kv("b", [5]), window: "0/10" },
    ]);
  });

  it(
    "a key and window whose state was cleared expires too, in whichever bundle that was",
    ["on window expiration", "value state", "TestStream"],
    async () => {
      const run = await runModel((root) => {
        const last = valueState<number>();
        streamed(
          root,
          script()
            .addElements(at(1, kv("a", 1)), at(1, kv("b", 1)), at(2, kv("b", 0)))
            .addElements(at(2, kv("a", 0)), at(3, kv("c", -1)))
            .advanceWatermarkToInfinity(),
        )
          .apply(windows())
          .apply(
            parDo("Last", () => ({
              last,
              process({ value }: Pair, context: ProcessContext) {
                if (value === 0) context.state(last).clear();
                else if (value > 0) context.state(last).write(value);
              },
              onWindowExpiration: (context: ElementContext) =>
                context.output(kv(context.key, context.state(last).read() ?? "none")),
            })),
          )
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [kv("a", "none"), kv("b", "none")]);
    },
  );

  it(
    "elements behind the expiration are dropped: the state does not come back",
    ["on window expiration", "TestStream"],
    async () => {
      const run = await runToExpiration((root) =>
        streamed(
          root,
          script()
            .addElements(at(1, kv("a", 1)))
            .advanceWatermarkTo(20)
            .addElements(at(2, kv("a", 2)), at(3, kv("z", 3)))
            .advanceWatermarkToInfinity(),
        ),
      );
      expectPanes(run, "out", [{ value: kv("a", [1]), window: "0/10" }]);
    },
  );

  it(
    "event-time timers of the window fire before it",
    ["on window expiration", "event-time timers", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          script()
            .addElements(at(1, kv("a", 1_000)))
            .advanceWatermarkTo(50)
            .advanceProcessingTime(5_000)
            .advanceWatermarkToInfinity(),
        )
          .apply(windows())
          .apply(parDo("Timers", () => new ExpiringTimersFn()))
          .apply(collect("out")),
      );
      expectInOrder(run, "out", ["event", "expiration"]);
    },
  );

  it(
    "at the end pending processing-time timers fire before it too",
    ["on window expiration", "processing-time timers"],
    async () => {
      const run = await runModel((root) =>
        elementsAt(root, [[kv("a", 3_600_000), 1]])
          .apply(windows())
          .apply(parDo("Timers", () => new ExpiringTimersFn()))
          .apply(collect("out")),
      );
      expectInOrder(run, "out", ["event", "processing", "expiration"]);
    },
  );

  it(
    "a timer set while the window expires never fires",
    ["on window expiration", "event-time timers"],
    async () => {
      const run = await runModel((root) => {
        const timer = eventTimeTimer();
        const count = valueState<number>();
        elementsAt(root, [[kv("a", 1), 1]])
          .apply(windows())
          .apply(
            parDo("Again", () => ({
              timer,
              count,
              process: (_element: Pair, context: ProcessContext) => context.state(count).write(1),
              onTimer: (_timer: FiredTimer, context: ElementContext) => context.output("timer"),
              onWindowExpiration(context: ElementContext) {
                context.timer(timer).set(context.window.maxTimestampMs);
                context.output("expiration");
              },
            })),
          )
          .apply(collect("out"));
      });
      expectInOrder(run, "out", ["expiration"]);
    },
  );

  it("it may emit to tagged outputs", ["on window expiration", "ParDo"], async () => {
    const run = await runModel((root) => {
      const seen = valueState<number>();
      const { main, expired } = elementsAt(root, [[kv("a", 5), 1]])
        .apply(windows())
        .apply(
          withName(
            "Tagged",
            localParDo<Pair, { main: number; expired: number }>(
              () => ({
                seen,
                process({ value }: Pair, context: ProcessContext) {
                  context.state(seen).write(value);
                  context.output(value);
                },
                onWindowExpiration: (context: ElementContext) =>
                  context.outputTo("expired", context.state(seen).read()),
              }),
              { outputs: ["main", "expired"] },
            ),
          ),
        );
      main.apply(collect("main"));
      expired.apply(collect("expired"));
    });
    expectPanes(run, "main", [{ value: 5, timestampMs: 1 }]);
    expectPanes(run, "expired", [{ value: 5, timestampMs: 9 }]);
  });
});
