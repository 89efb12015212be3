/** The state of a pipeline that keeps all there is to keep, as programs of the past have stored it. */
import { readFile } from "node:fs/promises";
import type { LocalStore } from "../../runners/direct/local-store/local-store.js";
import { isOutdated, packDelta, unpackDelta } from "../../runners/engine/durable/delta-format.js";
import { recordNameOf } from "../../runners/engine/durable/state-record.js";
import { upgradeRecords } from "../../runners/engine/durable/upgrade-records.js";
import { graphProto } from "../../runners/graph/graph-proto.js";
import { type Plan, translate } from "../../runners/graph/translate.js";
import { P, type PCollection, type Root, withName } from "../../transforms/primitives/beam.js";
import { StringUtf8Coder } from "../../transforms/primitives/coders/scalar-coders.js";
import { combinePerKey, registerCombineFn } from "../../transforms/primitives/combine-per-key.js";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { iterableSideInput } from "../../transforms/primitives/side-input-spec.js";
import { splittableParDo } from "../../transforms/primitives/splittable-par-do.js";
import {
  bagState,
  combiningState,
  mapState,
  setState,
  valueState,
} from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
} from "../../transforms/primitives/timer-spec.js";
import { afterCount, afterProcessingTime, afterWatermark } from "../../transforms/primitives/triggers.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, sessions } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { canonicalText } from "../model/support/canonical-text.js";
import { IndexesFn } from "../model/support/indexes-fn.js";
import { buildModel, collect } from "../model/support/run-model.js";
import { CommittedMemory } from "./memory-committer.js";
import { runThroughCrashes } from "./restarted-plan.js";

type Pair = KV<string, string>;

/** State after a commit, and what was collected up to it. */
export interface StoredMoment {
  readonly epoch: number;
  readonly lines: readonly string[];
  /** Of `packDelta`, in base64. */
  readonly state: string;
}

/** Every kind of state and timer; what it has kept comes out at its window's end. */
class KeepsAllFn implements DoFn<Pair> {
  readonly value = valueState<string>(new StringUtf8Coder());
  readonly bag = bagState<string>();
  readonly set = setState<string>();
  readonly map = mapState<string, number>();
  readonly sum = combiningState<number, number, number>(SUM_OF_NUMBERS);
  readonly soon = eventTimeTimer();
  readonly later = processingTimeTimer();

  async process({ value }: Pair, context: ProcessContext): Promise<void> {
    context.state(this.value).write(value);
    context.state(this.bag).add(value);
    context.state(this.set).add(value);
    const map = context.state(this.map);
    map.put(value, ((await map.get(value)) ?? 0) + 1);
    context.state(this.sum).add(value.length);
    context.timer(this.soon, value).set(context.window.maxTimestampMs - 1);
    context.timer(this.later).setRelative(40);
  }

  onTimer({ family, tag }: FiredTimer, context: ElementContext): void {
    context.output({ key: context.key, value: `${family} ${tag} ${context.state(this.sum).read()}` });
  }

  async onWindowExpiration(context: ElementContext): Promise<void> {
    const kept = [context.state(this.value).read(), [...context.state(this.bag).read()]];
    const maps = [
      [...(await context.state(this.set).read())],
      [...(await context.state(this.map).entries())],
    ];
    context.output({ key: context.key, value: JSON.stringify([...kept, ...maps]) });
  }
}

const SUM_OF_NUMBERS = {
  createAccumulator: () => 0,
  addInput: (a: number, b: number) => a + b,
  mergeAccumulators: (sums: Iterable<number>) => [...sums].reduce((a, b) => a + b, 0),
  extractOutput: (sum: number) => sum,
};

/** Takes its elements in the order of their times. */
class InOrderFn implements DoFn<Pair> {
  readonly requiresTimeSortedInput = true;
  readonly last = valueState<string>();

  process({ key, value }: Pair, context: ProcessContext): void {
    context.output({ key, value: `${context.state(this.last).read() ?? ""}>${value}` });
    context.state(this.last).write(value);
  }
}

/** Reads all of its window. */
class BesideFn implements DoFn<Pair> {
  readonly side = iterableSideInput<Pair>();

  process({ key, value }: Pair, context: ProcessContext): void {
    const others = [...context.sideInput(this.side)].map((other) => other.value);
    context.output({ key, value: `${value} beside ${others.sort().join(",")}` });
  }
}

const KEEPS_ALL = registerDoFn("test/state-fixture-keeps-all@1", () => new KeepsAllFn());
const IN_ORDER = registerDoFn("test/state-fixture-in-order@1", () => new InOrderFn());
const BESIDE = registerDoFn("test/state-fixture-beside@1", () => new BesideFn());
const TEXTS = registerDoFn("test/state-fixture-texts@1", () => ({
  process: ({ value }: Pair, context: ProcessContext) => context.output(value),
}));
const INDEXES = registerDoFn("test/state-fixture-indexes@1", () => new IndexesFn(1));

/** What a key has is more than fits into its record. */
class LargeFn implements DoFn<Pair> {
  readonly bag = bagState<string>();
  readonly map = mapState<string, string>();
  readonly end = eventTimeTimer();

  process({ value }: Pair, context: ProcessContext): void {
    context.state(this.bag).add(value.repeat(FAR));
    context.state(this.map).put(value, value.repeat(FAR));
    context.timer(this.end).set(context.window.maxTimestampMs);
  }

