/** Which sources have nothing more for a run that ends with what is there now. */
import type { Bundle, BundleInput, BundleResult, Residual } from "../engine/bundle.js";
import type { Element } from "../engine/element.js";

interface RestingStage {
  readonly unboundedRoots: ReadonlySet<string>;
}

/**
 * An unbounded source rests when it waits, or has ended: its watermark stays where it is, so that what
 * waits for later elements goes on waiting. A bounded one must come to its end.
 */
export class RestingSources {
  readonly #unbounded: ReadonlySet<string>;
  /** Residuals of bounded restrictions by root. */
  readonly #open = new Map<string, number>();
  /** Nothing was emitted before it, by unbounded root. */
  readonly #watermarks = new Map<string, number>();

  /** @param rests of an earlier process, by root */
  constructor(stages: readonly RestingStage[], rests: ReadonlyMap<string, number> = new Map()) {
    this.#unbounded = new Set(stages.flatMap((stage) => [...stage.unboundedRoots]));
    for (const [root, count] of rests) if (!this.#unbounded.has(root)) this.#open.set(root, count);
  }

  get areBoundedAtEnd(): boolean {
    return [...this.#open.values()].every((count) => count === 0);
  }

  /** What is to be processed of a bundle. */
  admit({ inputs }: Bundle): readonly BundleInput[] {
    return inputs.map((input) =>
      input.kind === "restrictions" && input.work.some(({ isParked }) => isParked)
        ? { ...input, work: input.work.filter(({ isParked }) => !isParked) }
        : input,
    );
  }

  /** Notes what a bundle left; at an end, an unbounded source that left nothing keeps its watermark. */
  after(bundle: Bundle, result: BundleResult, isEnding: boolean): BundleResult {
    const parked: Residual[] = [];
    for (const input of bundle.inputs) {
      if (input.kind !== "restrictions") continue;
      const { root, work } = input;
      const left = result.residuals.filter((residual) => residual.root === root);
      if (!this.#unbounded.has(root)) {
        const taken = work.filter(({ restriction }) => restriction !== undefined).length;
        this.#open.set(root, (this.#open.get(root) ?? 0) + left.length - taken);
        continue;
      }
      if (left.length > 0) this.#watermarks.set(root, Math.min(...left.map((one) => one.watermarkMs)));
      else if (isEnding && work[0] !== undefined) parked.push(this.#park(root, work[0].element));
    }
    return parked.length === 0 ? result : { ...result, residuals: [...result.residuals, ...parked] };
  }

  #park(root: string, element: Element): Residual {
    const watermarkMs = this.#watermarks.get(root) ?? element.timestampMs;
    return {
      ...{ root, element, restriction: null, watermarkState: null, watermarkMs },
      resumeAtMs: Number.POSITIVE_INFINITY,
      isParked: true,
    };
  }
}
