/** A random plan as a pipeline. */
import { type PCollection, type Root, withName } from "../../../transforms/primitives/beam.js";
import { combinePerKey } from "../../../transforms/primitives/combine-per-key.js";
import type { DoFn, ElementContext, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo, type StepOf } from "../../../transforms/primitives/par-do.js";
import { reshuffle } from "../../../transforms/primitives/reshuffle.js";
import {
  iterableSideInput,
  mapSideInput,
  multimapSideInput,
  singletonSideInput,
} from "../../../transforms/primitives/side-input-spec.js";
import { bagState, combiningState, mapState, setState } from "../../../transforms/primitives/state-spec.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";
import { eventTimeTimer, type FiredTimer } from "../../../transforms/primitives/timer-spec.js";
import {
  afterAll,
  afterCount,
  afterEach,
  afterFirst,
  afterProcessingTime,
  afterWatermark,
  defaultTrigger,
  never,
  orFinally,
  repeatedly,
  type Trigger,
} from "../../../transforms/primitives/triggers.js";
import type { KV } from "../../../transforms/primitives/window.js";
import {
  fixedWindows,
  globalWindows,
  sessions,
  slidingWindows,
} from "../../../transforms/primitives/window-fns.js";
import { windowInto } from "../../../transforms/primitives/window-into.js";
import { SUM } from "./combine-fns.js";
import { both, keyed } from "./grouping.js";
import type { Grouping, PlanElement, RandomPlan, SideStep, StatefulStep, Windows } from "./random-plan.js";
import { collect } from "./run-model.js";

type Pair = KV<string, number>;

/** Builds the plan; what comes of it goes to the sink, by default one that collects it as `groups`. */
export function buildPlan(root: Root, plan: RandomPlan, sink = collect("groups")): void {
  const input = root.apply(withName("Stream", streamOf(plan)));
  const pairsOf = (name: string, kind: PlanElement["kind"]): PCollection<Pair> =>
    input.apply(withName(name, registeredParDo<PlanElement, Pair>(PAIRS_OF, { kind })));
  let main = pairsOf("Main", "main");
  if (plan.hasFlatten) {
    const part = (name: string, rest: number) =>
      main.apply(withName(name, registeredParDo<Pair, Pair>(PART, { rest })));
    main = both("Reunite", [part("Even", 0), part("Odd", 1)]);
  }
  if (plan.stateful !== undefined) main = applyStateful(main, plan.stateful);
  main = main.apply(into("Group windows", plan.grouping.windows, groupingOptions(plan.grouping)));
  if (plan.hasReshuffle) main = main.apply(withName("Reshuffle", reshuffle<Pair>()));
  if (plan.side !== undefined) main = applySide(main, pairsOf("Side", "side"), plan.side);
  const groups: PCollection<unknown> =
    plan.grouping.kind === "sum"
      ? main.apply(withName("Sum", combinePerKey<string, number, number>(SUM, null)))
      : main.apply(withName("Group", groupByKey<string, number>()));
  groups.apply(sink);
}

function streamOf({ script }: RandomPlan): ReturnType<typeof testStream<PlanElement>> {
  let stream = testStream<PlanElement>();
  for (const event of script) {
    switch (event.kind) {
      case "elements":
        stream = stream.addElements(
          ...event.elements.map((value) => ({ value, timestampMs: value.timestampMs })),
        );
        break;
      case "watermark":
        stream = stream.advanceWatermarkTo(event.watermarkMs);
        break;
      case "processing-time":
        stream = stream.advanceProcessingTime(event.advanceMs);
    }
  }
  return stream.advanceWatermarkToInfinity();
}

function into<T>(
  name: string,
  windows: Windows,
  options: Parameters<typeof windowInto>[1] = {},
): StepOf<PCollection<T>, PCollection<T>> {
  return withName(name, windowInto<T>(windowFnOf(windows), options));
}

function windowFnOf(windows: Windows): Parameters<typeof windowInto>[0] {
  switch (windows.kind) {
    case "global":
      return globalWindows();
    case "fixed":
      return fixedWindows(windows.sizeMs, { offsetMs: windows.offsetMs });
    case "sliding":
      return slidingWindows(windows);
    case "sessions":
      return sessions(windows.gapMs);
  }
}

