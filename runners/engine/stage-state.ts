/** A stage: its roots, the bundle in flight, and the watermark of its outputs. */
import type { Bundle, BundleInput, BundleResult } from "./bundle.js";
import type { Collection } from "./collection.js";
import type { RestoredState } from "./durable/restored-state.js";
import { StateWriter } from "./durable/state-bytes.js";
import type { StateLog } from "./durable/state-log.js";
import { recordKey } from "./durable/state-record.js";
import type { NodeState } from "./node-state.js";
import type { RootLoad, RootState } from "./root-state.js";
import { SplittableRoot } from "./splittable-root.js";
import type { Watermark } from "./watermark.js";

/** Work for a bundle. */
export interface StageWork {
  readonly inputs: readonly BundleInput[];
  readonly inputWatermarkMs: number;
}

const STAGE = "stage";

export class StageState implements NodeState {
  readonly #roots: readonly RootState[];
  readonly #outputs: ReadonlyMap<string, Collection>;
  readonly #watermark: Watermark;
  #inFlight: { readonly root: RootState; readonly place: number; bundle: Bundle | undefined } | undefined;
  /** The root that is asked first: they take turns. */
  #turn = 0;

  constructor(
    readonly id: string,
    roots: readonly RootState[],
    outputs: readonly Collection[],
    watermark: Watermark,
  ) {
    this.#roots = roots;
    this.#outputs = new Map(outputs.map((output) => [output.id, output]));
    this.#watermark = watermark;
  }

  get isInFlight(): boolean {
    return this.#inFlight !== undefined;
  }

  /** What comes out of the stage is not earlier. */
  get watermarkMs(): number {
    return this.#watermark.ms;
  }

  get isIdle(): boolean {
    return this.#inFlight === undefined && this.#roots.every((root) => root.isIdle);
  }

  /** Begun restrictions that are not done, by root. */
  get rests(): (readonly [string, number])[] {
    return this.#roots.flatMap((root) =>
      root instanceof SplittableRoot ? [[root.id, root.begunCount] as const] : [],
    );
  }

  get nextWakeUpMs(): number | undefined {
    return earliest(this.#roots);
  }

  /** By the id of the root. */
  loads(): Map<string, RootLoad> {
    return new Map(this.#roots.map((root) => [root.id, root.load]));
  }

  /** Work of one root, if the stage has no bundle in flight: restrictions, or anything else. */
  next(isRestrictions: boolean, max: number): StageWork | undefined {
    if (this.#inFlight !== undefined) return undefined;
    for (let offset = 0; offset < this.#roots.length; offset++) {
      const place = (this.#turn + offset) % this.#roots.length;
      const root = this.#roots[place]!;
      if ((root.kind === "splittable") !== isRestrictions) continue;
      const inputs = root.next(max);
      if (inputs === undefined) continue;
      this.#turn = place + 1;
      this.#inFlight = { root, place, bundle: undefined };
      return { inputs, inputWatermarkMs: root.input.watermark.ms };
    }
    return undefined;
  }

  /** The bundle made of the work last given. */
  started(bundle: Bundle): void {
    this.#inFlight!.bundle = bundle;
  }

  /** @throws when the bundle is not the one in flight, or its result does not fit the stage: a bug of the host */
  apply(bundle: Bundle, result: BundleResult): void {
    if (this.#inFlight === undefined || this.#inFlight.bundle !== bundle) {
      throw new Error(`bundle ${bundle.id} of stage ${this.id} is not in flight`);
    }
    const { root } = this.#inFlight;
    this.#check(result);
    for (const update of result.timers) this.#root(update.root).setTimer?.(update);
    for (const residual of result.residuals) this.#root(residual.root).addResidual?.(residual);
    root.complete();
    this.#inFlight = undefined;
    for (const [output, elements] of result.outputs) this.#outputs.get(output)!.emit(elements);
  }

  settle(): void {
    let watermarkMs = Number.POSITIVE_INFINITY;
    for (const root of this.#roots) {
      root.settle(root === this.#inFlight?.root);
      watermarkMs = Math.min(watermarkMs, root.input.watermark.ms, root.holdMs);
    }
    this.#watermark.advanceTo(watermarkMs);
    for (const output of this.#outputs.values()) output.watermark.advanceTo(watermarkMs);
  }

  /** @throws when the root has no residuals */
  resume(root: string): void {
    const state = this.#root(root);
    if (!(state instanceof SplittableRoot))
      throw new Error(`root ${root} of stage ${this.id} is not splittable`);
    state.resume();
  }

  drain(): void {
    for (const root of this.#roots) if (root instanceof SplittableRoot) root.drain();
  }

  /** How many of the roots have keys that the store may have instead of the memory. */
  get keyedRoots(): number {
    return this.#roots.filter(({ kind }) => kind === "keyed").length;
  }

  release(bytesMax: number): void {
    for (const root of this.#roots) root.release?.(bytesMax);
  }

  /** What is in flight is still to be done, and its root's turn still to come. */
  writeState(log: StateLog): void {
    const turn = this.#inFlight?.place ?? this.#turn;
    const out = new StateWriter().time(this.#watermark.ms).count(turn);
    log.putSmall(recordKey(STAGE, this.id), out.finish());
    for (const root of this.#roots) root.writeState(log);
  }

  restoreState(restored: RestoredState): void {
    const input = restored.takeOne(STAGE, this.id);
    if (input !== undefined) {
      this.#watermark.restore(input.time());
      this.#turn = input.count();
    }
    for (const root of this.#roots) root.restoreState(restored);
  }

  #check({ outputs, timers, residuals }: BundleResult): void {
    for (const output of outputs.keys()) {
      if (!this.#outputs.has(output)) throw new Error(`stage ${this.id} has no output ${output}`);
    }
    for (const { root } of timers) {
      if (this.#root(root).kind !== "keyed")
        throw new Error(`root ${root} of stage ${this.id} has no timers`);
    }
    for (const { root } of residuals) {
      if (this.#root(root).kind !== "splittable") {
        throw new Error(`root ${root} of stage ${this.id} has no residuals`);
      }
    }
  }

  #root(id: string): RootState {
    const root = this.#roots.find((candidate) => candidate.id === id);
    if (root === undefined) throw new Error(`stage ${this.id} has no root ${id}`);
    return root;
  }
}

/** The earliest time at which one of them wakes up. */
export function earliest(
  sleepers: Iterable<{ readonly nextWakeUpMs: number | undefined }>,
): number | undefined {
  let minMs: number | undefined;
  for (const { nextWakeUpMs } of sleepers) {
    if (nextWakeUpMs !== undefined && !(minMs !== undefined && minMs <= nextWakeUpMs)) minMs = nextWakeUpMs;
  }
  return minMs;
}
