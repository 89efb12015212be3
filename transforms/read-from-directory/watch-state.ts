/** The restriction of a watched directory: how far each file that is not at rest was handed out. */
import type { SourcePositionRow } from "../../sql/source-positions.js";
import type { RestrictionTracker } from "../primitives/do-fn.js";

/** Plain JSON. */
export interface WatchState {
  /** Who handed out what is handed out, and in how many steps: a process that remembers both goes on from memory. */
  readonly watcher: string;
  readonly step: number;
  readonly files: readonly SourcePositionRow[];
  /** What is left was split off: nothing more is handed out here. */
  readonly isClosed: boolean;
}

export const NOTHING_HANDED_OUT: WatchState = { watcher: "", step: 0, files: [], isClosed: false };

/** A position is the state after what is to be handed out. */
export class WatchTracker implements RestrictionTracker<WatchState, WatchState> {
  #begun: WatchState;
  #claimed: WatchState;

  constructor(state: WatchState) {
    this.#begun = state;
    this.#claimed = state;
  }

  tryClaim(next: WatchState): boolean {
    if (next.step <= this.#claimed.step) {
      throw new Error(`step ${next.step} of a watched directory was claimed after ${this.#claimed.step}`);
    }
    if (this.#begun.isClosed) return false;
    this.#claimed = next;
    return true;
  }

  /** Every fraction checkpoints: what will come nobody knows. */
  trySplit(_fraction: number): { primary: WatchState; residual: WatchState } | undefined {
    if (this.#begun.isClosed) return undefined;
    this.#begun = { ...this.#begun, isClosed: true };
    return { primary: this.#begun, residual: this.#claimed };
  }

  currentRestriction(): WatchState {
    return this.#begun;
  }
}
