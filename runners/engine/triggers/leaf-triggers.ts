/** Triggers that watch one thing: the end of the window, the number of elements, the clock, or nothing. */
import type { TimestampTransform } from "../windowing-strategy.js";
import { TriggerMachine, type TriggerMoment, type TriggerState } from "./trigger-machine.js";

/** Fires at the end of the window and then for each late element; never finishes. */
export class DefaultTrigger extends TriggerMachine {
  override get isQuietBeforeEnd(): boolean {
    return true;
  }

  onElement(): void {}

  shouldFire(_state: TriggerState, moment: TriggerMoment): boolean {
    return moment.hasWindowEnded;
  }

  onFire(): void {}

  merge(): TriggerState {
    return this.start();
  }
}

/** Never fires: what was gathered comes out when the window expires. */
export class NeverTrigger extends TriggerMachine {
  override get isQuietBeforeEnd(): boolean {
    return true;
  }

  onElement(): void {}

  shouldFire(): boolean {
    return false;
  }

  onFire(): void {}

  merge(): TriggerState {
    return this.start();
  }
}

/** Fires whenever it is asked: for each element, and at the end of the window. */
export class AlwaysTrigger extends TriggerMachine {
  onElement(): void {}

  shouldFire(): boolean {
    return true;
  }

  onFire(): void {}

  merge(): TriggerState {
    return this.start();
  }
}

/** Fires once, when the watermark has passed the end of the window. */
export class EndOfWindowTrigger extends TriggerMachine {
  override get isQuietBeforeEnd(): boolean {
    return true;
  }

  onElement(): void {}

  shouldFire(_state: TriggerState, moment: TriggerMoment): boolean {
    return moment.hasWindowEnded;
  }

  onFire(state: TriggerState): void {
    state.isFinished = true;
  }

  merge(states: readonly TriggerState[], moment: TriggerMoment): TriggerState {
    // A window that has not ended, or in which some elements never had their firing, fires (again).
    return { ...this.start(), isFinished: moment.hasWindowEnded && isFinishedInAll(states) };
  }
}

/** Fires once, when a number of elements has come. */
export class CountTrigger extends TriggerMachine {
  constructor(private readonly count: number) {
    super();
    if (!Number.isInteger(count) || count < 1) {
      throw new RangeError(`after-count: count must be a positive whole number, got ${count}`);
    }
  }

  onElement(state: TriggerState): void {
    state.count++;
  }

  shouldFire(state: TriggerState): boolean {
    return state.count >= this.count;
  }

  onFire(state: TriggerState): void {
    state.count = 0;
    state.isFinished = true;
  }

  merge(states: readonly TriggerState[]): TriggerState {
    if (states.some((state) => state.isFinished)) return { ...this.start(), isFinished: true };
    return { ...this.start(), count: states.reduce((sum, state) => sum + state.count, 0) };
  }
}

/** Fires once, a time after the first element of the pane came, by the processing clock. */
export class ProcessingTimeTrigger extends TriggerMachine {
  constructor(private readonly transforms: readonly TimestampTransform[]) {
    super();
    for (const transform of transforms) checkTransform(transform);
  }

  onElement(state: TriggerState, moment: TriggerMoment): void {
    state.readyAtMs ??= this.transforms.reduce(transformed, moment.processingTimeMs);
  }

  shouldFire(state: TriggerState, moment: TriggerMoment): boolean {
    return state.readyAtMs !== undefined && moment.processingTimeMs >= state.readyAtMs;
  }

  onFire(state: TriggerState): void {
    state.readyAtMs = undefined;
    state.isFinished = true;
  }

  merge(states: readonly TriggerState[]): TriggerState {
    const merged = { ...this.start(), isFinished: isFinishedInAll(states) };
    for (const { isFinished, readyAtMs } of states) {
      if (isFinished || readyAtMs === undefined) continue;
      merged.readyAtMs = Math.min(merged.readyAtMs ?? readyAtMs, readyAtMs);
    }
    return merged;
  }
}

export function isFinishedInAll(states: readonly TriggerState[]): boolean {
  return states.every((state) => state.isFinished);
}

function checkTransform(transform: TimestampTransform): void {
  if (transform.kind === "delay" && !(transform.delayMs >= 0)) {
    throw new RangeError(`after-processing-time: delayMs must not be negative, got ${transform.delayMs}`);
  }
  if (transform.kind === "align" && !(transform.periodMs > 0)) {
    throw new RangeError(`after-processing-time: periodMs must be positive, got ${transform.periodMs}`);
  }
}

function transformed(timeMs: number, transform: TimestampTransform): number {
  if (transform.kind === "delay") return timeMs + transform.delayMs;
  // JavaScript's remainder has the sign of the dividend; here it must not be negative.
  const since = (timeMs - transform.offsetMs) % transform.periodMs;
  const over = since < 0 ? since + transform.periodMs : since;
  return over === 0 ? timeMs : timeMs + transform.periodMs - over;
}
