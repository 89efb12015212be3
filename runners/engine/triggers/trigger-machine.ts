/** What a trigger does with elements and time: a machine without state of its own, told the state each time. */

/** State of one trigger for one key and window, plain data. One shape for all kinds, so that it stays fast. */
export interface TriggerState {
  /** The trigger will not fire again, unless a composite starts it anew or windows merge. */
  isFinished: boolean;
  /** Elements since the trigger was last cleared. */
  count: number;
  /** Processing time from which on the trigger is ready. */
  readyAtMs: number | undefined;
  /** States of the triggers that this one is composed of. */
  readonly parts: TriggerState[];
}

/** How things stand for a window when its trigger is asked. */
export interface TriggerMoment {
  /** The input watermark is beyond the window's end. */
  readonly hasWindowEnded: boolean;
  readonly processingTimeMs: number;
}

/**
 * A trigger. A trigger that is finished is not asked to fire; a leaf clears itself when it fires. After Beam's
 * `TriggerStateMachine` (Java).
 */
export abstract class TriggerMachine {
  constructor(protected readonly parts: readonly TriggerMachine[] = []) {}

  /** Whether an element of a window that has not ended changes nothing and makes nothing ready. */
  get isQuietBeforeEnd(): boolean {
    return false;
  }

  /** State of a trigger that has seen nothing. */
  start(): TriggerState {
    return {
      isFinished: false,
      count: 0,
      readyAtMs: undefined,
      parts: this.parts.map((part) => part.start()),
    };
  }

  /** An element has come into the window. */
  abstract onElement(state: TriggerState, moment: TriggerMoment): void;

  abstract shouldFire(state: TriggerState, moment: TriggerMoment): boolean;

  /** The pane was emitted; only called when `shouldFire` said so. Marks the trigger finished if it is. */
  abstract onFire(state: TriggerState, moment: TriggerMoment): void;

  /**
   * State for the window that others of the same key merged into. `states` are those of the merged windows that
   * had any: at least one. They are not used any more.
   */
  abstract merge(states: readonly TriggerState[], moment: TriggerMoment): TriggerState;

  /** Forgets what it knows of the pane, which is gone; stays finished if it is. */
  clear(state: TriggerState): void {
    state.count = 0;
    state.readyAtMs = undefined;
    this.parts.forEach((part, i) => {
      part.clear(state.parts[i]!);
    });
  }

  /** Begins again from nothing. */
  reset(state: TriggerState): void {
    state.isFinished = false;
    state.count = 0;
    state.readyAtMs = undefined;
    this.parts.forEach((part, i) => {
      part.reset(state.parts[i]!);
    });
  }

  protected mergePart(i: number, states: readonly TriggerState[], moment: TriggerMoment): TriggerState {
    return this.parts[i]!.merge(
      states.map((state) => state.parts[i]!),
      moment,
    );
  }

  protected mergeParts(states: readonly TriggerState[], moment: TriggerMoment): TriggerState {
    return { ...this.start(), parts: this.parts.map((_, i) => this.mergePart(i, states, moment)) };
  }
}

/** The first processing time at which any part of the trigger becomes ready: when to ask it again. */
export function nextReadyMs(state: TriggerState): number | undefined {
  if (state.isFinished) return undefined;
  let next = state.readyAtMs;
  for (const part of state.parts) {
    const ready = nextReadyMs(part);
    if (ready !== undefined && (next === undefined || ready < next)) next = ready;
  }
  return next;
}