function groupingOptions(grouping: Grouping): Parameters<typeof windowInto>[1] {
  const { accumulation, timestampCombiner, allowedLatenessMs } = grouping;
  return { trigger: triggerOf(grouping.trigger), accumulation, timestampCombiner, allowedLatenessMs };
}

function triggerOf({ kind, count, delayMs }: Grouping["trigger"]): Trigger {
  const delay = afterProcessingTime({ delayMs });
  switch (kind) {
    case "default":
      return defaultTrigger();
    case "watermark":
      return afterWatermark();
    case "early count":
      return afterWatermark({ early: afterCount(count) });
    case "early delay":
      return afterWatermark({ early: delay });
    case "early and late count":
      return afterWatermark({ early: afterCount(count), late: afterCount(1) });
    case "count":
      return repeatedly(afterCount(count));
    case "delay":
      return repeatedly(delay);
    case "count or delay":
      return repeatedly(afterFirst(afterCount(count), delay));
    case "count and delay":
      return repeatedly(afterAll(afterCount(count), delay));
    case "each":
      return afterEach(afterCount(1), repeatedly(afterCount(count)));
    case "count until end":
      return orFinally(repeatedly(afterCount(count)), afterWatermark());
    case "never":
      return never();
  }
}

function applyStateful(main: PCollection<Pair>, step: StatefulStep): PCollection<Pair> {
  const { slotMs, endMs } = step;
  return main
    .apply(into("State windows", step.windows))
    .apply(withName("Stateful", registeredParDo<Pair, Pair>(STATEFUL[step.kind], { slotMs, endMs })));
}

function applySide(main: PCollection<Pair>, pairs: PCollection<Pair>, step: SideStep): PCollection<Pair> {
  const sum = <K extends string>(input: PCollection<KV<K, number>>) =>
    input.apply(withName("Side sum", combinePerKey<K, number, number>(SUM, null)));
  const windowed = pairs.apply(into("Side windows", step.windows));
  const values = (input: PCollection<Pair>, name = "Side values") =>
    input.apply(withName(name, registeredParDo<Pair, number>(VALUES, null)));
  const side: PCollection<unknown> = {
    iterable: () => values(windowed),
    singleton: () => values(sum(values(windowed).apply(keyed("all", "Side key"))), "Side sum's value"),
    multimap: () => windowed,
    map: () => sum(windowed),
  }[step.kind]();
  return main.apply(
    withName("Beside", registeredParDo<Pair, Pair>(BESIDE[step.kind], null, { sideInputs: { side } })),
  );
}

const PAIRS_OF = registerDoFn("test/model/random-pairs-of@1", (wanted: { kind: string }) => ({
  process({ kind, key, value }: PlanElement, context: ProcessContext) {
    if (kind === wanted.kind) context.output({ key, value });
  },
}));

const PART = registerDoFn("test/model/random-part@1", ({ rest }: { rest: number }) => ({
  process(pair: Pair, context: ProcessContext) {
    if (pair.value % 2 === rest) context.output(pair);
  },
}));

const VALUES = registerDoFn("test/model/random-values@1", () => ({
  process({ value }: Pair, context: ProcessContext) {
    context.output(value);
  },
}));

interface StatefulConfig {
  readonly slotMs: number;
  readonly endMs: number;
}

/** Emits each value of a key and window once, at the window's end: a set. */
class DistinctFn implements DoFn<Pair> {
  readonly seen = setState<number>();

  constructor(readonly config: StatefulConfig) {}

  async process(pair: Pair, context: ProcessContext): Promise<void> {
    const seen = context.state(this.seen);
    if (await seen.contains(pair.value)) return;
    seen.add(pair.value);
    context.output(pair, Math.min(context.window.maxTimestampMs, this.config.endMs));
  }
}

