/** What the engine asks of a GroupByKey: one object a node, told of elements and of time. */
import type { Durable } from "./durable/durable-parts.js";
import type { Element } from "./element.js";

/** How far time is for a node. Watermarks do not go back. */
export interface Times {
  /** With `add`: as it was while the elements were still to come, so that they themselves hold it. */
  readonly inputWatermarkMs: number;
  readonly processingTimeMs: number;
}

/** It has records only where its maker was told how. */
export interface GroupByKeyOperator extends Partial<Durable> {
  /** Buffers elements (`value` is `{ key, value }`) and fires what their arrival makes ready. Late ones are dropped and counted. */
  add(elements: readonly Element[], times: Times): void;
  /** Fires whatever time has made ready since: event-time triggers, processing-time triggers, expirations, in order. */
  advance(times: Times): void;
  /** The panes fired since the last call, in order: `{ key, value: Iterable }`, one window each. */
  takeOutput(): Element[];
  /** The output watermark may not pass this: the event time of the earliest pane still to come. Maximum if there is none; what was fired and not taken yet does not count. */
  readonly holdMs: number;
  /** When processing time next makes something ready. */
  readonly nextProcessingTimeMs: number | undefined;
  /** Keys that are held, once for each window: counted when asked. */
  readonly keyCount: number;
  /** Elements dropped because their window had expired, since the start: once for each window. */
  readonly droppedDueToLateness: number;
  /** Elements dropped because the trigger of their key and window had finished, since the start. */
  readonly droppedDueToClosedWindow?: number;
}
