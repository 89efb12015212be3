/** A pipeline that keeps sums in state and values in groups. */
import type { InputRecord } from "../../transforms/input-record.js";
import { impulse, P, Pipeline, Root, withName } from "../../transforms/primitives/beam.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../transforms/primitives/splittable-par-do.js";
import { combiningState } from "../../transforms/primitives/state-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { ARRAY_SOURCE } from "./array-source.js";
import { COLLECT } from "./collected.js";

const KEYED = registerDoFn("keyed@sums-graph", () => ({
  process: ({ fields }: InputRecord, context: ProcessContext) => {
    const { id, n } = fields as Record<string, string>;
    context.output({ key: id, value: Number(n) });
  },
}));

/** Emits the sum so far with each value. */
class SumsFn implements DoFn<KV<string, number>> {
  readonly sum = combiningState<number, number, number>({
    createAccumulator: () => 0,
    addInput: (a, b) => a + b,
    mergeAccumulators: (sums) => [...sums].reduce((a, b) => a + b, 0),
    extractOutput: (sum) => sum,
  });

  process({ key, value }: KV<string, number>, context: ProcessContext): void {
    context.state(this.sum).add(value);
    context.output(`${key} ${context.state(this.sum).read()}`);
  }
}
const SUMS = registerDoFn("sums@sums-graph", () => new SumsFn());
const TEXT = registerDoFn("text@sums-graph", () => ({
  process: ({ key, value }: KV<string, Iterable<number>>, context: ProcessContext) =>
    context.output(`${key} all ${[...value].sort().join(",")}`),
}));

/** Sums by state, and all values of a key when the source has come to its end; collected under a name. */
export function sumsGraph(name: string, values: readonly { id: string; n: string }[]): Pipeline {
  const pipeline = new Pipeline();
  const config = { values, ends: false, atOnce: 2 };
  const once = new Root(pipeline).apply(withName("Impulse", impulse()));
  const records = P(once).apply(
    withName("Read", splittableParDo<Uint8Array, InputRecord>(ARRAY_SOURCE, config, { bounded: false })),
  );
  const keyed = P(records).apply(
    withName("Key", registeredParDo<InputRecord, KV<string, number>>(KEYED, null)),
  );
  const sums = P(keyed).apply(withName("Sum", registeredParDo(SUMS, null)));
  P(sums).apply(withName("Collect sums", registeredParDo(COLLECT, name)));
  const groups = P(keyed).apply(withName("Group", groupByKey<string, number>()));
  const texts = P(groups).apply(withName("Text", registeredParDo(TEXT, null)));
  P(texts).apply(withName("Collect groups", registeredParDo(COLLECT, name)));
  return pipeline;
}
