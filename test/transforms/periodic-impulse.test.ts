/** periodicImpulse: what comes when, by a clock that the test moves, and on the direct runner: windows, drain, its end. */
import { expect } from "chai";
import { type PeriodicImpulseOptions, periodicImpulse } from "../../transforms/periodic-impulse.js";
import { type PeriodicImpulseConfig, PeriodicImpulseFn } from "../../transforms/periodic-impulse-fn.js";
import { runnerApi, withName } from "../../transforms/primitives/beam.js";
import type { SetupContext, SplittableProcessContext } from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { OPEN_END } from "../../transforms/primitives/offset-range-tracker.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { keyed } from "../model/support/grouping.js";
import { into } from "../model/support/into.js";
import { mapping } from "../model/support/local-do-fn.js";
import { collect, expectElements, expectInOrder, runModel, startModel } from "../model/support/run-model.js";
import { coderText, collectionOf, startGraph, transformNamed } from "./primitives/graph-under-test.js";

/** One call of the DoFn at a time of the clock, over what the last one left. */
class Ticking {
  nowMs: number;
  readonly #fn: PeriodicImpulseFn;
  #range;
  #watermarkMs: number;

  constructor(config: PeriodicImpulseConfig, nowMs: number) {
    this.nowMs = nowMs;
    this.#fn = new PeriodicImpulseFn(config);
    const clock = { now: () => this.nowMs };
    this.#fn.setup({ clock } as unknown as SetupContext);
    this.#range = this.#fn.initialRestriction();
    this.#watermarkMs = this.#fn.initialWatermarkState(null, this.#range);
  }

  get size(): number {
    return this.#fn.restrictionSize(null, this.#range);
  }

  /** Outputs, the watermark after them, and for how long to wait: undefined when done. */
  async call(during: (emitted: number) => void = () => {}) {
    const tracker = this.#fn.createTracker(this.#range);
    const watermarkEstimator = this.#fn.createWatermarkEstimator(this.#watermarkMs);
    const outputs: number[] = [];
    const output = (value: number, timestampMs: number) => {
      expect(value).to.equal(timestampMs);
      outputs.push(value);
      during(outputs.length);
    };
    const context = { watermarkEstimator, output, room: () => undefined };
    const answer = await this.#fn.process(
      null,
      tracker,
      context as unknown as SplittableProcessContext<number>,
    );
    this.#watermarkMs = watermarkEstimator.state();
    const delayMs = answer.resume ? answer.delayMs : undefined;
    const split = answer.resume ? tracker.trySplit(0) : undefined;
    tracker.checkDone();
    if (split !== undefined) this.#range = split.residual;
    return { outputs, watermarkMs: this.#watermarkMs, delayMs };
  }

  /** Splits off all but what is emitted, in the midst of the next call. */
  async callSplitAfter(count: number) {
    const tracker = this.#fn.createTracker(this.#range);
    const outputs: number[] = [];
    const output = (value: number) => {
      outputs.push(value);
      if (outputs.length === count) this.#range = tracker.trySplit(0)!.residual;
    };
    const watermarkEstimator = this.#fn.createWatermarkEstimator(this.#watermarkMs);
    const context = { watermarkEstimator, output, room: () => undefined };
    const answer = await this.#fn.process(
      null,
      tracker,
      context as unknown as SplittableProcessContext<number>,
    );
    tracker.checkDone();
    return { outputs, isDone: !answer.resume };
  }
}

