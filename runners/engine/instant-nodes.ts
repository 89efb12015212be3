/** Nodes whose work is done as soon as they are looked at: impulse and redistribute. */
import type { Collection, Consumer } from "./collection.js";
import type { RestoredState } from "./durable/restored-state.js";
import { StateWriter } from "./durable/state-bytes.js";
import type { StateChanges, StateLog } from "./durable/state-log.js";
import { recordKey } from "./durable/state-record.js";
import { type Element, MAX_WATERMARK_MS, MIN_WATERMARK_MS, NO_FIRING } from "./element.js";
import type { ImpulseNode } from "./engine-graph.js";
import type { NodeState } from "./node-state.js";

const IMPULSE = "impulse";

/** Emits its element at once, and nothing afterwards. */
export class ImpulseState implements NodeState {
  readonly id: string;
  readonly nextWakeUpMs = undefined;
  readonly #output: Collection;
  #element: Element | undefined;

  readonly #changes: StateChanges | undefined;

  constructor(
    { id, element: { value, window } }: ImpulseNode,
    output: Collection,
    changes?: StateChanges | undefined,
  ) {
    this.id = id;
    this.#output = output;
    this.#changes = changes;
    this.#element = { value, timestampMs: MIN_WATERMARK_MS, windows: [window], pane: NO_FIRING };
  }

  get isIdle(): boolean {
    return this.#element === undefined;
  }

  settle(): void {
    if (this.#element === undefined) return;
    this.#output.emit([this.#element]);
    this.#element = undefined;
    this.#output.watermark.advanceTo(MAX_WATERMARK_MS);
    this.#changes?.note();
  }

  writeState(log: StateLog): void {
    log.putSmall(recordKey(IMPULSE, this.id), new StateWriter().flag(this.isIdle).finish());
  }

  restoreState(restored: RestoredState): void {
    if (restored.takeOne(IMPULSE, this.id)?.flag()) this.#element = undefined;
  }
}

/** Hands on what comes in. */
export class RedistributeState implements NodeState, Consumer {
  readonly nextWakeUpMs = undefined;
  readonly isIdle = true;

  constructor(
    readonly id: string,
    private readonly input: Collection,
    private readonly output: Collection,
  ) {
    input.addConsumer(this);
  }

  receive(elements: readonly Element[]): void {
    this.output.emit(elements);
  }

  settle(): void {
    this.output.watermark.advanceTo(this.input.watermark.ms);
  }
}
