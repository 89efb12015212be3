/** The engine: what is to be done next in a graph, and how far time is everywhere. Pure: the host runs the bundles. */
import type { Bundle, BundleResult } from "./bundle.js";
import { Counters } from "./counters.js";
import type { ColdKeys } from "./durable/cold-keys.js";
import type { Durable, DurableParts } from "./durable/durable-parts.js";
import { EngineState } from "./durable/engine-state.js";
import { StateWriter } from "./durable/state-bytes.js";
import type { StateCodec } from "./durable/state-codec.js";
import { recordKey, type StateRecord } from "./durable/state-record.js";
import { MAX_WATERMARK_MS, type Window } from "./element.js";
import type { EngineGraph, GroupByKeyNode } from "./engine-graph.js";
import { EngineNodes } from "./engine-nodes.js";
import { createGroupByKey } from "./group-by-key.js";
import type { GroupByKeyOperator } from "./group-by-key-operator.js";
import { GroupByKeyState } from "./group-by-key-state.js";
import { ProcessingTime } from "./processing-time.js";
import type { RootLoad } from "./root-state.js";
import { earliest, type StageWork } from "./stage-state.js";
import { StateStore } from "./state-store.js";

export interface EngineOptions {
  readonly processingTimeMs: number;
  readonly createGroupByKey?: (node: GroupByKeyNode, durable: DurableParts | undefined) => GroupByKeyOperator;
  /** Undefined: the state is gone with the engine, and costs nothing more. */
  readonly durable?: DurableOptions | undefined;
}

/** The state outlives the engine: as records, which `Engine.durable` gives. */
export interface DurableOptions {
  readonly codec: StateCodec;
  /** Of an earlier engine of the same graph, to go on from; none: a new one. */
  readonly restored: Iterable<StateRecord>;
  /** A store that has the records of keys, which then need not be among the restored ones, nor all in memory. */
  readonly cold?: ColdKeys | undefined;
}

export interface BundleLimits {
  /** Elements, timers or expirations of a bundle. */
  readonly elementsMax?: number;
  /**
   * Restrictions of a bundle. With 0, sources stand still (a test stream too): what they have given so far
   * is brought to its end.
   */
  readonly restrictionsMax?: number;
}

const ENGINE = "engine";
const BUNDLE_ELEMENTS_MAX = 10_000;
/** One restriction may emit as much as it likes. */
const BUNDLE_RESTRICTIONS_MAX = 1;

export class Engine {
  readonly state: StateStore;
  /** What of the state is to be kept; undefined where the options do not ask for it. */
  readonly durable: EngineState | undefined;
  readonly #time: ProcessingTime;
  readonly #nodes: EngineNodes;
  readonly #counters: Counters;
  #bundles = 0;
  #inFlight = 0;
  /** The stage whose restrictions were asked for last: stages take turns. */
  #turn = 0;
  #isDrained = false;

