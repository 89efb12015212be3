/** What a timer without an output timestamp is given, and what it may not do: emit. */
import type { Timer, TimerSpec } from "../../transforms/primitives/timer-spec.js";
import { MAX_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import type { Window } from "../engine/element.js";
import type { KeyScope } from "./key-scope.js";
import { isPromise } from "./maybe-promise.js";
import { type ContextStep, StepContext } from "./step-context.js";

/** Given to `onTimer` for such a timer. */
export class SilentContext extends StepContext {
  constructor(
    step: ContextStep,
    private readonly family: string,
    key: KeyScope,
    window: Window,
  ) {
    super(step);
    this.timestampMs = MAX_TIMESTAMP_MS;
    this.keyScope = key;
    this.windows = [window];
  }

  override output(): never {
    return refuse(this.family);
  }

  override outputTo(): never {
    return refuse(this.family);
  }

  override outputWindowed(): never {
    return refuse(this.family);
  }

  override timer(spec: TimerSpec, tag = ""): Timer {
    return this.step.timer(spec, tag, this.keyed("timer"), undefined);
  }
}

/** What such an `onTimer` gave, which is run to its end and must be empty. */
export function silent(result: unknown, family: string): unknown {
  if (result === undefined || result === null) return undefined;
  if (isPromise(result)) return result.then((outputs: unknown) => silent(outputs, family));
  const outputs = result as Partial<Iterable<unknown> & AsyncIterable<unknown>>;
  if (typeof outputs[Symbol.iterator] === "function") {
    for (const _ of outputs as Iterable<unknown>) refuse(family);
    return undefined;
  }
  if (typeof outputs[Symbol.asyncIterator] === "function") {
    return runToEnd(outputs as AsyncIterable<unknown>, family);
  }
  return result; // refused as any other result of this kind is
}

async function runToEnd(outputs: AsyncIterable<unknown>, family: string): Promise<void> {
  for await (const _ of outputs) refuse(family);
}

function refuse(family: string): never {
  throw new Error(
    `timer "${family}" must not emit: it was set without an output timestamp, so that nothing waited for it`,
  );
}
