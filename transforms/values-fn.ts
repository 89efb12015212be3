/** The DoFn that takes the keys away: of `{ key, value }`, the value. */
import type { DoFn, ProcessContext } from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import type { KV } from "./primitives/window.js";

class ValuesFn implements DoFn<KV<unknown, unknown>> {
  process({ value }: KV<unknown, unknown>, context: ProcessContext): void {
    context.output(value);
  }
}

export const VALUES_FN = registerDoFn("values@1", (_config: null) => new ValuesFn());
