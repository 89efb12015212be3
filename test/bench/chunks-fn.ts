/** A bounded source of numbered elements in order of their event times, some chunks a bundle. */
import type {
  ProcessContext,
  ProcessContinuation,
  RestrictionTracker,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../transforms/primitives/do-fn.js";
import { manualWatermarkEstimator } from "../../transforms/primitives/watermark-estimator.js";

const ELEMENTS_PER_CHUNK = 5000;
/** What a source that commits every so often does. */
const CHUNKS_PER_BUNDLE = 4;

interface Chunks {
  readonly from: number;
  readonly to: number;
}

export type ChunksConfig = {
  readonly elements: number;
  /** Event time passes so fast, from 0 on. */
  readonly perMs: number;
};

class ChunkTracker implements RestrictionTracker<Chunks, number> {
  #range: Chunks;
  #next: number;
  constructor(range: Chunks) {
    this.#range = range;
    this.#next = range.from;
  }
  tryClaim(chunk: number): boolean {
    if (chunk >= this.#range.to) return false;
    this.#next = chunk + 1;
    return true;
  }
  trySplit(): { primary: Chunks; residual: Chunks } | undefined {
    const { from, to } = this.#range;
    if (this.#next >= to) return undefined;
    this.#range = { from, to: this.#next };
    return { primary: this.#range, residual: { from: this.#next, to } };
  }
  currentRestriction(): Chunks {
    return this.#range;
  }
}

export abstract class ChunksFn implements SplittableDoFn<unknown, Chunks, number, number> {
  constructor(readonly config: ChunksConfig) {}

  /** Emits the elements of these numbers. */
  abstract emit(from: number, to: number, context: ProcessContext): void;

  initialRestriction(): Chunks {
    return { from: 0, to: Math.ceil(this.config.elements / ELEMENTS_PER_CHUNK) };
  }
  createTracker(range: Chunks): ChunkTracker {
    return new ChunkTracker(range);
  }
  initialWatermarkState(): number {
    return 0;
  }
  createWatermarkEstimator(state: number) {
    return manualWatermarkEstimator(state);
  }
  async process(
    _element: unknown,
    tracker: RestrictionTracker<Chunks, number>,
    context: SplittableProcessContext<number>,
  ): Promise<ProcessContinuation> {
    const estimator = context.watermarkEstimator as ReturnType<typeof manualWatermarkEstimator>;
    const first = tracker.currentRestriction().from;
    for (let chunk = first; ; chunk++) {
      if (chunk - first >= CHUNKS_PER_BUNDLE) return { resume: true, delayMs: 0 };
      if (!tracker.tryClaim(chunk)) return { resume: false };
      const from = chunk * ELEMENTS_PER_CHUNK;
      const to = Math.min(this.config.elements, from + ELEMENTS_PER_CHUNK);
      this.emit(from, to, context);
      estimator.setWatermark(Math.floor(to / this.config.perMs));
    }
  }
}
