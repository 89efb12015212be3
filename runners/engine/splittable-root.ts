/** A root of restrictions: elements that are begun, and what was left of them by earlier bundles. */
import type { BundleInput, Residual, RestrictionWork } from "./bundle.js";
import type { RestoredState } from "./durable/restored-state.js";
import type { RestrictionRecords } from "./durable/restriction-records.js";
import type { StateLog } from "./durable/state-log.js";
import { type Element, MAX_WATERMARK_MS, MIN_WATERMARK_MS } from "./element.js";
import { HoldSet } from "./hold-set.js";
import type { ProcessingTime } from "./processing-time.js";
import type { Rest } from "./rest.js";
import type { RootInput } from "./root-input.js";
import type { RootLoad, RootState } from "./root-state.js";
import { TimeHeap } from "./time-heap.js";
import type { Watermark } from "./watermark.js";

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
  #rested = 0;
  readonly #records: RestrictionRecords | undefined;

  constructor(
    readonly id: string,
    readonly input: RootInput,
    stageWatermark: Watermark,
    time: ProcessingTime,
    records?: RestrictionRecords | undefined,
  ) {
    this.#records = records;
    this.#stageWatermark = stageWatermark;
    this.#time = time;
  }

  get holdMs(): number {
    return this.#holds.minMs;
  }

  get isIdle(): boolean {
    return this.input.isIdle && this.#rests.size === 0 && this.#inFlight.length === 0;
  }

  /** Restrictions that are begun and not done. */
  get begunCount(): number {
    let count = 0;
    for (const { residual } of this.#unfinished()) if (residual !== undefined) count++;
    return count;
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
      this.#inFlight.push(rest);
      work.push(this.#workOf(rest, isTruncated));
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
    const { element } = residual;
    const rest = { residual, element, holdMs, wasTruncated: this.#isInFlightTruncated, number: this.#rested };
    this.#add(rest, residual.resumeAtMs);
    this.#records?.left(rest);
  }

  complete(): void {
    for (const rest of this.#inFlight) {
      this.#holds.remove(rest.holdMs);
      this.#records?.done(rest);
    }
    this.#inFlight = [];
    this.#floors.clear();
    this.input.complete();
    this.#records?.settled(this.#unfinished());
  }

  writeState(log: StateLog): void {
    this.input.writeState(log);
    this.#records?.write(log, this.#unfinished());
  }

  /** What was to wait for somebody that is gone with the earlier process is ready at once. */
  restoreState(restored: RestoredState): void {
    this.input.restoreState(restored);
    for (const { rest, resumeAtMs } of this.#records?.restore(restored, this.#stageWatermark.ms) ?? []) {
      this.#add(rest, resumeAtMs === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : resumeAtMs);
    }
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

  #workOf({ residual, element, wasTruncated }: Rest, isTruncated: boolean): RestrictionWork {
    if (residual === undefined) {
      this.#floors.set(element, MIN_WATERMARK_MS);
      return { element, restriction: undefined, isTruncated };
    }
    const { restriction: value, watermarkState, watermarkMs, isParked } = residual;
    this.#floors.set(element, Math.min(watermarkMs, this.#floors.get(element) ?? MAX_WATERMARK_MS));
    const work = { element, restriction: { value, watermarkState }, isTruncated, wasTruncated };
    return isParked === undefined ? work : { ...work, isParked };
  }

  #add(rest: Rest, resumeAtMs: number): void {
    this.#rests.push(resumeAtMs, rest);
    this.#holds.add(rest.holdMs);
    this.#rested = rest.number + 1;
  }

  *#unfinished(): Generator<Rest> {
    yield* this.#inFlight;
    yield* this.#rests.items();
  }
}