  /** @throws when the graph is not one, or the state is that of another one, naming what is wrong */
  constructor(graph: EngineGraph, options: EngineOptions) {
    const durable = options.durable && EngineState.partsOf(options.durable.codec, options.durable.cold);
    this.state = new StateStore();
    this.#counters = new Counters(durable?.changes);
    this.#time = new ProcessingTime(options.processingTimeMs);
    this.#nodes = new EngineNodes(graph, {
      time: this.#time,
      state: this.state,
      counters: this.#counters,
      createGroupByKey: options.createGroupByKey ?? createGroupByKey,
      durable,
    });
    if (options.durable !== undefined && durable !== undefined) {
      const sources = [this.#counters, this.#nodes, this.#turns()];
      const release = (bytesMax: number) => this.#release(bytesMax);
      this.durable = new EngineState(durable.changes, sources, options.durable.restored, release);
    }
    this.#settle();
  }

  /** By `<id of a GroupByKey or path of a step>\t<name>`. */
  get counters(): ReadonlyMap<string, number> {
    return this.#counters.values;
  }

  /** Begun restrictions that are not done, by root. */
  get rests(): ReadonlyMap<string, number> {
    return new Map(this.#nodes.stages.flatMap((stage) => stage.rests));
  }

  /** It was drained, in this process or in an earlier one that came to the end. */
  get isDrained(): boolean {
    return this.#isDrained;
  }

  get processingTimeMs(): number {
    return this.#time.ms;
  }

  /** Every PCollection is complete, and nothing waits anywhere. */
  get isDone(): boolean {
    for (const { watermark } of this.#nodes.collections.values()) {
      if (watermark.ms < MAX_WATERMARK_MS) return false;
    }
    return this.#nodes.all.every((node) => node.isIdle);
  }

  /** Processing time at which something will be ready, when `nextBundle` has nothing more. */
  get nextWakeUpMs(): number | undefined {
    return earliest(this.#nodes.all);
  }

  /** The clock has moved. While a test stream plays, its script alone moves the processing time. */
  advanceProcessingTime(nowMs: number): void {
    if (this.#nodes.testStream?.isOver === false) return;
    if (this.#time.advanceTo(nowMs)) this.#settle();
  }

  /**
   * Work for one stage; undefined if nothing is ready. Of all that is ready, the last in the graph comes
   * first, and restrictions when there is nothing else, so that little waits between stages. The next
   * event of a test stream is played when nothing is ready or in flight.
   */
  nextBundle(limits: BundleLimits = {}): Bundle | undefined {
    const elementsMax = atLeast(1, "elementsMax", limits.elementsMax ?? BUNDLE_ELEMENTS_MAX);
    const restrictionsMax = atLeast(0, "restrictionsMax", limits.restrictionsMax ?? BUNDLE_RESTRICTIONS_MAX);
    for (;;) {
      const bundle = this.#elementsBundle(elementsMax) ?? this.#restrictionsBundle(restrictionsMax);
      if (bundle !== undefined) return bundle;
      const { testStream } = this.#nodes;
      if (testStream === undefined || testStream.isOver || this.#inFlight > 0 || restrictionsMax === 0) {
        return undefined;
      }
      testStream.playNext();
      this.#settle();
    }
  }

  /** What came of a bundle. @throws when it was not given out, or the result does not fit it: a bug of the host */
  apply(bundle: Bundle, result: BundleResult): void {
    this.#stage(bundle.stage).apply(bundle, result);
    this.#inFlight--;
    this.#settle();
  }

  /** The residuals of the root are ready at once. */
  resume(stage: string, root: string): void {
    this.#stage(stage).resume(root);
  }

  /** Sources end: of restrictions the truncated rest is done, of a test stream nothing more. */
  drain(): void {
    this.#isDrained = true;
    this.#nodes.testStream?.end();
    for (const stage of this.#nodes.stages) stage.drain();
    this.#settle();
  }

  /** What a side input holds for a window of its own: a list that never changes. */
  sideInput(step: string, name: string, window: Window): readonly unknown[] {
    return this.#nodes.sideInput(step, name).contents.values(window);
  }

  /** @throws when there is no such PCollection */
  watermark(collection: string): number {
    const found = this.#nodes.collections.get(collection);
    if (found === undefined) throw new Error(`the graph has no PCollection ${collection}`);
    return found.watermark.ms;
  }

  /** Whose turn it is; of what is in flight, it is still to come. */
  #turns(): Durable {
    return {
      writeState: (log) => {
        const last = this.#nodes.stages[this.#turn - 1];
        const turn = last?.isInFlight ? this.#turn - 1 : this.#turn;
        const out = new StateWriter().count(turn).flag(this.#isDrained);
        log.putSmall(recordKey(ENGINE, ""), out.finish());
      },
      restoreState: (restored) => {
        const input = restored.takeOne(ENGINE, "");
        this.#turn = input?.count() ?? 0;
        // One that did not come to the end goes on as if it had not been told.
        this.#isDrained = (input?.flag() ?? false) && this.isDone;
      },
    };
  }

  /** Of what a stage makes, whether or not another one reads it. @throws when there is no such stage */
  stageWatermark(stage: string): number {
    return this.#stage(stage).watermarkMs;
  }

  /** What waits at each root of a stage, and what it keeps. @throws when there is no such stage */
  stageLoads(stage: string): ReadonlyMap<string, RootLoad> {
    return this.#stage(stage).loads();
  }

  /** Keys whose values a GroupByKey holds, once for each window, by its id. */
  groupedKeys(): ReadonlyMap<string, number> {
    const groups = this.#nodes.all.filter((node) => node instanceof GroupByKeyState);
    return new Map(groups.map((node) => [node.id, node.keyCount]));
  }

  #release(bytesMax: number): void {
    const { stages } = this.#nodes;
    const roots = stages.reduce((sum, stage) => sum + stage.keyedRoots, 0);
    for (const stage of stages) stage.release(bytesMax / Math.max(1, roots));
  }

  #elementsBundle(max: number): Bundle | undefined {
    const { stages } = this.#nodes;
    for (let place = stages.length - 1; place >= 0; place--) {
      const work = stages[place]!.next(false, max);
      if (work !== undefined) return this.#start(place, work);
    }
    return undefined;
  }

  #restrictionsBundle(max: number): Bundle | undefined {
    const { stages } = this.#nodes;
    for (let offset = 0; max > 0 && offset < stages.length; offset++) {
      const place = (this.#turn + offset) % stages.length;
      const work = stages[place]!.next(true, max);
      if (work === undefined) continue;
      this.#turn = place + 1;
      return this.#start(place, work);
    }
    return undefined;
  }

  #start(place: number, work: StageWork): Bundle {
    const stage = this.#nodes.stages[place]!;
    const bundle = { id: this.#bundles++, stage: stage.id, ...work, processingTimeMs: this.#time.ms };
    stage.started(bundle);
    this.#inFlight++;
    return bundle;
  }

  /** One way through the graph, producers first: whatever moves, moves all behind it. */
  #settle(): void {
    for (const node of this.#nodes.all) node.settle();
    this.#nodes.collectGarbage();
  }

  #stage(id: string) {
    const stage = this.#nodes.stagesById.get(id);
    if (stage === undefined) throw new Error(`the graph has no stage ${id}`);
    return stage;
  }
}

function atLeast(min: number, name: string, value: number): number {
  if (!(value >= min)) throw new Error(`\`${name}\` must be at least ${min}, got ${value}`);
  return value;
}
