/** The end of the window with firings before it and after it. */
import { isFinishedInAll } from "./leaf-triggers.js";
import { TriggerMachine, type TriggerMoment, type TriggerState } from "./trigger-machine.js";

/**
 * Fires whenever `early` does until the window ends, at its end, then whenever `late` does. Both are repeated.
 * Without `late` it finishes at the window's end. The state of `early` is marked finished once the window's end
 * has fired.
 */
export class EarlyAndLateTrigger extends TriggerMachine {
  constructor(
    private readonly early: TriggerMachine,
    private readonly late: TriggerMachine | undefined,
    private readonly isMerging: boolean,
  ) {
    super(late === undefined ? [early] : [early, late]);
  }

  override get isQuietBeforeEnd(): boolean {
    // What `late` hears before the end is forgotten at the end.
    return this.early.isQuietBeforeEnd;
  }

  onElement(state: TriggerState, moment: TriggerMoment): void {
    const early = state.parts[0]!;
    if (this.isMerging || !early.isFinished) this.early.onElement(early, moment);
    if (this.isMerging || early.isFinished) this.late?.onElement(state.parts[1]!, moment);
  }

  shouldFire(state: TriggerState, moment: TriggerMoment): boolean {
    const early = state.parts[0]!;
    if (!early.isFinished) return moment.hasWindowEnded || this.early.shouldFire(early, moment);
    return this.late?.shouldFire(state.parts[1]!, moment) ?? false;
  }

  onFire(state: TriggerState, moment: TriggerMoment): void {
    const early = state.parts[0]!;
    if (early.isFinished) {
      const late = state.parts[1]!;
      this.late?.onFire(late, moment);
      if (late.isFinished) this.late?.reset(late);
    } else if (moment.hasWindowEnded) {
      this.early.reset(early);
      early.isFinished = true;
      // With merging windows it ran all the time.
      if (this.late !== undefined) this.late.reset(state.parts[1]!);
      else state.isFinished = true;
    } else {
      this.early.onFire(early, moment);
      if (early.isFinished) this.early.reset(early);
    }
  }

  merge(states: readonly TriggerState[], moment: TriggerMoment): TriggerState {
    const merged = this.start();
    const early = states.map((state) => state.parts[0]!);
    if (moment.hasWindowEnded && isFinishedInAll(early)) {
      merged.parts[0]!.isFinished = true;
      if (this.late === undefined) merged.isFinished = true;
      else merged.parts[1] = this.mergePart(1, states, moment);
      return merged;
    }
    // The end is still to come, or has to be fired for those who have not had it.
    const running = early.filter((state) => !state.isFinished);
    if (running.length > 0) merged.parts[0] = this.early.merge(running, moment);
    merged.parts[0]!.isFinished = false;
    return merged;
  }
}
