/** What a stage asks of each of its roots. */
import type { BundleInput, Residual, TimerUpdate } from "./bundle.js";
import type { Durable } from "./durable/durable-parts.js";
import type { RootInput } from "./root-input.js";

/** What a root holds at a moment. */
export interface RootLoad {
  /** Elements that wait for a bundle. */
  readonly waiting: number;
  /** Of a stateful step: keys with state or timers, once for each window, and timers that are set. */
  readonly keyed?: { readonly keys: number; readonly timers: number };
}

export interface RootState extends Durable {
  readonly id: string;
  readonly kind: "elements" | "keyed" | "splittable";
  readonly input: RootInput;
  /** The stage's output watermark may not pass this, besides the input's watermark. */
  readonly holdMs: number;
  /** Nothing waits here, for whatever. */
  readonly isIdle: boolean;
  /** Processing time at which something will be ready. */
  readonly nextWakeUpMs: number | undefined;
  /** Counted when asked. */
  readonly load: RootLoad;
  /** Work for a bundle, at most `max` items; undefined if nothing is ready. It is in flight until `complete`. */
  next(max: number): readonly BundleInput[] | undefined;
  /** The bundle was processed, and its timers and residuals are here. */
  complete(): void;
  /** Moves on with the watermark of its input; `isInFlight` while a bundle of this root is. */
  settle(isInFlight: boolean): void;
  setTimer?(update: TimerUpdate): void;
  addResidual?(residual: Residual): void;
  /** Lets go of what the store has, until what is left takes about this much memory. */
  release?(bytesMax: number): void;
}