  async onTimer(_fired: FiredTimer, context: ElementContext): Promise<void> {
    const bag = [...context.state(this.bag).read()].map((text) => text.length);
    const map = [...(await context.state(this.map).entries())].map(([key, text]) => `${key} ${text.length}`);
    context.output(`${context.key}: ${bag.sort().join(",")}; ${map.sort().join(",")}`);
  }
}

const FAR = 900;
const LARGE = registerDoFn("test/state-fixture-large@1", () => new LargeFn());
const JOINED = registerCombineFn("test/state-fixture-joined@1", () => ({
  createAccumulator: (): string[] => [],
  addInput: (texts: string[], text: string) => [...texts, text],
  mergeAccumulators: (all: Iterable<string[]>) => [...all].flat(),
  extractOutput: (texts: string[]) => [...texts].sort().join("+"),
}));

/** @param version of the format: what it was the first to have is there from then on */
function build(root: Root, version: number): void {
  const input = root.apply(withName("Stream", script())) as PCollection<Pair>;
  const windowed = input.apply(withName("Tens", windowInto<Pair>(fixedWindows(10))));
  const apply = (name: string, fn: string, sides = {}) =>
    windowed.apply(withName(name, registeredParDo<Pair, Pair>(fn, null, { sideInputs: sides })));
  apply("KeepsAll", KEEPS_ALL).apply(collect("kept"));
  apply("InOrder", IN_ORDER).apply(collect("ordered"));
  apply("Beside", BESIDE, { side: windowed }).apply(collect("beside"));
  const texts = windowed.apply(withName("Texts", registeredParDo<Pair, string>(TEXTS, null)));
  P(texts)
    .apply(withName("Indexes", splittableParDo<string, KV<string, number>>(INDEXES, null, { bounded: true })))
    .apply(collect("indexes"));
  const early = afterWatermark({ early: afterProcessingTime({ delayMs: 15 }), late: afterCount(1) });
  const options = { trigger: early, accumulation: "accumulating", allowedLatenessMs: 20 } as const;
  input
    .apply(withName("Sessions", windowInto<Pair>(sessions(6), options)))
    .apply(withName("Group", groupByKey<string, string>()))
    .apply(collect("groups"));
  if (version === 1) return;
  windowed.apply(withName("Large", registeredParDo<Pair, string>(LARGE, null))).apply(collect("large"));
  windowed
    .apply(withName("Joined", combinePerKey<string, string, string>(JOINED, null)))
    .apply(collect("joined"));
}

function script() {
  const at = (key: string, value: string, timestampMs: number) => ({ value: { key, value }, timestampMs });
  return testStream<Pair>()
    .addElements(at("a", "one", 3), at("b", "two", 1), at("a", "three", 7))
    .advanceProcessingTime(10)
    .addElements(at("a", "four", 12), at("é\u{1F600}", "five", 14), at("b", "six", 2))
    .advanceWatermarkTo(5)
    .advanceProcessingTime(20)
    .addElements(at("a", "seven", 16), at("b", "two", 11))
    .advanceWatermarkTo(13)
    .advanceProcessingTime(20)
    .addElements(at("a", "eight", 9), at("b", "nine", 25))
    .advanceWatermarkTo(22)
    .addElements(at("b", "ten", 24), at("c", "late", 1))
    .advanceWatermarkToInfinity();
}

const NAMES = ["kept", "ordered", "beside", "indexes", "groups"];
const NAMES_SINCE_2 = ["large", "joined"];

/** Runs the pipeline from a moment, or from its beginning; tells each commit on the way. With a store, its keys are there. */
export async function runFixture(
  from: StoredMoment | undefined,
  version: number,
  onCommit: (moment: StoredMoment) => void = () => undefined,
  store?: LocalStore,
): Promise<readonly string[]> {
  const { pipeline, collected } = buildModel((root) => build(root, version));
  const plan: Plan = translate(graphProto(pipeline));
  const memory = new CommittedMemory();
  memory.state.epoch = from?.epoch ?? 0;
  if (from !== undefined) {
    const { version, puts } = unpackDelta(Buffer.from(from.state, "base64"));
    for (const { key, value } of puts) memory.records.set(key, value);
    if (isOutdated(version)) upgradeRecords(memory.records);
    store?.change({ puts: memory.restored, removed: [] });
    store?.flushNow();
  }
  memory.store = store;
  const lines = () => [
    ...(from?.lines ?? []),
    ...(version === 1 ? NAMES : [...NAMES, ...NAMES_SINCE_2]).flatMap((name) =>
      collected(name).map((one) => `${name} ${canonicalText({ ...one, window: one.window.id })}`),
    ),
  ];
  memory.onCommit = () => {
    const state = Buffer.from(packDelta({ puts: memory.restored, removed: [] })).toString("base64");
    onCommit({ epoch: memory.state.epoch, lines: lines(), state });
  };
  const onRestart = () => undefined;
  await runThroughCrashes(plan, memory, { bundleElementsMax: 1, onRestart });
  return lines().sort();
}

/** Kinds of records in a moment's state. */
export function kindsOf({ state }: StoredMoment): Set<string> {
  return new Set(unpackDelta(Buffer.from(state, "base64")).puts.map(({ key }) => recordNameOf(key).kind));
}

/** The moments that were stored in a version of the format. */
export async function readFixture(version: number): Promise<readonly StoredMoment[]> {
  return JSON.parse(await readFile(fixtureUrl(version), "utf8")) as readonly StoredMoment[];
}

export function fixtureUrl(version: number): URL {
  return new URL(`../../../test/runners/graph/state-format-${version}.json`, import.meta.url);
}
