/** A part of a restriction while `process` works on it: what is split off, and what is left in the end. */
import type { ProcessContinuation, RestrictionTracker } from "../../transforms/primitives/do-fn.js";
import type { WatermarkEstimator } from "../../transforms/primitives/watermark-estimator.js";
import type { Residual } from "../engine/bundle.js";
import type { Element } from "../engine/element.js";
import type { ActiveRestriction, BundleScope, RestrictionSplit } from "./host.js";

/** A restriction, or a part of one, that is to be worked on. */
export interface RestrictionPart {
  readonly element: Element;
  readonly value: unknown;
  readonly watermarkState: unknown;
}

export class ActivePart implements ActiveRestriction {
  /** What checkpoints have split off; added in the end, when it is known how long to wait. */
  readonly #residuals: Residual[] = [];
  #watermarkMs: number;
  #isEnded = false;

  constructor(
    readonly root: string,
    private readonly part: RestrictionPart,
    private readonly tracker: RestrictionTracker<unknown, unknown>,
    private readonly estimator: WatermarkEstimator | undefined,
    private readonly scope: BundleScope,
  ) {
    this.#watermarkMs = estimator?.currentWatermarkMs() ?? part.element.timestampMs;
  }

  checkpoint(): void {
    const split = this.split(0);
    if (split !== undefined) this.#residuals.push(split.residual);
  }

  split(fraction: number): RestrictionSplit | undefined {
    if (this.#isEnded) return undefined;
    const split = this.tracker.trySplit(fraction);
    if (split === undefined) return undefined;
    return { primary: split.primary, residual: this.#residual(split.residual) };
  }

  progress(): { readonly completed: number; readonly remaining: number } | undefined {
    return this.#isEnded ? undefined : this.tracker.progress?.();
  }

  /** `process` has ended: hands over what is left. @throws when it is not done, although it says so. */
  finish(continuation: ProcessContinuation | undefined): void {
    const resumes = continuation?.resume === true;
    if (resumes) this.checkpoint();
    this.tracker.checkDone?.(); // of what the checkpoint, if there was anything to split off, has left
    const nowMs = this.scope.processingTimeMs();
    if (!resumes) {
      for (const residual of this.#residuals) this.scope.addResidual({ ...residual, resumeAtMs: nowMs });
      return;
    }
    // it knows that it has not come to its end, so how far it says it is holds for what is left too
    const times = { ...this.#time(), resumeAtMs: nowMs + continuation.delayMs };
    for (const residual of this.#residuals)
      this.scope.addResidual({ ...residual, ...times }, continuation.wake);
  }

  end(): void {
    this.#isEnded = true;
  }

  /** With the watermark of this moment, so that what the primary still does cannot move it. */
  #residual(restriction: unknown): Residual {
    return {
      root: this.root,
      element: this.part.element,
      restriction,
      ...this.#time(),
      resumeAtMs: this.scope.processingTimeMs(),
    };
  }

  #time(): Pick<Residual, "watermarkState" | "watermarkMs"> {
    const { estimator } = this;
    if (estimator === undefined) {
      return { watermarkState: this.part.watermarkState, watermarkMs: this.#watermarkMs };
    }
    const watermarkMs = estimator.currentWatermarkMs();
    if (!(watermarkMs >= this.#watermarkMs)) {
      throw new Error(`its watermark must not go back: ${this.#watermarkMs} → ${watermarkMs}`);
    }
    this.#watermarkMs = watermarkMs;
    return { watermarkState: estimator.state(), watermarkMs };
  }
}
