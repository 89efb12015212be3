/** combinePerKey: one value a key and pane, made by a registered CombineFn. */
import { type Coder, P, type PCollection, type Pipeline, runnerApi, withName } from "./beam.js";
import type { ProcessContext } from "./do-fn.js";
import { type JsonValue, registerDoFn } from "./fn-registry.js";
import { coderIdOrGeneral, kvCoderId, kvCoderParts } from "./graph-coders.js";
import { groupByKey } from "./group-by-key.js";
import { mustBeJson } from "./json-config.js";
import { createOutput, isBounded, mustBeNamed, parDoSpec, type StepOf, withKeyCoder } from "./par-do.js";
import { windowingStrategyIdOf } from "./par-do-payload.js";
import type { CombineFn } from "./state-spec.js";
import type { KV } from "./window.js";
import { jsonPayload } from "./window-fn.js";

export const COMBINE_PER_KEY_URN = "beam:transform:combine_per_key:v1";
/** A CombineFn registered by `registerCombineFn`, in JSON. */
export const REGISTERED_COMBINE_FN_URN = "millrace:combine_fn:registered:v1";

// biome-ignore lint/suspicious/noExplicitAny: a factory makes functions of its own types
type CombineFnFactory<Config> = (config: Config) => CombineFn<any, any, any>;

const factories = new Map<string, CombineFnFactory<never>>();

/** Registers a CombineFn under a versioned name. Returns the name. @throws when the name is taken. */
export function registerCombineFn<Config>(name: string, factory: CombineFnFactory<Config>): string {
  const known = factories.get(name);
  if (known !== undefined && known !== factory) {
    throw new Error(`CombineFn name "${name}" is already registered`);
  }
  factories.set(name, factory as CombineFnFactory<never>);
  return name;
}

/** Builds the CombineFn. @throws when no such name is registered in this process. */
export function createCombineFn(name: string, config: JsonValue): CombineFn<unknown, unknown, unknown> {
  const factory = factories.get(name);
  if (factory === undefined) {
    const names = [...factories.keys()].sort().join(", ");
    throw new Error(`no CombineFn is registered as "${name}" (registered: ${names || "none"})`);
  }
  return factory(config as never);
}

/** Coders, or their ids in the graph; by default the SDK's general one. */
export interface CombineCoders {
  /** Of the CombineFn's accumulators, which travel where a runner combines before it groups. */
  readonly accumulator?: Coder<unknown> | string;
  /** Of the values that come out. */
  readonly output?: Coder<unknown> | string;
}

/**
 * Combines the values of each key, per window and pane, with the CombineFn registered as `fn`: a composite
 * under Beam's URN of a GroupByKey and a ParDo. An input without a KV coder gets one first, and the composite
 * is then `<name>/CombinePerKey`.
 */
export function combinePerKey<K, In, Out>(
  fn: string,
  config: JsonValue,
  coders: CombineCoders = {},
): StepOf<PCollection<KV<K, In>>, PCollection<KV<K, Out>>> {
  type Combined = PCollection<KV<K, Out>>;
  const expand: StepOf<PCollection<KV<K, In>>, Combined> = (input, pipeline, proto) => {
    if (kvCoderParts(pipeline, input) === undefined) {
      proto.environmentId = "";
      const keyed = P(input as PCollection<unknown>).apply(withName("WithKeyCoder", withKeyCoder()));
      const combine = combinePerKey<K, In, Out>(fn, config, coders);
      return P(keyed as PCollection<KV<K, In>>).apply(withName("CombinePerKey", combine));
    }
    mustBeJson(fn, config);
    // The environment stays: a runner that lifts the combine runs its parts there, and takes it from the composite.
    const payload = runnerApi.CombinePayload.create({
      combineFn: { urn: REGISTERED_COMBINE_FN_URN, payload: jsonPayload({ fn, config }) },
      accumulatorCoderId: idOf(pipeline, coders.accumulator),
    });
    proto.spec = { urn: COMBINE_PER_KEY_URN, payload: runnerApi.CombinePayload.toBinary(payload) };
    const grouped = P(input).apply(withName("GroupByKey", groupByKey<K, In>()));
    return P(grouped).apply(withName("CombineValues", combineValues<K, In, Out>(fn, config, coders)));
  };
  return mustBeNamed(`the step that combines with "${fn}"`, expand);
}

function combineValues<K, In, Out>(
  fn: string,
  config: JsonValue,
  coders: CombineCoders,
): StepOf<PCollection<KV<K, Iterable<In>>>, PCollection<KV<K, Out>>> {
  return (input, pipeline, proto) => {
    proto.spec = parDoSpec({ fn: COMBINE_VALUES_DO_FN, config: { fn, config } }, {});
    const { keyCoderId } = kvCoderParts(pipeline, input)!;
    const coderId = kvCoderId(pipeline, keyCoderId, idOf(pipeline, coders.output));
    const strategyId = windowingStrategyIdOf(pipeline, input);
    return createOutput(pipeline, isBounded(pipeline, input), coderId, strategyId) as PCollection<KV<K, Out>>;
  };
}

function idOf(pipeline: Pipeline, coder: Coder<unknown> | string | undefined): string {
  return typeof coder === "string" ? coder : coderIdOrGeneral(pipeline, coder);
}

/** What the ParDo behind the grouping runs, with the CombineFn as its configuration. */
export const COMBINE_VALUES_DO_FN = registerDoFn(
  "millrace/combine-values@1",
  ({ fn, config }: { readonly fn: string; readonly config: JsonValue }) => {
    const combineFn = createCombineFn(fn, config);
    return {
      process({ key, value: values }: KV<unknown, Iterable<unknown>>, context: ProcessContext) {
        let accumulator = combineFn.createAccumulator();
        for (const value of values) accumulator = combineFn.addInput(accumulator, value);
        context.output({ key, value: combineFn.extractOutput(accumulator) });
      },
    };
  },
);
