/** Scenarios of draining: what becomes of restrictions that are not done. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import type {
  DoFn,
  ElementContext,
  ProcessContext,
  ProcessContinuation,
  SplittableProcessContext,
} from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
} from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { parDo, splittable } from "./support/local-do-fn.js";
import type { OffsetRange, OffsetRangeTracker } from "./support/offset-range.js";
import {
  collect,
  expectInOrder,
  expectOutputs,
  expectPanes,
  runModel,
  startModel,
} from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { elements, kv } from "./support/sources.js";
import { ManualTicksFn, type TicksFn } from "./support/ticks-fn.js";

/** Starts ticks that go on until the job drains; resolves once some are out. */
async function drainedTicks(create: (ticked: () => void) => TicksFn<number>) {
  const { ticked, tell } = signal();
  const run = await startModel((root) => {
    const ticks = elements(root, ["a"]).apply(
      splittable<string, KV<string, number>, OffsetRange, number, number>("Ticks", () => create(tell), {
        bounded: false,
      }),
    );
    ticks.apply(collect("ticks"));
    ticks
      .apply(into<KV<string, number>>("Window", fixedWindows(1_000_000)))
      .apply(withName("Group", groupByKey<string, number>()))
      .apply(collect("panes"));
  });
  await ticked;
  await run.result.drain();
  return run;
}

class EndlessTicksFn extends ManualTicksFn {
  readonly onTick: (timestampMs: number) => void;

  constructor(onTick: (timestampMs: number) => void) {
    super(Number.MAX_SAFE_INTEGER, 1);
    this.onTick = onTick;
  }

  override ticked(timestampMs: number, context: SplittableProcessContext<number>): void {
    super.ticked(timestampMs, context);
    this.onTick(timestampMs);
  }
}

/** Of its rest, three more ticks are done when the job drains. */
class TruncatingTicksFn extends EndlessTicksFn {
  truncateRestriction(_key: string, { from }: OffsetRange): OffsetRange {
    return { from, to: from + 3 };
  }
}

/** Three ticks, then nothing new for an hour. */
class ThreeTicksFn extends ManualTicksFn {
  constructor() {
    super(Number.MAX_SAFE_INTEGER, 0);
  }

  override process(
    key: string,
    tracker: OffsetRangeTracker,
    context: SplittableProcessContext<number>,
  ): ProcessContinuation {
    if (tracker.currentRestriction().from === 3) return { resume: true, delayMs: HOUR_MS };
    return super.process(key, tracker, context);
  }
}

const HOUR_MS = 3_600_000;

/** With its first element it sets timers for later than anything will come; says what fires. */
class WaitingFn implements DoFn<KV<string, number>> {
  readonly event = eventTimeTimer();
  readonly processing = processingTimeTimer();
  readonly isSet = valueState<boolean>();

  process(_element: KV<string, number>, context: ProcessContext): void {
    if (context.state(this.isSet).read()) return;
    context.state(this.isSet).write(true);
    context.timer(this.processing).setRelative(HOUR_MS);
    context.timer(this.event, "later").set(2 * YEAR_MS);
    context.timer(this.event, "sooner").set(YEAR_MS);
  }

  onTimer({ family, tag }: FiredTimer, context: ElementContext): void {
    context.output(tag === "" ? family : `${family} ${tag}`);
  }

  onWindowExpiration(context: ElementContext): void {
    context.output("expiration");
  }
}

const YEAR_MS = 365 * 24 * HOUR_MS;

/** A promise, and what fulfils it. */
function signal(): { ticked: Promise<void>; tell: () => void } {
  let tell = () => {};
  const ticked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  return { ticked, tell };
}

