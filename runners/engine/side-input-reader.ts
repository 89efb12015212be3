/** One side input of a root: which of its windows are ready, and which will not be read any more. */
import type { Collection } from "./collection.js";
import type { Durable } from "./durable/durable-parts.js";
import type { RestoredState } from "./durable/restored-state.js";
import { StateWriter } from "./durable/state-bytes.js";
import type { StateLog } from "./durable/state-log.js";
import { recordKey } from "./durable/state-record.js";
import { MAX_WATERMARK_MS, MIN_WATERMARK_MS, type Window } from "./element.js";
import type { SideInput } from "./engine-graph.js";
import type { SideContents } from "./side-contents.js";
import type { Watermark } from "./watermark.js";
import { expiryMs } from "./window-expiry.js";

const SIDE_LAG = "side-lag";

export class SideInputReader implements Durable {
  /** How far main windows end behind the side window they read: 0 unless they read earlier ones. */
  #lagMs: number | undefined;
  #lastMain: string | undefined;
  #seenWatermarkMs = MIN_WATERMARK_MS;
  #seenOpened = 0;
  #lastSide: Window | undefined;

  /**
   * @param readerWatermark of the reading stage's output: held by everything that may still read
   * @param readerLatenessMs how late elements may come that read
   */
  constructor(
    readonly spec: SideInput,
    readonly contents: SideContents,
    readonly collection: Collection,
    readonly readerWatermark: Watermark,
    readonly readerLatenessMs: number,
  ) {}

  /** Whether an element of this main window may run. Once true, it stays so. */
  isReady(main: Window): boolean {
    const side = this.#sideWindow(main);
    const watermarkMs = this.collection.watermark.ms;
    if (watermarkMs > side.maxTimestampMs || watermarkMs === MAX_WATERMARK_MS) return true;
    return this.spec.isTriggered && this.contents.has(side);
  }

  /** Whether anything has happened since the last call that may have made main windows ready. */
  takeMoved(): boolean {
    const watermarkMs = this.collection.watermark.ms;
    const opened = this.spec.isTriggered ? this.contents.opened : 0;
    const hasMoved = watermarkMs > this.#seenWatermarkMs || opened > this.#seenOpened;
    this.#seenWatermarkMs = watermarkMs;
    this.#seenOpened = opened;
    return hasMoved;
  }

  /** Whether the contents for this main window have been forgotten. */
  isGoneFor(main: Window): boolean {
    return this.isGone(this.#sideWindow(main));
  }

  /**
   * Whether no main window that can still come reads this side window. How the two lie to each other is
   * learned from the main windows seen: before the first one nothing is gone.
   */
  isGone(side: Window): boolean {
    const watermarkMs = this.readerWatermark.ms;
    if (watermarkMs === MAX_WATERMARK_MS) return true;
    if (this.#lagMs === undefined) return false;
    const latenessMs = Math.max(this.readerLatenessMs, this.spec.allowedLatenessMs);
    return watermarkMs > expiryMs(side, this.#lagMs + latenessMs);
  }

  writeState(log: StateLog): void {
    log.putSmall(this.#key(), new StateWriter().timeOrNone(this.#lagMs).finish());
  }

  restoreState(restored: RestoredState): void {
    this.#lagMs = restored.takeOne(SIDE_LAG, this.#owner)?.timeOrNone();
  }

  #key(): string {
    return recordKey(SIDE_LAG, this.#owner);
  }

  get #owner(): string {
    return `${this.spec.step}\t${this.spec.name}`;
  }

  #sideWindow(main: Window): Window {
    if (this.#lastSide !== undefined && this.#lastMain === main.id) return this.#lastSide;
    const side = this.spec.mapWindow(main);
    this.#lagMs = Math.max(this.#lagMs ?? 0, main.maxTimestampMs - side.maxTimestampMs);
    this.#lastMain = main.id;
    this.#lastSide = side;
    return side;
  }
}
