/** A windowing strategy as the engine takes it: the proto's, its functions made callable. */
import type { Window } from "./element.js";

export interface WindowingStrategy {
  readonly windowFn: {
    readonly isMerging: boolean;
    /**
     * For a merging function: which of these windows of one key belong together. Each result is the window that
     * replaces at least two of the given ones; a window that stands in no result stays as it is.
     */
    merge(
      windows: readonly Window[],
    ): readonly { readonly merged: Window; readonly from: readonly Window[] }[];
    /**
     * Given where exactly those windows merge that overlap: the first time in a window. Then `merge` is only shown
     * what may overlap.
     */
    readonly startMsOf?: ((window: Window) => number) | undefined;
  };
  readonly trigger: TriggerSpec;
  readonly accumulation: "discarding" | "accumulating";
  /** Event time of a pane; `end-of-window` is the window's last one. */
  readonly timestampCombiner: "end-of-window" | "earliest" | "latest";
  /** A window is dropped once the watermark is more than this behind its end. */
  readonly allowedLatenessMs: number;
  /** Whether the last pane is emitted although it is empty. */
  readonly closingBehavior: "emit-always" | "emit-if-non-empty";
  /** Whether the on-time pane is emitted although it is empty (only for windows that ever had an element). */
  readonly onTimeBehavior: "fire-always" | "fire-if-non-empty";
}

/** Beam's triggers. `default` fires whenever the watermark has passed the end of the window, and for each late element. */
export type TriggerSpec =
  | { readonly kind: "default" }
  | { readonly kind: "never" }
  | { readonly kind: "always" }
  | { readonly kind: "after-end-of-window"; readonly early?: TriggerSpec; readonly late?: TriggerSpec }
  | { readonly kind: "after-count"; readonly count: number }
  | {
      readonly kind: "after-processing-time";
      /** From the arrival of the first element of the pane on, applied in order. */
      readonly transforms: readonly TimestampTransform[];
    }
  | { readonly kind: "after-synchronized-processing-time" }
  | { readonly kind: "repeat"; readonly of: TriggerSpec }
  | { readonly kind: "after-each"; readonly of: readonly TriggerSpec[] }
  | { readonly kind: "after-first"; readonly of: readonly TriggerSpec[] }
  | { readonly kind: "after-all"; readonly of: readonly TriggerSpec[] }
  | { readonly kind: "or-finally"; readonly main: TriggerSpec; readonly finally: TriggerSpec };

export type TimestampTransform =
  | { readonly kind: "delay"; readonly delayMs: number }
  | { readonly kind: "align"; readonly periodMs: number; readonly offsetMs: number };
