/** A DoFn whose timers do what its input tells it, and runs of it: the script of a timer scenario is its data. */
import type { PCollection, Root } from "../../../transforms/primitives/beam.js";
import type { DoFn, ElementContext, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";
import {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
} from "../../../transforms/primitives/timer-spec.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { parDo } from "./local-do-fn.js";
import { collect, type ModelRun, runModel } from "./run-model.js";
import { at, kv } from "./sources.js";

/** What an element asks for. Without a family it is only passed on. */
export interface TimerOrder {
  readonly say: string;
  readonly family?: "event" | "processing" | "otherEvent";
  readonly tag?: string;
  /** Set it to this time. */
  readonly at?: number;
  /** Set it to this time after the element, or after now. */
  readonly after?: number;
  /** `none`: then it emits nothing. */
  readonly outputAt?: number | "none";
  readonly isCleared?: boolean;
}

/** Emits by key what an element says, and of a timer that fires its family and tag. Orders are done in their order. */
export class TimerScriptFn implements DoFn<KV<string, readonly TimerOrder[]>> {
  readonly event = eventTimeTimer();
  readonly otherEvent = eventTimeTimer();
  readonly processing = processingTimeTimer();

  process({ key, value: orders }: KV<string, readonly TimerOrder[]>, context: ProcessContext): void {
    for (const order of orders) {
      if (order.say !== "") context.output({ key, value: order.say });
      if (order.family !== undefined) this.#follow(order, context);
    }
  }

  onTimer({ family, tag }: FiredTimer, context: ElementContext): void {
    if (tag === SILENT) return;
    context.output({ key: context.key, value: tag === "" ? family : `${family} ${tag}` });
  }

  #follow({ family, tag, at, after, outputAt, isCleared }: TimerOrder, context: ProcessContext): void {
    const timer = context.timer(this[family!], tag);
    const options = outputAt === undefined ? undefined : { outputTimestampMs: outputAt };
    if (isCleared) timer.clear();
    else if (at !== undefined) timer.set(at, options);
    else timer.setRelative(after ?? 0, options);
  }
}

/** Tag of timers that have nothing to say when they fire. */
export const SILENT = "silent";

type Setting = Omit<TimerOrder, "say" | "family">;

/** An element that is only passed on. */
export function say(text: string): TimerOrder {
  return { say: text };
}

export function setEvent(at: number, more: Setting = {}): TimerOrder {
  return { say: "", family: "event", at, ...more };
}

export function setOtherEvent(at: number, more: Setting = {}): TimerOrder {
  return { say: "", family: "otherEvent", at, ...more };
}

/** Processing time of a script starts wherever it starts, so settings are relative. */
export function setProcessing(after: number, more: Setting = {}): TimerOrder {
  return { say: "", family: "processing", after, ...more };
}

export function clear(family: NonNullable<TimerOrder["family"]>, tag = ""): TimerOrder {
  return { say: "", family, tag, isCleared: true };
}

/** What a script of timers is made of. */
export type Orders = KV<string, readonly TimerOrder[]>;

/** A stream of orders. */
export const script = () => testStream<Orders>();

/** One element of the key "a". */
export const order = (timestampMs: number, ...orders: TimerOrder[]) => at(timestampMs, kv("a", orders));

export const timers = () => parDo<Orders, KV<string, string>>("Timers", () => new TimerScriptFn());

/** Does what the input tells the timers, and collects as "out" what they and the elements say. */
export function runTimers(input: (root: Root) => PCollection<Orders>): Promise<ModelRun> {
  return runModel((root) => input(root).apply(timers()).apply(collect("out")));
}
