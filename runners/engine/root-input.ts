/** The way of elements into a root of a stage: late ones out, blocked ones aside, the others in the queue. */
import { type Collection, type Consumer, minTimestampOf } from "./collection.js";
import { type Counters, DROPPED_DUE_TO_LATENESS } from "./counters.js";
import type { Durable } from "./durable/durable-parts.js";
import type { RestoredState } from "./durable/restored-state.js";
import type { RootInputRecords } from "./durable/root-input-records.js";
import type { StateLog } from "./durable/state-log.js";
import type { Element, Window } from "./element.js";
import { ElementQueue, type QueuedElements } from "./element-queue.js";
import type { StageRoot } from "./engine-graph.js";
import type { SideInputGate } from "./side-input-gate.js";
import { Watermark } from "./watermark.js";
import { expiryMs } from "./window-expiry.js";

/** Holds of elements that come late are at the watermark at their coming: it waits for them, it does not go back. */
export class RootInput implements Consumer, Durable {
  /** What waits here is not behind it, late elements aside. */
  readonly watermark: Watermark;
  readonly #root: StageRoot;
  readonly #collection: Collection;
  readonly #gate: SideInputGate | undefined;
  readonly #counters: Counters;
  readonly #queue: ElementQueue;
  /** Elements need what their windows have: state, timers, side inputs. */
  readonly #isByWindow: boolean;
  readonly #records: RootInputRecords | undefined;
  #taken: QueuedElements[] = [];

  constructor(
    root: StageRoot,
    collection: Collection,
    gate: SideInputGate | undefined,
    counters: Counters,
    records?: RootInputRecords | undefined,
  ) {
    this.#records = records;
    this.watermark = new Watermark(`the input of ${root.id}`);
    this.#root = root;
    this.#collection = collection;
    this.#gate = gate;
    this.#counters = counters;
    this.#isByWindow = root.keyed !== undefined || gate !== undefined;
    this.#queue = new ElementQueue(this.#isByWindow ? minTimeInWindows : minTimestampOf, records?.queued);
    collection.addConsumer(this);
  }

  get isReady(): boolean {
    return !this.#queue.isEmpty;
  }

  /** Nothing waits and nothing is being worked on. */
  get isIdle(): boolean {
    return this.#queue.isEmpty && this.#taken.length === 0 && (this.#gate?.isEmpty ?? true);
  }

  /** Elements that wait for a bundle, or for their side inputs. */
  get waiting(): number {
    return this.#queue.size + (this.#gate?.size ?? 0);
  }

  receive(elements: readonly Element[], minTimestampMs: number): void {
    const floorMs = this.watermark.ms;
    const inTime = this.#withoutLate(elements);
    const admitted = this.#gate?.admit(inTime, floorMs) ?? inTime;
    if (admitted.length === 0) return;
    const minMs = this.#isByWindow ? minTimeInWindows(admitted) : minTimestampMs;
    this.#queue.push(admitted, Math.max(minMs, floorMs));
  }

  /** At most `max` elements for a bundle; the watermark waits for them until `complete`. */
  take(max: number): (readonly Element[])[] {
    this.#taken = this.#queue.take(max);
    return this.#taken.map(({ elements }) => elements);
  }

  complete(): void {
    this.#queue.release(this.#taken);
    this.#taken = [];
  }

  /** Lets in what has become ready, and moves the watermark as far as it can. */
  settle(): void {
    if (this.#gate !== undefined && !this.#gate.isEmpty) {
      for (const { elements, holdMs } of this.#gate.release()) this.#queue.push(elements, holdMs);
    }
    const heldMs = Math.min(this.#queue.holdMs, this.#gate?.holdMs ?? this.#queue.holdMs);
    this.watermark.advanceTo(Math.min(this.#collection.watermark.ms, heldMs));
  }

  writeState(log: StateLog): void {
    this.#records?.write(log, this.watermark, this.#queue, this.#gate);
  }

  restoreState(restored: RestoredState): void {
    this.#records?.restore(restored, this.watermark, this.#queue, this.#gate);
  }

  /** Without the windows that are over for this root; an element without any left is dropped. */
  #withoutLate(elements: readonly Element[]): readonly Element[] {
    if (!this.#isByWindow) return elements;
    let kept: Element[] | undefined;
    let dropped = 0;
    let windows: readonly Window[] | undefined;
    let open: readonly Window[] = [];
    for (let index = 0; index < elements.length; index++) {
      const element = elements[index]!;
      if (element.windows !== windows) {
        windows = element.windows;
        open = this.#open(windows);
      }
      if (open === windows) {
        kept?.push(element);
        continue;
      }
      kept ??= elements.slice(0, index);
      dropped += windows.length - open.length;
      const { value, timestampMs, pane } = element;
      if (open.length > 0) kept.push({ value, timestampMs, windows: open, pane });
    }
    if (dropped > 0) this.#counters.add(this.#root.id, DROPPED_DUE_TO_LATENESS, dropped);
    return kept ?? elements;
  }

  /** The windows that are not over: the same array if none is. */
  #open(windows: readonly Window[]): readonly Window[] {
    for (const window of windows) {
      if (this.#isOver(window)) return windows.filter((other) => !this.#isOver(other));
    }
    return windows;
  }

  #isOver(window: Window): boolean {
    const { keyed } = this.#root;
    if (keyed !== undefined && this.watermark.ms > expiryMs(window, keyed.allowedLatenessMs)) return true;
    return this.#gate?.isTooLate(window) ?? false;
  }
}

/**
 * The earliest of their event times and of the ends of their windows. An element may have been given a time behind
 * its window: what the window has must still be there when it runs.
 */
function minTimeInWindows(elements: readonly Element[]): number {
  let minMs = Number.POSITIVE_INFINITY;
  let windows: readonly Window[] | undefined;
  for (const element of elements) {
    if (element.timestampMs < minMs) minMs = element.timestampMs;
    if (element.windows === windows) continue;
    windows = element.windows;
    for (const { maxTimestampMs } of windows) if (maxTimestampMs < minMs) minMs = maxTimestampMs;
  }
  return minMs;
}