describe("PeriodicImpulseFn", () => {
  it("PeriodicImpulseFn emits what is due at once, then each when its time has come, and waits until then", async () => {
    const ticking = new Ticking({ startMs: 100, intervalMs: 10 }, 125);
    expect(ticking.size).to.equal(3);
    expect(await ticking.call()).to.deep.equal({ outputs: [100, 110, 120], watermarkMs: 130, delayMs: 5 });
    expect(ticking.size).to.equal(0);
    ticking.nowMs = 129;
    expect(await ticking.call()).to.deep.equal({ outputs: [], watermarkMs: 130, delayMs: 1 });
    ticking.nowMs = 130;
    expect(await ticking.call()).to.deep.equal({ outputs: [130], watermarkMs: 140, delayMs: 10 });
    ticking.nowMs = 165;
    expect(await ticking.call()).to.deep.equal({ outputs: [140, 150, 160], watermarkMs: 170, delayMs: 5 });
  });

  it("PeriodicImpulseFn waits for a start in the future with its watermark there", async () => {
    const ticking = new Ticking({ startMs: 1000, intervalMs: 10 }, 0);
    expect(await ticking.call()).to.deep.equal({ outputs: [], watermarkMs: 1000, delayMs: 1000 });
  });

  it("PeriodicImpulseFn ends before its stop, which is no element, also between two", async () => {
    const even = new Ticking({ startMs: 0, intervalMs: 10, stopMs: 30 }, 1000);
    expect(await even.call()).to.deep.equal({ outputs: [0, 10, 20], watermarkMs: 30, delayMs: undefined });
    const between = new Ticking({ startMs: -5, intervalMs: 10, stopMs: 16 }, 1000);
    expect(await between.call()).to.deep.equal({ outputs: [-5, 5, 15], watermarkMs: 25, delayMs: undefined });
    const none = new Ticking({ startMs: 7, intervalMs: 10, stopMs: 7 }, 1000);
    expect(await none.call()).to.deep.equal({ outputs: [], watermarkMs: 7, delayMs: undefined });
  });

  it("PeriodicImpulseFn stops where a host splits it, and goes on behind that", async () => {
    const ticking = new Ticking({ startMs: 0, intervalMs: 1, stopMs: 10 }, 1000);
    expect(await ticking.callSplitAfter(4)).to.deep.equal({ outputs: [0, 1, 2, 3], isDone: true });
    expect((await ticking.call()).outputs).to.deep.equal([4, 5, 6, 7, 8, 9]);
  });

  it("PeriodicImpulseFn lets others have their turn while it catches up", async () => {
    const ticking = new Ticking({ startMs: 0, intervalMs: 1, stopMs: 20_000 }, 1_000_000);
    let emitted = 0;
    let turnsAt = 0;
    setImmediate(() => {
      turnsAt = emitted;
    });
    const { outputs } = await ticking.call((count) => {
      emitted = count;
    });
    expect(outputs).to.have.length(20_000);
    expect(turnsAt).to.be.within(1, 19_999);
  });

  it("PeriodicImpulseFn has nothing left to do when the pipeline drains", () => {
    const fn = new PeriodicImpulseFn({ startMs: 0, intervalMs: 1 });
    expect(fn.truncateRestriction()).to.equal(undefined);
    expect(fn.initialRestriction()).to.deep.equal({ start: 0, end: OPEN_END });
  });
});

