/** GroupByKey: gathers values by key and window and emits them as panes when the trigger says so. */
import type { DurableParts } from "./durable/durable-parts.js";
import { GroupRecords } from "./durable/group-records.js";
import type { RestoredState } from "./durable/restored-state.js";
import type { StateLog } from "./durable/state-log.js";
import type { Element, Window } from "./element.js";
import type { GroupByKeyNode } from "./engine-graph.js";
import type { GroupByKeyOperator, Times } from "./group-by-key-operator.js";
import { addInput, mergedValues } from "./group-combiner.js";
import {
  combineHold,
  createKeyWindow,
  type KeyWindow,
  mergeInto,
  NO_VALUES,
  type SavedValues,
  type WindowGroup,
} from "./key-window.js";
import { MergingWindows, type WindowMerge } from "./merging-windows.js";
import { OperatorTimes } from "./operator-times.js";
import { PaneFirings } from "./pane-firings.js";
import { PaneSchedule } from "./pane-schedule.js";
import { endMs, expiryMs } from "./window-expiry.js";
import { WindowGroups } from "./window-groups.js";
import type { WindowingStrategy } from "./windowing-strategy.js";

/** @param durable given where its state is to be recorded */
export function createGroupByKey(node: GroupByKeyNode, durable?: DurableParts | undefined): GroupByKey {
  return new GroupByKey(node, durable);
}

interface KeyValue {
  readonly key: unknown;
  readonly value: unknown;
}

/** The elements of one call that wait to be merged together, by key. */
interface Deferred {
  readonly key: unknown;
  readonly elements: Element[];
}

/**
 * After Beam's `ReduceFnRunner` (Java). A trigger is asked after each element, so which values a pane holds does not
 * depend on how elements are cut into bundles. Event time and timing of elements behind the input watermark may: they
 * count as late once the output watermark has passed them, and others can see that between bundles. With the default
 * trigger an element costs no more than finding its window and key: the window's own timer fires all keys.
 *
 * With a combiner a key's window holds an accumulator, and a late element, a merge or a firing costs no more for all that
 * came before it.
 *
 * State: the windows with their `KeyWindow`s, the times, the counts. Groups, active windows, timers and holds follow.
 */
export class GroupByKey implements GroupByKeyOperator {
  readonly #node: GroupByKeyNode;
  readonly #strategy: WindowingStrategy;
  readonly #isDefaultTrigger: boolean;
  readonly #isEndOfWindowTimestamp: boolean;
  /** All keys of a window fire and hold together: nothing has to be kept in order for each of them. */
  readonly #isScheduledByGroup: boolean;
  readonly #merging: MergingWindows | undefined;

  readonly #groups: WindowGroups;
  readonly #schedule: PaneSchedule;
  readonly #firings: PaneFirings;
  readonly #times: OperatorTimes;
  readonly #records: GroupRecords | undefined;
  #arrivals = 0;
  #droppedDueToLateness = 0;
  #droppedDueToClosedWindow = 0;

  constructor(node: GroupByKeyNode, durable?: DurableParts | undefined) {
    const { windowFn, trigger, timestampCombiner } = node.strategy;
    this.#node = node;
    this.#strategy = node.strategy;
    this.#isDefaultTrigger = trigger.kind === "default";
    this.#isEndOfWindowTimestamp = timestampCombiner === "end-of-window";
    this.#isScheduledByGroup = this.#isDefaultTrigger && this.#isEndOfWindowTimestamp;
    this.#records = durable && new GroupRecords(node, durable);
    this.#groups = new WindowGroups(node.strategy.allowedLatenessMs, this.#records?.groups);
    this.#schedule = new PaneSchedule(node.strategy);
    this.#times = new OperatorTimes(node.id);
    this.#firings = new PaneFirings(node, this.#times);
    this.#merging = windowFn.isMerging ? new MergingWindows(windowFn) : undefined;
  }

  get holdMs(): number {
    return this.#schedule.holdMs;
  }

  get nextProcessingTimeMs(): number | undefined {
    return this.#schedule.nextProcessingTimeMs;
  }

  get keyCount(): number {
    return this.#groups.keyCount;
  }

  get droppedDueToLateness(): number {
    return this.#droppedDueToLateness;
  }

  get droppedDueToClosedWindow(): number {
    return this.#droppedDueToClosedWindow;
  }

  takeOutput(): Element[] {
    return this.#firings.takeOutput();
  }

