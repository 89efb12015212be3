/** A root whose elements go to the stage as they come. */
import type { BundleInput } from "./bundle.js";
import type { RestoredState } from "./durable/restored-state.js";
import type { StateLog } from "./durable/state-log.js";
import { MAX_WATERMARK_MS } from "./element.js";
import type { RootInput } from "./root-input.js";
import type { RootLoad, RootState } from "./root-state.js";

export class ElementsRoot implements RootState {
  readonly kind = "elements";
  readonly holdMs = MAX_WATERMARK_MS;
  readonly nextWakeUpMs = undefined;

  constructor(
    readonly id: string,
    readonly input: RootInput,
  ) {}

  get isIdle(): boolean {
    return this.input.isIdle;
  }

  get load(): RootLoad {
    return { waiting: this.input.waiting };
  }

  next(max: number): readonly BundleInput[] | undefined {
    if (!this.input.isReady) return undefined;
    return this.input.take(max).map((elements) => ({ kind: "elements", root: this.id, elements }));
  }

  complete(): void {
    this.input.complete();
  }

  settle(): void {
    this.input.settle();
  }

  writeState(log: StateLog): void {
    this.input.writeState(log);
  }

  restoreState(restored: RestoredState): void {
    this.input.restoreState(restored);
  }
}
