/** Scenarios of TestStream: a script of elements, watermarks and processing time, played one event after the other. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { eventTimeTimer, processingTimeTimer } from "../../transforms/primitives/timer-spec.js";
import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, globalWindows } from "../../transforms/primitives/window-fns.js";
import { both, grouped, keyed } from "./support/grouping.js";
import { into } from "./support/into.js";
import { mapping, parDo } from "./support/local-do-fn.js";
import {
  collect,
  expectInOrder,
  expectOutputs,
  expectPanes,
  runModel,
  runToFailure,
} from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { at, kv } from "./support/sources.js";

const CATEGORY = "TestStream";
const SECOND_MS = 1000;

/** Appends what comes, and emits all of it at 100 s. */
class AppendFn implements DoFn<KV<string, string>> {
  readonly seen = valueState<string>();
  readonly emit = eventTimeTimer();

  process({ value }: KV<string, string>, context: ProcessContext): void {
    const seen = context.state(this.seen);
    const earlier = seen.read();
    seen.write(earlier === undefined ? value : `${earlier},${value}`);
    context.timer(this.emit).set(100 * SECOND_MS);
  }

  onTimer(_timer: unknown, context: ElementContext): void {
    context.output(context.state(this.seen).read());
  }
}

/** Emits what came, and 50 ms of processing time later that the timer fired. */
class WaitFn implements DoFn<KV<string, string>> {
  readonly wait = processingTimeTimer();

  process({ value }: KV<string, string>, context: ProcessContext): void {
    context.output(value);
    context.timer(this.wait).setRelative(50_000);
  }

  onTimer(_timer: unknown, context: ElementContext): void {
    context.output("timer");
  }
}

scenariosOf(CATEGORY, () => {
  scenario(
    CATEGORY,
    "plays the next event when all that follows from the last has passed every stage",
    ["TestStream", "value state", "event-time timers", "Flatten"],
    async () => {
      const script = testStream<string>()
        .addElements("before")
        .advanceWatermarkTo(0)
        .addElements(at(10 * SECOND_MS, "after"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => {
        const input = root.apply(withName("Stream", script));
        const upper = grouped(
          input
            .apply(into("Seconds", fixedWindows(SECOND_MS)))
            .apply(mapping("Pair", (text: string) => kv(text, text))),
        )
          .apply(mapping("Upper", ({ key }: KV<string, string[]>) => key.toUpperCase()))
          .apply(into("Rewindow", globalWindows()));
        both("Both", [input, upper])
          .apply(keyed("key"))
          .apply(parDo<KV<string, string>, string>("Append", () => new AppendFn()))
          .apply(collect("seen"));
      });
      expectOutputs(run, "seen", ["before,BEFORE,after,AFTER"]);
    },
  );

  scenario(
    CATEGORY,
    "gives elements without a time that of its watermark",
    ["TestStream", "timestamps"],
    async () => {
      const script = testStream<string>()
        .addElements("start")
        .advanceWatermarkTo(70)
        .addElements("behind", at(75, "timed"))
        .advanceWatermarkToInfinity();
      const run = await runModel((root) => root.apply(withName("Stream", script)).apply(collect("elements")));
      expectPanes(run, "elements", [
        { value: "start", timestampMs: MIN_TIMESTAMP_MS },
        { value: "behind", timestampMs: 70 },
        { value: "timed", timestampMs: 75 },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "holds processing-time timers until its clock moves",
    ["TestStream", "processing-time timers"],
    async () => {
      const script = testStream<string>()
        .addElements(at(1, "a"))
        .advanceWatermarkTo(10)
        .addElements(at(11, "b"))
        .advanceWatermarkTo(12)
        .advanceProcessingTime(51_000)
        .addElements(at(12, "c"))
        .advanceWatermarkTo(13)
        .advanceProcessingTime(51_000)
        .advanceWatermarkToInfinity();
      const run = await runModel((root) =>
        root
          .apply(withName("Stream", script))
          .apply(keyed("key"))
          .apply(parDo<KV<string, string>, string>("Wait", () => new WaitFn()))
          .apply(collect("seen")),
      );
      expectInOrder(run, "seen", ["a", "b", "timer", "c", "timer"]);
    },
  );

  scenario(CATEGORY, "ends though it never says so", ["TestStream"], async () => {
    const script = testStream<string>().addElements(at(1, "a"), at(2, "b"));
    const run = await runModel((root) =>
      grouped(
        root
          .apply(withName("Stream", script))
          .apply(into("Window", fixedWindows(10)))
          .apply(keyed("all")),
      ).apply(collect("groups")),
    );
    expectOutputs(run, "groups", [kv("all", ["a", "b"])]);
  });

  scenario(CATEGORY, "with no elements gives none", ["TestStream"], async () => {
    const script = testStream<string>().advanceWatermarkTo(5).advanceWatermarkToInfinity();
    const run = await runModel((root) =>
      grouped(root.apply(withName("Stream", script)).apply(keyed("all"))).apply(collect("groups")),
    );
    expectOutputs(run, "groups", []);
  });

  scenario(CATEGORY, "refuses an element at positive infinity", ["TestStream"], () => {
    const script = testStream<number>().addElements(at(MAX_TIMESTAMP_MS - 1, -1));
    expect(() => script.addElements(at(MAX_TIMESTAMP_MS, 1))).to.throw(String(MAX_TIMESTAMP_MS));
  });

  scenario(CATEGORY, "refuses a watermark that goes back", ["TestStream"], () => {
    const script = testStream<number>().advanceWatermarkTo(0);
    expect(() => script.advanceWatermarkTo(-1)).to.throw(/watermark.*-1/);
  });

  scenario(CATEGORY, "refuses a watermark at infinity by its number", ["TestStream"], () => {
    const script = testStream<number>().advanceWatermarkTo(MAX_TIMESTAMP_MS - 1);
    expect(() => script.advanceWatermarkTo(MAX_TIMESTAMP_MS)).to.throw(/advanceWatermarkToInfinity/);
  });

  scenario(CATEGORY, "a second one in a pipeline is refused by name", ["TestStream"], async () => {
    const script = testStream<string>().addElements(at(1, "a")).advanceWatermarkToInfinity();
    await runToFailure((root) => {
      root.apply(withName("First", script)).apply(collect("first"));
      root.apply(withName("Second", script)).apply(collect("second"));
    }, /several TestStreams \(First, Second\)/);
  });
});