  add(elements: readonly Element[], times: Times): void {
    this.advance(times);
    if (this.#merging !== undefined) this.#addMerging(elements);
    else this.#addToOwnWindows(elements);
    this.#schedule.refresh(this.#times.inputWatermarkMs, this.#times.processingTimeMs);
  }

  advance(times: Times): void {
    this.#times.advance(times, this.#schedule.holdMs);
    for (;;) {
      const due = this.#groups.takeDue(this.#times.inputWatermarkMs);
      if (due === undefined) break;
      if (due.isExpired) this.#expire(due.group);
      else this.#end(due.group);
    }
    for (;;) {
      const entry = this.#schedule.takeDue(this.#times.processingTimeMs);
      if (entry === undefined) break;
      this.#fireIfReady(entry);
    }
    this.#schedule.refresh(this.#times.inputWatermarkMs, this.#times.processingTimeMs);
  }

  writeState(log: StateLog): void {
    const counts = {
      arrivals: this.#arrivals,
      droppedDueToLateness: this.#droppedDueToLateness,
      droppedDueToClosedWindow: this.#droppedDueToClosedWindow,
    };
    this.#records?.write(log, this.#times, counts, this.#groups, (entry) => this.#schedule.orderOf(entry));
  }

  restoreState(restored: RestoredState): void {
    if (this.#records === undefined) return;
    const counts = this.#records.restoreTimes(restored, this.#times);
    this.#arrivals = counts.arrivals;
    this.#droppedDueToLateness = counts.droppedDueToLateness;
    this.#droppedDueToClosedWindow = counts.droppedDueToClosedWindow;
    const { inputWatermarkMs } = this.#times;
    this.#records.restoreGroups(restored, (window, order) => {
      const group = this.#groups.restore(window, order, inputWatermarkMs);
      this.#holdGroup(group, this.#hasEnded(group));
      return group;
    });
    const restore = (group: WindowGroup, keyId: string, key: unknown, saved: SavedValues) => {
      const entry = createKeyWindow(group, keyId, key, this.#idOf(group, keyId), saved);
      group.keys.set(keyId, entry);
      return entry;
    };
    const entries = this.#records.restoreKeys(restored, restore);
    for (const { entry } of entries) if (!entry.isClosed) this.#merging?.add(entry);
    if (!this.#isScheduledByGroup) this.#schedule.restore(entries, inputWatermarkMs);
    this.#records.restored(this.#arrivals);
  }

  #addToOwnWindows(elements: readonly Element[]): void {
    for (const element of elements) {
      const { key, value } = element.value as KeyValue;
      const keyId = this.#node.keyId(key);
      for (const window of element.windows) {
        const group = this.#groups.get(window);
        if (group !== undefined) this.#put(group, keyId, key, value, element.timestampMs);
        else if (this.#isExpired(window)) this.#droppedDueToLateness++;
        else this.#put(this.#openGroup(window), keyId, key, value, element.timestampMs);
      }
    }
  }

  #addMerging(elements: readonly Element[]): void {
    const deferred = new Map<string, Deferred>();
    for (const element of elements) {
      const { key } = element.value as KeyValue;
      const keyId = this.#node.keyId(key);
      let waiting = deferred.get(keyId);
      if (waiting === undefined) {
        waiting = { key, elements: [] };
        deferred.set(keyId, waiting);
      }
      waiting.elements.push(element);
      // As long as nothing can fire, a key's windows are merged once for all its elements.
      if (this.#isQuiet(element)) continue;
      this.#merge(keyId, waiting);
      deferred.delete(keyId);
    }
    for (const [keyId, waiting] of deferred) this.#merge(keyId, waiting);
  }

  #isQuiet(element: Element): boolean {
    if (!this.#firings.isQuietBeforeEnd) return false;
    return element.windows.every((window) => endMs(window) >= this.#times.inputWatermarkMs);
  }

  /** Puts elements of one key into their windows, which are merged before. */
  #merge(keyId: string, { key, elements }: Deferred): void {
    const fresh = new Map<string, Window>();
    for (const { windows } of elements) {
      for (const window of windows) if (!this.#isExpired(window)) fresh.set(window.id, window);
    }
    const { merges, mergedOf } = this.#merging!.plan(keyId, fresh);
    for (const merge of merges) this.#mergeWindows(keyId, key, merge);
    for (const element of elements) {
      const { value } = element.value as KeyValue;
      // Two windows of one element that became one hold it once.
      const seen: string[] = [];
      for (const own of element.windows) {
        if (!fresh.has(own.id)) {
          this.#droppedDueToLateness++;
          continue;
        }
        const window = mergedOf.get(own.id) ?? own;
        if (seen.includes(window.id)) continue;
        seen.push(window.id);
        this.#put(this.#groupOf(window), keyId, key, value, element.timestampMs);
      }
    }
  }

  #mergeWindows(keyId: string, key: unknown, { merged, sources }: WindowMerge): void {
    if (sources.length === 0) return;
    const group = this.#groupOf(merged);
    const own = sources.find((source) => source.group === group);
    // Panes are numbered anew in a new window. One of the same name that has closed is forgotten.
    const target = own ?? this.#create(group, keyId, key);
    const { combiner } = this.#node;
    const combined = combiner && mergedValues(combiner, sources);
    mergeInto(target, sources, this.#strategy.timestampCombiner, this.#hasEnded(group), combined);
    target.trigger = this.#firings.mergeTriggers(sources, group);
    const closed = group.keys.get(keyId);
    if (closed !== undefined && closed !== target) this.#records?.remove(closed);
    for (const source of sources) if (source !== target) this.#forget(source);
    group.keys.set(keyId, target);
    this.#merging!.add(target);
    this.#touch(target);
  }

  #groupOf(window: Window): WindowGroup {
    return this.#groups.get(window) ?? this.#openGroup(window);
  }

  #openGroup(window: Window): WindowGroup {
    const group = this.#groups.open(window, this.#times.inputWatermarkMs);
    this.#holdGroup(group, this.#hasEnded(group));
    return group;
  }

  #put(group: WindowGroup, keyId: string, key: unknown, value: unknown, timestampMs: number): void {
    const entry = group.keys.get(keyId) ?? this.#open(group, keyId, key);
    if (entry.isClosed) {
      this.#droppedDueToClosedWindow++;
      return;
    }
    this.#records?.changed(entry);
    entry.unfired++;
    this.#take(entry, value);
    if (!this.#hasEnded(group)) {
      if (this.#isEndOfWindowTimestamp) {
        entry.elementHoldMs = group.endMs;
        if (this.#isDefaultTrigger) return;
      } else if (timestampMs >= this.#times.outputWatermarkMs) {
        const holdMs = Math.min(timestampMs, group.endMs);
        entry.elementHoldMs = combineHold(this.#strategy.timestampCombiner, entry.elementHoldMs, holdMs);
      }
    }
    this.#firings.onElement(entry);
    this.#fireIfReady(entry);
  }

  #take(entry: KeyWindow, value: unknown): void {
    const arrival = this.#merging === undefined ? undefined : this.#arrivals++;
    if (this.#node.combiner !== undefined) {
      addInput(this.#node.combiner, entry, value);
      return;
    }
    if (entry.values === NO_VALUES) entry.values = [value];
    else entry.values.push(value);
    if (arrival === undefined) return;
    if (entry.arrivals.length === 0) entry.arrivals = [arrival];
    else entry.arrivals.push(arrival);
  }

  #open(group: WindowGroup, keyId: string, key: unknown): KeyWindow {
    const entry = this.#create(group, keyId, key);
    entry.firstArrival = this.#arrivals;
    entry.trigger = this.#firings.startTrigger();
    group.keys.set(keyId, entry);
    this.#merging?.add(entry);
    return entry;
  }

  /** The watermark has passed the window's end; it still takes late elements. */
  #end(group: WindowGroup): void {
    this.#holdGroup(group, true);
    for (const entry of this.#inOrder(group)) {
      this.#fireIfReady(entry);
    }
  }

