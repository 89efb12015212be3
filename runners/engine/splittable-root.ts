/** A root of restrictions: elements that are begun, and what was left of them by earlier bundles. */
import type { BundleInput, Residual, RestrictionWork } from "./bundle.js";
import { type Element, MAX_WATERMARK_MS, MIN_WATERMARK_MS } from "./element.js";
import { HoldSet } from "./hold-set.js";
import type { ProcessingTime } from "./processing-time.js";
import type { RootInput } from "./root-input.js";
import type { RootLoad, RootState } from "./root-state.js";
import { TimeHeap } from "./time-heap.js";
import type { Watermark } from "./watermark.js";

interface Rest {
  readonly residual: Residual;
  readonly holdMs: number;
  /** The bundle that left it did truncated rests. */
  readonly wasTruncated: boolean;
}

export class SplittableRoot implements RootState {
  readonly kind = "splittable";
  readonly #time: ProcessingTime;
  readonly #stageWatermark: Watermark;
  /** By the time of their resumption. */
  readonly #rests = new TimeHeap<Rest>();
  readonly #holds = new HoldSet();
  #inFlight: Rest[] = [];
  #isInFlightTruncated = false;
  /** The watermarks that the residuals of the bundle may not go behind, by their elements. */
  readonly #floors = new Map<Element, number>();
  #isDraining = false;

  constructor(
    readonly id: string,
    readonly input: RootInput,
    stageWatermark: Watermark,
    time: ProcessingTime,
  ) {
    this.#stageWatermark = stageWatermark;
    this.#time = time;
  }

  get holdMs(): number {
    return this.#holds.minMs;
  }

  get isIdle(): boolean {
    return this.input.isIdle && this.#rests.size === 0 && this.#inFlight.length === 0;
  }

  get nextWakeUpMs(): number | undefined {
    const { firstMs } = this.#rests;
    if (firstMs === undefined || firstMs === Number.POSITIVE_INFINITY) return undefined;
    return Math.max(firstMs, this.#time.ms);
  }

  get load(): RootLoad {
    return { waiting: this.input.waiting };
  }

  next(max: number): readonly BundleInput[] | undefined {
    const isTruncated = this.#isDraining;
    this.#isInFlightTruncated = isTruncated;
    const work: RestrictionWork[] = [];
    for (const elements of this.input.take(max)) {
      for (const element of elements) {
        this.#floors.set(element, MIN_WATERMARK_MS);
        work.push({ element, restriction: undefined, isTruncated });
      }
    }
    while (work.length < max && (this.#rests.firstMs ?? Number.POSITIVE_INFINITY) <= this.#time.ms) {
      const rest = this.#rests.pop()!;
      const { element, restriction: value, watermarkState, watermarkMs } = rest.residual;
      this.#floors.set(element, Math.min(watermarkMs, this.#floors.get(element) ?? MAX_WATERMARK_MS));
      this.#inFlight.push(rest);
      const { wasTruncated } = rest;
      work.push({ element, restriction: { value, watermarkState }, isTruncated, wasTruncated });
    }
    return work.length === 0 ? undefined : [{ kind: "restrictions", root: this.id, work }];
  }

  /** @throws when its watermark is behind the one that the same restriction had before */
  addResidual(residual: Residual): void {
    const floorMs = this.#floors.get(residual.element) ?? MIN_WATERMARK_MS;
    if (!(residual.watermarkMs >= floorMs)) {
      throw new Error(
        `watermark of a restriction of ${this.id} went back: ${floorMs} → ${residual.watermarkMs}`,
      );
    }
    if (Number.isNaN(residual.resumeAtMs))
      throw new Error(`a restriction of ${this.id} cannot resume at NaN`);
    const holdMs = Math.min(Math.max(residual.watermarkMs, this.#stageWatermark.ms), MAX_WATERMARK_MS);
    const wasTruncated = this.#isInFlightTruncated;
    this.#rests.push(residual.resumeAtMs, { residual, holdMs, wasTruncated });
    this.#holds.add(holdMs);
  }

  complete(): void {
    for (const { holdMs } of this.#inFlight) this.#holds.remove(holdMs);
    this.#inFlight = [];
    this.#floors.clear();
    this.input.complete();
  }

  settle(): void {
    this.input.settle();
  }

  /** All residuals are ready now, whatever time they were to wait for. */
  resume(): void {
    for (const rest of this.#rests.drain()) this.#rests.push(Number.NEGATIVE_INFINITY, rest);
  }

  /** From now on only the truncated rest of each restriction is done. */
  drain(): void {
    this.#isDraining = true;
    this.resume();
  }
}
