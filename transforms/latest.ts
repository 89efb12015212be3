/** latest: the element, or a key's value, of the latest event time. */
import type { GloballyOptions } from "./combine-globally.js";
import { oneGlobally, onePerKey, type ToOne } from "./combine-to-one.js";
import { encodedOrder } from "./encoded-order.js";
import { P, type PCollection, type Pipeline, withName } from "./primitives/beam.js";
import { registerCombineFn } from "./primitives/combine-per-key.js";
import { composite } from "./primitives/composite.js";
import type { DoFn, ProcessContext } from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import {
  type CoderJson,
  coderIdOf,
  coderIdOfCollection,
  coderToJson,
  ITERABLE_CODER_URN,
  kvCoderId,
  kvCoderParts,
} from "./primitives/graph-coders.js";
import { registeredParDo, type StepOf, withKeyCoderIfNone } from "./primitives/par-do.js";
import type { CombineFn } from "./primitives/state-spec.js";
import type { KV } from "./primitives/window.js";
import { type Timestamped, TimestampedCoder } from "./timestamped-coder.js";

export const LATEST_GLOBALLY_URN = "millrace:transform:latest_globally:v1";
export const LATEST_PER_KEY_URN = "millrace:transform:latest_per_key:v1";

/**
 * Beam's `Latest`, per window and pane. Of equal event times the value with the greatest encoding (bytes compared
 * from the first on) is the latest, so that the result does not depend on the order in which elements come; Beam
 * leaves that open. Keeps one value and its event time a key while it combines. Outputs have the event times of
 * groups, and coder and boundedness of the input.
 */
export const latest = {
  /**
   * The latest element. Null for none, in the global window, as in Beam; nothing with `withoutDefaults`.
   * @throws as `combineGlobally`
   */
  globally<T>(options: GloballyOptions = {}): StepOf<PCollection<T>, PCollection<T | null>> {
    const { withoutDefaults = false } = options;
    return composite(LATEST_GLOBALLY_URN, { withoutDefaults }, (input) => {
      const toLatest = toLatestOf(input.pipeline, coderIdOfCollection(input.pipeline, input));
      const coders = { main: toLatest.timestamped };
      const reify = registeredParDo<T, Timestamped<T>>(REIFY_FN, null, { coders });
      const reified = P(input).apply(withName("ReifyTimestamps", reify));
      return oneGlobally<Timestamped<T>, T>(reified, toLatest, withoutDefaults);
    });
  },

  /** The latest value of each key; nothing for an empty pane. */
  perKey<K, V>(): StepOf<PCollection<KV<K, V>>, PCollection<KV<K, V>>> {
    return composite(LATEST_PER_KEY_URN, null, (input) => {
      const { pipeline } = input;
      const keyed = withKeyCoderIfNone(input);
      const { keyCoderId, valueCoderId } = kvCoderParts(pipeline, keyed)!;
      const toLatest = toLatestOf(pipeline, valueCoderId);
      const coders = { main: kvCoderId(pipeline, keyCoderId, toLatest.timestamped) };
      const reify = registeredParDo<KV<K, V>, KV<K, Timestamped<V>>>(REIFY_VALUES_FN, null, { coders });
      const reified = P(keyed).apply(withName("ReifyTimestamps", reify));
      return onePerKey<K, Timestamped<V>, V>(reified, toLatest);
    });
  },
};

/** The combine of values under a coder, and the id of the coder of its inputs. */
function toLatestOf(pipeline: Pipeline, valueCoderId: string): ToOne & { readonly timestamped: string } {
  const timestamped = coderIdOf(pipeline, TimestampedCoder.URN, valueCoderId);
  return {
    fn: LATEST_FN,
    config: { coder: coderToJson(pipeline.getProto().components!.coders, valueCoderId) },
    timestamped,
    accumulator: coderIdOf(pipeline, ITERABLE_CODER_URN, timestamped),
    output: valueCoderId,
  };
}

class ReifyFn implements DoFn {
  process(value: unknown, context: ProcessContext): void {
    context.output({ timestampMs: context.timestampMs, value });
  }
}

class ReifyValuesFn implements DoFn<KV<unknown, unknown>> {
  process({ key, value }: KV<unknown, unknown>, context: ProcessContext): void {
    context.output({ key, value: { timestampMs: context.timestampMs, value } });
  }
}

const REIFY_FN = registerDoFn("latest/reify-timestamps@1", (_config: null) => new ReifyFn());
const REIFY_VALUES_FN = registerDoFn("latest/reify-values@1", (_config: null) => new ReifyValuesFn());

/** None, or the latest so far. */
type LatestAccumulator = readonly Timestamped<unknown>[];

function latestFn({
  coder,
}: {
  readonly coder: CoderJson;
}): CombineFn<Timestamped<unknown>, LatestAccumulator, readonly unknown[]> {
  const compare = encodedOrder(coder);
  const isLater = (one: Timestamped<unknown>, other: Timestamped<unknown>) =>
    one.timestampMs === other.timestampMs
      ? compare(one.value, other.value) > 0
      : one.timestampMs > other.timestampMs;
  const addInput = (accumulator: LatestAccumulator, input: Timestamped<unknown>): LatestAccumulator => {
    const [known] = accumulator;
    return known === undefined || isLater(input, known) ? [input] : accumulator;
  };
  return {
    createAccumulator: () => [],
    addInput,
    mergeAccumulators: (accumulators) => {
      let merged: LatestAccumulator = [];
      for (const [one] of accumulators) if (one !== undefined) merged = addInput(merged, one);
      return merged;
    },
    extractOutput: (latest) => latest.map(({ value }) => value),
  };
}

const LATEST_FN = registerCombineFn("latest@1", latestFn);