scenariosOf("splittable DoFns", (it) => {
  it(
    "draining cuts an unbounded restriction off and ends the open windows",
    ["drain", "unbounded splittable DoFn"],
    async () => {
      let ticks = 0;
      const run = await drainedTicks(
        (ticked) =>
          new EndlessTicksFn(() => {
            ticks += 1;
            if (ticks === 3) ticked();
          }),
      );
      expect(run.state).to.equal("DRAINED");
      const expected = Array.from({ length: ticks }, (_, tick) => tick);
      expect(ticks).to.be.at.least(3);
      expectOutputs(
        run,
        "ticks",
        expected.map((tick) => kv("a", tick)),
      );
      expectPanes(run, "panes", [{ value: kv("a", expected), timing: "ON_TIME" }]);
    },
  );

  it(
    "draining does the rest that a DoFn wants to be done",
    ["drain", "unbounded splittable DoFn"],
    async () => {
      let ticks = 0;
      const run = await drainedTicks(
        (ticked) =>
          new TruncatingTicksFn(() => {
            ticks += 1;
            if (ticks === 1) ticked();
          }),
      );
      expect(ticks).to.be.at.least(4);
      const expected = Array.from({ length: ticks }, (_, tick) => tick);
      expectPanes(run, "panes", [{ value: kv("a", expected), timing: "ON_TIME" }]);
    },
  );

  it(
    "a bounded restriction is done to its end when the job drains",
    ["drain", "bounded splittable DoFn", "self-checkpoint"],
    async () => {
      const { ticked, tell } = signal();
      class TellingFn extends ManualTicksFn {
        override ticked(timestampMs: number, context: SplittableProcessContext<number>): void {
          super.ticked(timestampMs, context);
          tell();
        }
      }
      const run = await startModel((root) =>
        elements(root, ["a"])
          .apply(
            splittable<string, KV<string, number>, OffsetRange, number, number>(
              "Ticks",
              () => new TellingFn(20, 1),
              {
                bounded: true,
              },
            ),
          )
          .apply(collect("out")),
      );
      await ticked;
      await run.result.drain();
      expectOutputs(
        run,
        "out",
        Array.from({ length: 20 }, (_, tick) => kv("a", tick)),
      );
    },
  );

  it(
    "draining fires event-time timers, then those that wait for the clock, then windows expire",
    ["drain", "event-time timers", "processing-time timers", "on window expiration"],
    async () => {
      const { ticked, tell } = signal();
      const run = await startModel((root) =>
        elements(root, ["a"])
          .apply(
            splittable<string, KV<string, number>, OffsetRange, number, number>(
              "Ticks",
              () => new EndlessTicksFn(tell),
              { bounded: false },
            ),
          )
          .apply(parDo("Timers", () => new WaitingFn()))
          .apply(collect("out")),
      );
      await ticked;
      await run.result.drain();
      expect(run.state).to.equal("DRAINED");
      expectInOrder(run, "out", ["event sooner", "event later", "processing", "expiration"]);
    },
  );

  it(
    "a run over what there is now leaves windows and timers pending",
    ["unbounded splittable DoFn", "event-time timers"],
    async () => {
      const run = await runModel(
        (root) => {
          const ticks = elements(root, ["a"]).apply(
            splittable<string, KV<string, number>, OffsetRange, number, number>(
              "Ticks",
              () => new ThreeTicksFn(),
              {
                bounded: false,
              },
            ),
          );
          ticks.apply(collect("ticks"));
          ticks.apply(parDo("Timers", () => new WaitingFn())).apply(collect("timers"));
          ticks
            .apply(into<KV<string, number>>("Window", fixedWindows(20)))
            .apply(withName("Group", groupByKey<string, number>()))
            .apply(collect("panes"));
        },
        { once: true },
      );
      expect(run.state).to.equal("DONE");
      expectOutputs(run, "ticks", [kv("a", 0), kv("a", 1), kv("a", 2)]);
      expectOutputs(run, "timers", []);
      expectPanes(run, "panes", [{ value: kv("a", [0, 1]), window: "0/20", timing: "ON_TIME" }]);
    },
  );
});
