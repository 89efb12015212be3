/** A GroupByKey in the graph: tells its operator of elements and time, and hands on the panes. */
import type { Collection, Consumer } from "./collection.js";
import { type Counters, DROPPED_DUE_TO_CLOSED_WINDOW, DROPPED_DUE_TO_LATENESS } from "./counters.js";
import type { RestoredState } from "./durable/restored-state.js";
import { StateWriter } from "./durable/state-bytes.js";
import type { StateLog } from "./durable/state-log.js";
import { recordKey } from "./durable/state-record.js";
import { type Element, MAX_WATERMARK_MS } from "./element.js";
import type { GroupByKeyOperator, Times } from "./group-by-key-operator.js";
import type { NodeState } from "./node-state.js";
import type { ProcessingTime } from "./processing-time.js";

export interface GroupByKeyParts {
  readonly operator: GroupByKeyOperator;
  readonly input: Collection;
  readonly output: Collection;
  readonly time: ProcessingTime;
  readonly counters: Counters;
}

const GROUPING = "grouping";

export class GroupByKeyState implements NodeState, Consumer {
  readonly #operator: GroupByKeyOperator;
  readonly #input: Collection;
  readonly #output: Collection;
  readonly #time: ProcessingTime;
  readonly #counters: Counters;
  /** Of the last look: elements that come later are late by it. */
  #inputWatermarkMs: number;

  constructor(
    readonly id: string,
    { operator, input, output, time, counters }: GroupByKeyParts,
  ) {
    this.#operator = operator;
    this.#input = input;
    this.#output = output;
    this.#time = time;
    this.#counters = counters;
    this.#inputWatermarkMs = input.watermark.ms;
    input.addConsumer(this);
  }

  get isIdle(): boolean {
    return this.#operator.holdMs >= MAX_WATERMARK_MS;
  }

  get nextWakeUpMs(): number | undefined {
    return this.#operator.nextProcessingTimeMs;
  }

  /** Keys whose values wait, once for each window. */
  get keyCount(): number {
    return this.#operator.keyCount;
  }

  receive(elements: readonly Element[]): void {
    this.#operator.add(elements, this.#times());
  }

  settle(): void {
    this.#inputWatermarkMs = this.#input.watermark.ms;
    this.#operator.advance(this.#times());
    this.#output.emit(this.#operator.takeOutput());
    this.#counters.set(this.id, DROPPED_DUE_TO_LATENESS, this.#operator.droppedDueToLateness);
    const closed = this.#operator.droppedDueToClosedWindow ?? 0;
    this.#counters.set(this.id, DROPPED_DUE_TO_CLOSED_WINDOW, closed);
    // The operator does not know how far the output is: a pane of late elements does not hold it back.
    const heldMs = Math.min(this.#inputWatermarkMs, this.#operator.holdMs);
    this.#output.watermark.advanceTo(Math.max(this.#output.watermark.ms, heldMs));
  }

  writeState(log: StateLog): void {
    log.putSmall(recordKey(GROUPING, this.id), new StateWriter().time(this.#inputWatermarkMs).finish());
    this.#operator.writeState?.(log);
  }

  restoreState(restored: RestoredState): void {
    this.#inputWatermarkMs = restored.takeOne(GROUPING, this.id)?.time() ?? this.#inputWatermarkMs;
    this.#operator.restoreState?.(restored);
  }

  #times(): Times {
    return { inputWatermarkMs: this.#inputWatermarkMs, processingTimeMs: this.#time.ms };
  }
}