/** Emits the sum of a key and window at the window's end: combining state, a bag that must agree, and a timer. */
class FlushFn implements DoFn<Pair> {
  readonly sum = combiningState<number, number, number>({
    createAccumulator: () => 0,
    addInput: (a, b) => a + b,
    mergeAccumulators: (sums) => [...sums].reduce((a, b) => a + b, 0),
    extractOutput: (sum) => sum,
  });
  readonly values = bagState<number>();
  readonly end = eventTimeTimer();

  constructor(readonly config: StatefulConfig) {}

  process({ value }: Pair, context: ProcessContext): void {
    context.state(this.sum).add(value);
    context.state(this.values).add(value);
    context.timer(this.end).set(Math.min(context.window.maxTimestampMs, this.config.endMs));
  }

  onTimer(_timer: FiredTimer, context: ElementContext): void {
    const value = context.state(this.sum).read();
    const again = [...context.state(this.values).read()].reduce((a, b) => a + b, 0);
    if (value !== again) throw new Error(`combining state has ${value}, the bag ${again}`);
    context.output({ key: context.key, value });
  }
}

/** Emits the sum of each slot of time at the slot's end: a map, and a timer for each slot. */
class SlotsFn implements DoFn<Pair> {
  readonly sums = mapState<string, number>();
  readonly slot = eventTimeTimer();

  constructor(readonly config: StatefulConfig) {}

  async process({ value }: Pair, context: ProcessContext): Promise<void> {
    const { slotMs, endMs } = this.config;
    const slotEndMs = (Math.floor(context.timestampMs / slotMs) + 1) * slotMs;
    const sums = context.state(this.sums);
    sums.put(String(slotEndMs), ((await sums.get(String(slotEndMs))) ?? 0) + value);
    const fireAtMs = Math.min(slotEndMs, context.window.maxTimestampMs, endMs);
    context.timer(this.slot, String(slotEndMs)).set(fireAtMs);
  }

  async onTimer({ tag }: FiredTimer, context: ElementContext): Promise<void> {
    context.output({ key: context.key, value: await context.state(this.sums).get(tag) });
  }
}

const STATEFUL = {
  distinct: registerDoFn("test/model/random-distinct@1", (config: StatefulConfig) => new DistinctFn(config)),
  flush: registerDoFn("test/model/random-flush@1", (config: StatefulConfig) => new FlushFn(config)),
  slots: registerDoFn("test/model/random-slots@1", (config: StatefulConfig) => new SlotsFn(config)),
};

function besides({ key, value }: Pair, sum: number): Pair {
  return { key, value: value + 1000 * sum };
}

function total(values: Iterable<number>): number {
  return [...values].reduce((a, b) => a + b, 0);
}

class BesideIterableFn implements DoFn<Pair> {
  readonly side = iterableSideInput<number>();

  process(pair: Pair, context: ProcessContext): void {
    context.output(besides(pair, total(context.sideInput(this.side))));
  }
}

class BesideSingletonFn implements DoFn<Pair> {
  readonly side = singletonSideInput<number>(0);

  process(pair: Pair, context: ProcessContext): void {
    context.output(besides(pair, context.sideInput(this.side)));
  }
}

class BesideMultimapFn implements DoFn<Pair> {
  readonly side = multimapSideInput<string, number>();

  async process(pair: Pair, context: ProcessContext): Promise<void> {
    context.output(besides(pair, total(await context.sideInput(this.side).get(pair.key))));
  }
}

class BesideMapFn implements DoFn<Pair> {
  readonly side = mapSideInput<string, number>();

  async process(pair: Pair, context: ProcessContext): Promise<void> {
    context.output(besides(pair, (await context.sideInput(this.side).get(pair.key)) ?? 0));
  }
}

const BESIDE = {
  iterable: registerDoFn("test/model/random-beside-iterable@1", () => new BesideIterableFn()),
  singleton: registerDoFn("test/model/random-beside-singleton@1", () => new BesideSingletonFn()),
  multimap: registerDoFn("test/model/random-beside-multimap@1", () => new BesideMultimapFn()),
  map: registerDoFn("test/model/random-beside-map@1", () => new BesideMapFn()),
};
