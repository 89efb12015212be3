/** Triggers made of others: repeat, after-each, after-first, after-all, or-finally. */
import { TriggerMachine, type TriggerMoment, type TriggerState } from "./trigger-machine.js";

/** Starts its trigger anew each time it has finished; never finishes. */
export class RepeatTrigger extends TriggerMachine {
  override get isQuietBeforeEnd(): boolean {
    return this.#of.isQuietBeforeEnd;
  }

  get #of(): TriggerMachine {
    return this.parts[0]!;
  }

  onElement(state: TriggerState, moment: TriggerMoment): void {
    this.#of.onElement(state.parts[0]!, moment);
  }

  shouldFire(state: TriggerState, moment: TriggerMoment): boolean {
    return this.#of.shouldFire(state.parts[0]!, moment);
  }

  onFire(state: TriggerState, moment: TriggerMoment): void {
    const of = state.parts[0]!;
    this.#of.onFire(of, moment);
    if (of.isFinished) this.#of.reset(of);
  }

  merge(states: readonly TriggerState[], moment: TriggerMoment): TriggerState {
    return this.mergeParts(states, moment);
  }
}

/** One trigger after the other, each until it has finished; finished with the last. */
export class AfterEachTrigger extends TriggerMachine {
  constructor(
    parts: readonly TriggerMachine[],
    private readonly isMerging: boolean,
  ) {
    super(parts);
  }

  onElement(state: TriggerState, moment: TriggerMoment): void {
    if (this.isMerging) {
      // A merge may bring back one that had finished, or take the turn from a later one: all keep up.
      this.parts.forEach((part, i) => {
        part.onElement(state.parts[i]!, moment);
      });
      return;
    }
    const turn = turnOf(state);
    this.parts[turn]?.onElement(state.parts[turn]!, moment);
  }

  shouldFire(state: TriggerState, moment: TriggerMoment): boolean {
    const turn = turnOf(state);
    return this.parts[turn]?.shouldFire(state.parts[turn]!, moment) ?? false;
  }

  onFire(state: TriggerState, moment: TriggerMoment): void {
    const turn = turnOf(state);
    this.parts[turn]?.onFire(state.parts[turn]!, moment);
    if (this.isMerging) this.clear(state);
    state.isFinished = turnOf(state) === -1;
  }

  merge(states: readonly TriggerState[], moment: TriggerMoment): TriggerState {
    const merged = this.start();
    for (let i = 0; i < this.parts.length; i++) {
      merged.parts[i] = this.mergePart(i, states, moment);
      // What comes after the one whose turn it is has not begun.
      if (!merged.parts[i]!.isFinished) return merged;
    }
    merged.isFinished = true;
    return merged;
  }
}

/** Fires once, when any of its triggers is ready. */
export class AfterFirstTrigger extends TriggerMachine {
  onElement(state: TriggerState, moment: TriggerMoment): void {
    this.parts.forEach((part, i) => {
      part.onElement(state.parts[i]!, moment);
    });
  }

  shouldFire(state: TriggerState, moment: TriggerMoment): boolean {
    return this.parts.some((part, i) => {
      const of = state.parts[i]!;
      return of.isFinished || part.shouldFire(of, moment);
    });
  }

  onFire(state: TriggerState, moment: TriggerMoment): void {
    this.parts.forEach((part, i) => {
      const of = state.parts[i]!;
      if (!of.isFinished && part.shouldFire(of, moment)) part.onFire(of, moment);
      else part.clear(of);
    });
    state.isFinished = true;
  }

  merge(states: readonly TriggerState[], moment: TriggerMoment): TriggerState {
    const merged = this.mergeParts(states, moment);
    merged.isFinished = merged.parts.some((part) => part.isFinished);
    return merged;
  }
}

/** Fires once, when all of its triggers are ready. */
export class AfterAllTrigger extends TriggerMachine {
  onElement(state: TriggerState, moment: TriggerMoment): void {
    this.parts.forEach((part, i) => {
      const of = state.parts[i]!;
      if (!of.isFinished) part.onElement(of, moment);
    });
  }

  shouldFire(state: TriggerState, moment: TriggerMoment): boolean {
    return this.parts.every((part, i) => {
      const of = state.parts[i]!;
      return of.isFinished || part.shouldFire(of, moment);
    });
  }

  onFire(state: TriggerState, moment: TriggerMoment): void {
    this.parts.forEach((part, i) => {
      const of = state.parts[i]!;
      if (!of.isFinished) part.onFire(of, moment);
    });
    state.isFinished = true;
  }

  merge(states: readonly TriggerState[], moment: TriggerMoment): TriggerState {
    const merged = this.mergeParts(states, moment);
    merged.isFinished = merged.parts.every((part) => part.isFinished);
    return merged;
  }
}

/** Its first trigger, until that one has finished or the second fires. */
export class OrFinallyTrigger extends TriggerMachine {
  constructor(
    private readonly main: TriggerMachine,
    private readonly until: TriggerMachine,
  ) {
    super([main, until]);
  }

  onElement(state: TriggerState, moment: TriggerMoment): void {
    this.main.onElement(state.parts[0]!, moment);
    this.until.onElement(state.parts[1]!, moment);
  }

  shouldFire(state: TriggerState, moment: TriggerMoment): boolean {
    return this.main.shouldFire(state.parts[0]!, moment) || this.until.shouldFire(state.parts[1]!, moment);
  }

  onFire(state: TriggerState, moment: TriggerMoment): void {
    const main = state.parts[0]!;
    const until = state.parts[1]!;
    if (this.until.shouldFire(until, moment)) {
      this.until.onFire(until, moment);
      this.main.clear(main);
    } else {
      // `until` is not cleared: it looks at the whole window, not at one pane.
      this.main.onFire(main, moment);
    }
    state.isFinished = main.isFinished || until.isFinished;
  }

  merge(states: readonly TriggerState[], moment: TriggerMoment): TriggerState {
    const merged = this.mergeParts(states, moment);
    merged.isFinished = merged.parts.some((part) => part.isFinished);
    return merged;
  }
}

/** Index of the first trigger that has not finished, or -1. */
function turnOf(state: TriggerState): number {
  return state.parts.findIndex((part) => !part.isFinished);
}