describe("periodicImpulse", () => {
  const ticks = (options: PeriodicImpulseOptions) => withName("Ticks", periodicImpulse(options));

  it("periodicImpulse() with a stop in the past gives all its elements at their times, and ends", async () => {
    const run = await runModel((root) =>
      root.apply(ticks({ startMs: 5, intervalMs: 10, stopMs: 35 })).apply(collect("out")),
    );
    expect(run.state).to.equal("DONE");
    expectElements(run, "out", [
      { value: 5, timestampMs: 5, window: "" },
      { value: 15, timestampMs: 15, window: "" },
      { value: 25, timestampMs: 25, window: "" },
    ]);
  });

  it("periodicImpulse() with applyWindowing gives each element a window of its own", async () => {
    const run = await runModel((root) =>
      root
        .apply(ticks({ startMs: 5, intervalMs: 10, stopMs: 25, applyWindowing: true }))
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: 5, window: "0/10" },
      { value: 15, window: "10/20" },
    ]);
  });

  it("periodicImpulse() emits by the clock, closes windows as it goes, and a drain ends it", async () => {
    const startMs = Date.now() + 50;
    const seenAtMs: number[] = [];
    let enough: () => void = () => {};
    const panes = new Promise<void>((resolve) => {
      enough = resolve;
    });
    const run = await startModel((root) => {
      const all = root.apply(ticks({ startMs, intervalMs: 50 }));
      all
        .apply(mapping("Clock", (value: number) => seenAtMs.push(Date.now() - value)))
        .apply(collect("seen"));
      all
        .apply(into<number>("Window", fixedWindows(50, { offsetMs: startMs % 50 })))
        .apply(keyed<string, number>("k"))
        .apply(withName("Group", groupByKey<string, number>()))
        .apply(
          mapping("Pane", ({ value }: KV<string, Iterable<number>>) => {
            const [first] = [...value];
            if (first! >= startMs + 100) enough();
            return first;
          }),
        )
        .apply(collect("panes"));
    });
    await panes;
    await run.result.drain();
    expect(run.state).to.equal("DRAINED");
    const panesSeen = run.values("panes") as number[];
    expect(panesSeen.slice(0, 3)).to.deep.equal([startMs, startMs + 50, startMs + 100]);
    expect(Math.min(...seenAtMs), "never before its time").to.be.at.least(0);
    expect(panesSeen).to.have.length(seenAtMs.length);
  });

  it("periodicImpulse() with a stop in an hour is ended by a drain, too", async () => {
    const startMs = Date.now() - 5;
    let first: () => void = () => {};
    const seen = new Promise<void>((resolve) => {
      first = resolve;
    });
    const run = await startModel((root) =>
      root
        .apply(ticks({ startMs, intervalMs: 1_800_000, stopMs: startMs + 3_600_000 }))
        .apply(
          mapping("Seen", (value: number) => {
            first();
            return value;
          }),
        )
        .apply(collect("out")),
    );
    await seen;
    await run.result.drain();
    expect(run.state).to.equal("DRAINED");
    expectInOrder(run, "out", [startMs]);
  });

  it("periodicImpulse() is a composite of an Impulse and a splittable ParDo, bounded if it has a stop", () => {
    const { pipeline, root } = startGraph();
    const bounded = root.apply(
      withName("Bounded", periodicImpulse({ startMs: 0, intervalMs: 1, stopMs: 2 })),
    );
    const endless = root.apply(withName("Endless", periodicImpulse({ startMs: 0, intervalMs: 1 })));
    const { BOUNDED, UNBOUNDED } = runnerApi.IsBounded_Enum;
    expect(collectionOf(pipeline, bounded).isBounded).to.equal(BOUNDED);
    expect(collectionOf(pipeline, endless).isBounded).to.equal(UNBOUNDED);
    expect(coderText(pipeline, collectionOf(pipeline, endless).coderId)).to.equal("varint");
    expect(transformNamed(pipeline, "Endless").spec!.urn).to.equal("millrace:transform:periodic_impulse:v1");
    expect(transformNamed(pipeline, "Endless/Impulse").spec!.urn).to.equal("beam:transform:impulse:v1");
    expect(transformNamed(pipeline, "Endless/Tick").spec!.urn).to.equal("beam:transform:pardo:v1");
  });

  for (const [what, options, message] of [
    [
      "a start that is no number",
      { startMs: Number.NaN, intervalMs: 1 },
      "startMs of periodicImpulse must be a whole number of ms in Beam's range, got NaN",
    ],
    [
      "an interval of 0",
      { startMs: 0, intervalMs: 0 },
      "intervalMs of periodicImpulse must be a whole number of at least 1, got 0",
    ],
    [
      "a stop before the start",
      { startMs: 10, intervalMs: 1, stopMs: 9 },
      "stopMs of periodicImpulse must be at least startMs (10), got 9",
    ],
    [
      "a stop that is not whole",
      { startMs: 0, intervalMs: 1, stopMs: 1.5 },
      "stopMs of periodicImpulse must be a whole number of ms in Beam's range, got 1.5",
    ],
  ] as [string, PeriodicImpulseOptions, string][]) {
    it(`periodicImpulse() refuses ${what}`, () => {
      expect(() => periodicImpulse(options)).to.throw(message);
    });
  }
});