  #expire(group: WindowGroup): void {
    for (const entry of this.#inOrder(group)) {
      if (!entry.isClosed) this.#firings.fire(entry, true);
      this.#merging?.delete(entry);
      this.#records?.remove(entry);
      if (!this.#isScheduledByGroup) this.#schedule.forget(entry);
    }
    this.#deleteGroup(group);
  }

  #fireIfReady(entry: KeyWindow): void {
    this.#firings.fireIfReady(entry);
    // A closed window takes part in no merge any more.
    if (entry.isClosed) this.#merging?.delete(entry);
    this.#touch(entry);
  }

  /** Removes a key's window that went into another. */
  #forget(entry: KeyWindow): void {
    const { group } = entry;
    group.keys.delete(entry.keyId);
    this.#merging!.replace(entry);
    this.#records?.remove(entry);
    if (!this.#isScheduledByGroup) this.#schedule.forget(entry);
    if (group.keys.size === 0) this.#deleteGroup(group);
  }

  #deleteGroup(group: WindowGroup): void {
    this.#groups.delete(group);
    if (this.#isScheduledByGroup) this.#schedule.holdAt(group.window.id, undefined);
  }

  #touch(entry: KeyWindow): void {
    this.#records?.changed(entry);
    if (!this.#isScheduledByGroup) this.#schedule.touch(entry);
  }

  #holdGroup(group: WindowGroup, hasEnded: boolean): void {
    if (!this.#isScheduledByGroup) return;
    // Late elements come out at once; only a last pane that is owed in any case holds the watermark still.
    const isOwed = this.#strategy.closingBehavior === "emit-always";
    this.#schedule.holdAt(group.window.id, !hasEnded ? group.endMs : isOwed ? group.expiryMs : undefined);
  }

  #create(group: WindowGroup, keyId: string, key: unknown): KeyWindow {
    return createKeyWindow(group, keyId, key, this.#idOf(group, keyId), this.#records?.nothingSaved());
  }

  #idOf({ window: { id } }: WindowGroup, keyId: string): string {
    return this.#isScheduledByGroup ? "" : `${id.length}:${id}${keyId}`;
  }

  #hasEnded(group: WindowGroup): boolean {
    return this.#times.inputWatermarkMs > group.endMs;
  }

  #isExpired(window: Window): boolean {
    return this.#times.inputWatermarkMs > expiryMs(window, this.#strategy.allowedLatenessMs);
  }

  /** In the order in which the keys first came. */
  #inOrder(group: WindowGroup): Iterable<KeyWindow> {
    if (this.#merging === undefined) return group.keys.values();
    return [...group.keys.values()].sort((a, b) => a.firstArrival - b.firstArrival);
  }
}
