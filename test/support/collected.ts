/** A DoFn that collects what it is given, by the name in its configuration, for a test to look at. */
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import type { PaneInfo, Window } from "../../transforms/primitives/window.js";

export interface Collected {
  readonly value: unknown;
  readonly timestampMs: number;
  readonly window: Window;
  readonly pane: PaneInfo;
}

const collections = new Map<string, Collected[]>();

/** What was collected under the name since it was last taken, in order. */
export function takeCollected(name: string): Collected[] {
  const collected = collections.get(name) ?? [];
  collections.delete(name);
  return collected;
}

/** The values alone. */
export function takeValues(name: string): unknown[] {
  return takeCollected(name).map(({ value }) => value);
}

class CollectFn implements DoFn {
  readonly observesWindows = true;
  constructor(readonly name: string) {}

  process(value: unknown, { timestampMs, window, pane }: ProcessContext): void {
    const collected = collections.get(this.name);
    const one = { value, timestampMs, window, pane };
    if (collected === undefined) collections.set(this.name, [one]);
    else collected.push(one);
  }
}

/** Its configuration is the name. */
export const COLLECT = registerDoFn("collect@test", (name: string) => new CollectFn(name));
