/** combineGlobally: one value of all elements of a window, made by a registered CombineFn. */
import { impulse, P, type PCollection, type Pipeline, Root, runnerApi, withName } from "./primitives/beam.js";
import { StringUtf8Coder } from "./primitives/coders/scalar-coders.js";
import {
  type CombineCoders,
  combinePerKey,
  createCombineFn,
  registerCombineFn,
} from "./primitives/combine-per-key.js";
import { composite } from "./primitives/composite.js";
import type { DoFn, ProcessContext } from "./primitives/do-fn.js";
import { flattenAll } from "./primitives/flatten-all.js";
import { type JsonValue, registerDoFn } from "./primitives/fn-registry.js";
import {
  coderIdOf,
  coderIdOfCollection,
  coderIdOrGeneral,
  ITERABLE_CODER_URN,
  kvCoderId,
} from "./primitives/graph-coders.js";
import { isBounded, registeredParDo, type StepOf } from "./primitives/par-do.js";
import { windowingStrategyIdOf } from "./primitives/par-do-payload.js";
import type { KV } from "./primitives/window.js";
import { GLOBAL_WINDOWS_URN } from "./primitives/window-fns.js";
import { VALUES_FN } from "./values-fn.js";

export const COMBINE_GLOBALLY_URN = "millrace:transform:combine_globally:v1";

export interface GloballyOptions {
  /**
   * Gives nothing for a window without elements. By default an input without any gives what the CombineFn makes
   * of nothing, for which the input must be in the global window with the default trigger.
   */
  readonly withoutDefaults?: boolean;
}

export interface CombineGloballyOptions extends GloballyOptions {
  readonly coders?: CombineCoders;
}

/** No element, or one: under the key that all have. */
type Some<In> = KV<string, readonly In[]>;

/**
 * Combines all elements of each window and pane with the CombineFn registered as `fn`: Beam's `Combine.globally`.
 * One element for each window and pane; also one where there was no element at all, unless `withoutDefaults` is
 * given. That one comes of an Impulse beside the input, so it needs no side input. Bounded if its input is.
 *
 * @throws when defaults are asked for with other windows, triggers or event times of groups than the default ones:
 * nobody knows of a window without elements
 */
export function combineGlobally<In, Out>(
  fn: string,
  config: JsonValue,
  { withoutDefaults = false, coders = {} }: CombineGloballyOptions = {},
): StepOf<PCollection<In>, PCollection<Out>> {
  return composite(COMBINE_GLOBALLY_URN, { fn, config, withoutDefaults }, (input) => {
    const { pipeline } = input;
    if (!withoutDefaults) mustHaveDefaultWindowing(fn, pipeline, input);
    const someCoderId = coderIdOf(pipeline, ITERABLE_CODER_URN, coderIdOfCollection(pipeline, input));
    const keyed = { main: kvCoderId(pipeline, pipeline.getCoderId(new StringUtf8Coder()), someCoderId) };
    const outputCoder = coders.output ?? coderIdOrGeneral(pipeline, undefined);
    const some = P(input).apply(
      withName("Key", registeredParDo<In, Some<In>>(SOME_FN, null, { coders: keyed })),
    );
    const inputs = withoutDefaults ? some : withNothing(some, keyed);
    const combined = P(inputs).apply(
      withName("Combine", combinePerKey<string, readonly In[], Out>(COMBINE_SOME, { fn, config }, coders)),
    );
    const values = registeredParDo<KV<string, Out>, Out>(VALUES_FN, null, { coders: { main: outputCoder } });
    return P(combined).apply(withName("Values", values));
  });
}

/** The input with an element that adds nothing, so that there is a group in any case. */
function withNothing<In>(
  some: PCollection<Some<In>>,
  coders: Readonly<Record<string, string>>,
): PCollection<Some<In>> {
  const { pipeline } = some;
  const bounded = isBounded(pipeline, some);
  const nothing = P(new Root(pipeline).apply(withName("Impulse", impulse()))).apply(
    withName("Nothing", registeredParDo<Uint8Array, Some<In>>(NOTHING_FN, null, { coders, bounded })),
  );
  return P([some, nothing]).apply(withName("WithNothing", flattenAll<Some<In>>()));
}

function mustHaveDefaultWindowing(fn: string, pipeline: Pipeline, input: PCollection<unknown>): void {
  const { windowingStrategies } = pipeline.getProto().components!;
  const { windowFn, trigger, outputTime } = windowingStrategies[windowingStrategyIdOf(pipeline, input)]!;
  const found: string[] = [];
  if (windowFn?.urn !== GLOBAL_WINDOWS_URN) found.push(`the windows ${windowFn?.urn}`);
  const kind = trigger?.trigger.oneofKind ?? "default";
  if (kind !== "default") found.push(`the trigger "${kind}"`);
  const { END_OF_WINDOW, UNSPECIFIED } = runnerApi.OutputTime_Enum;
  if (outputTime !== END_OF_WINDOW && outputTime !== UNSPECIFIED) found.push("another timestampCombiner");
  if (found.length === 0) return;
  throw new Error(
    `combining globally with "${fn}" has a default for no elements only in the global window with the default ` +
      `trigger and timestampCombiner, got ${found.join(" and ")}: give withoutDefaults: true`,
  );
}

class SomeFn implements DoFn {
  process(element: unknown, context: ProcessContext): void {
    context.output({ key: "", value: [element] });
  }
}

class NothingFn implements DoFn {
  process(_impulse: unknown, context: ProcessContext): void {
    context.output({ key: "", value: [] });
  }
}

const SOME_FN = registerDoFn("combine-globally/some@1", (_config: null) => new SomeFn());
const NOTHING_FN = registerDoFn("combine-globally/nothing@1", (_config: null) => new NothingFn());

/** The CombineFn of the configuration, over inputs of no element or some. */
const COMBINE_SOME = registerCombineFn(
  "combine-globally/combine-some@1",
  ({ fn, config }: { readonly fn: string; readonly config: JsonValue }) => {
    const combineFn = createCombineFn(fn, config);
    return {
      createAccumulator: () => combineFn.createAccumulator(),
      addInput: (accumulator: unknown, inputs: Iterable<unknown>) => {
        let sum = accumulator;
        for (const input of inputs) sum = combineFn.addInput(sum, input);
        return sum;
      },
      mergeAccumulators: (accumulators: Iterable<unknown>) => combineFn.mergeAccumulators(accumulators),
      extractOutput: (accumulator: unknown) => combineFn.extractOutput(accumulator),
    };
  },
);
