/** Asks triggers, and turns what a key's window holds into panes. */
import type { Element } from "./element.js";
import type { GroupByKeyNode } from "./engine-graph.js";
import type { GroupCombiner } from "./group-combiner.js";
import { type KeyWindow, releaseValues, type WindowGroup } from "./key-window.js";
import type { OperatorTimes } from "./operator-times.js";
import { nextPane } from "./pane-tracker.js";
import { createTrigger } from "./triggers/create-trigger.js";
import type { TriggerMachine, TriggerMoment, TriggerState } from "./triggers/trigger-machine.js";
import type { WindowingStrategy } from "./windowing-strategy.js";

export class PaneFirings {
  readonly #strategy: WindowingStrategy;
  readonly #times: OperatorTimes;
  readonly #trigger: TriggerMachine;
  /** The default trigger has no state: an element of a window that has not ended need not ask it. */
  readonly #isDefaultTrigger: boolean;
  readonly #moment = { hasWindowEnded: false, processingTimeMs: 0 };
  readonly #nodeId: string;
  readonly #combiner: GroupCombiner | undefined;
  #output: Element[] = [];

  constructor(
    { id, strategy, combiner }: Pick<GroupByKeyNode, "id" | "strategy" | "combiner">,
    times: OperatorTimes,
  ) {
    this.#nodeId = id;
    this.#combiner = combiner;
    this.#strategy = strategy;
    this.#times = times;
    this.#trigger = createTrigger(strategy.trigger, strategy.windowFn.isMerging);
    this.#isDefaultTrigger = strategy.trigger.kind === "default";
  }

  get isQuietBeforeEnd(): boolean {
    return this.#trigger.isQuietBeforeEnd;
  }

  takeOutput(): Element[] {
    const output = this.#output;
    this.#output = [];
    return output;
  }

  startTrigger(): TriggerState | undefined {
    return this.#isDefaultTrigger ? undefined : this.#trigger.start();
  }

  mergeTriggers(sources: readonly KeyWindow[], group: WindowGroup): TriggerState | undefined {
    if (this.#isDefaultTrigger) return undefined;
    const states = sources.map((source) => source.trigger!);
    return this.#trigger.merge(states, this.#momentOf(group));
  }

  onElement(entry: KeyWindow): void {
    if (!this.#isDefaultTrigger) this.#trigger.onElement(entry.trigger!, this.#momentOf(entry.group));
  }

  fireIfReady(entry: KeyWindow): void {
    if (entry.isClosed) return;
    const moment = this.#momentOf(entry.group);
    if (this.#isDefaultTrigger) {
      if (moment.hasWindowEnded && entry.unfired > 0) this.fire(entry, false);
      return;
    }
    const state = entry.trigger!;
    if (!this.#trigger.shouldFire(state, moment)) return;
    this.#trigger.onFire(state, moment);
    this.fire(entry, state.isFinished);
  }

  /** The pane is over: emits it if it has to be, and closes the key's window if it was the last. */
  fire(entry: KeyWindow, isLast: boolean): void {
    const { group } = entry;
    const { inputWatermarkMs, outputWatermarkMs } = this.#times;
    const hasEnded = inputWatermarkMs > group.endMs;
    const pane = nextPane(entry.lastPane, hasEnded, outputWatermarkMs > group.endMs, isLast, () =>
      this.#sourceOf(entry),
    );
    const isWanted =
      entry.unfired > 0 ||
      (pane.timing === "ON_TIME" && this.#strategy.onTimeBehavior === "fire-always") ||
      (isLast && this.#strategy.closingBehavior === "emit-always");
    const isReleased = isLast || this.#strategy.accumulation === "discarding";
    if (isWanted) {
      this.#output.push({
        value: { key: entry.key, value: this.#contentOf(entry, isReleased) },
        timestampMs: entry.elementHoldMs ?? group.endMs,
        windows: group.windows,
        pane,
      });
      entry.lastPane = pane;
    } else if (isReleased) {
      releaseValues(entry);
    }
    entry.unfired = 0;
    entry.elementHoldMs = undefined;
    if (isLast) {
      entry.isClosed = true;
      entry.trigger = undefined;
    }
  }

  /** Whoever gets it may keep it, and change an accumulator. */
  #contentOf(entry: KeyWindow, isReleased: boolean): unknown {
    const values = isReleased ? releaseValues(entry) : entry.values;
    const combiner = this.#combiner;
    if (combiner === undefined) return isReleased ? values : values.slice();
    if (values.length === 0) return combiner.createAccumulator();
    return isReleased ? values[0] : combiner.copy(values[0]);
  }

  #sourceOf({ keyId, group: { window } }: KeyWindow): string {
    return `${this.#nodeId}\t${window.id}\t${keyId}`;
  }

  /** One object for all: it is only valid until the next call. */
  #momentOf(group: WindowGroup): TriggerMoment {
    this.#moment.hasWindowEnded = this.#times.inputWatermarkMs > group.endMs;
    this.#moment.processingTimeMs = this.#times.processingTimeMs;
    return this.#moment;
  }
}
