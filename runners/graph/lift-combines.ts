/** Lifts combines into their groupings: these keep an accumulator of a key and window instead of all its values. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import {
  COMBINE_PER_KEY_URN,
  COMBINE_VALUES_DO_FN,
  REGISTERED_COMBINE_FN_URN,
} from "../../transforms/primitives/combine-per-key.js";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";
import { KV_CODER_URN } from "../../transforms/primitives/graph-coders.js";
import { type FusedStep, type GroupByKeyStep, inputsOf, type ParDoStep, type RunnerStep } from "./step.js";

type AnyStep = FusedStep | RunnerStep;
/** What the ParDo behind the grouping is configured with. */
type Combining = { readonly fn: string; readonly config: JsonValue };

export interface Lifted {
  readonly steps: readonly AnyStep[];
  /** With the coders of what the groupings now make. */
  readonly components: runnerApi.Components;
}

/**
 * As Beam's runners do it, but with the grouping itself as the place where accumulators are made and merged: late
 * elements, merges of windows and accumulating panes then cost no more for all that has come before. Only a combine of
 * our own, whose groups nobody else reads; every other one keeps its values.
 */
export function liftCombines(steps: readonly AnyStep[], components: runnerApi.Components): Lifted {
  const coders = { ...components.coders };
  const pcollections = { ...components.pcollections };
  const replaced = new Map<string, AnyStep>();
  const byPath = new Map(steps.map((step) => [step.path, step]));
  for (const composite of Object.values(components.transforms)) {
    const parts = partsOf(composite, components, byPath, steps);
    if (parts === undefined) continue;
    const { grouping, combining, combineFn, accumulatorCoderId } = parts;
    const { fn, config } = (combining.doFn as { readonly config: JsonValue }).config as Combining;
    const output = pcollections[grouping.output]!;
    const keyCoderId = coders[output.coderId]!.componentCoderIds[0]!;
    const coderId = `combined:${keyCoderId}:${accumulatorCoderId}`;
    coders[coderId] = runnerApi.Coder.create({
      spec: { urn: KV_CODER_URN },
      componentCoderIds: [keyCoderId, accumulatorCoderId],
    });
    pcollections[grouping.output] = { ...output, coderId };
    const combine = { fn, config, accumulatorCoderId, step: combining.path };
    replaced.set(grouping.path, { ...grouping, combine });
    const { path, transform, input, outputs, doFn } = combining;
    const part = { kind: "combine", work: "extract", combineFn } as const;
    replaced.set(path, { kind: "part", path, transform, part, input, outputs, doFn });
  }
  return {
    steps: steps.map((step) => replaced.get(step.path) ?? step),
    components: { ...components, coders, pcollections },
  };
}

/** Undefined where the transform is no combine that can be lifted. */
function partsOf(
  { spec, subtransforms }: runnerApi.PTransform,
  { transforms, coders, pcollections }: runnerApi.Components,
  byPath: ReadonlyMap<string, AnyStep>,
  steps: readonly AnyStep[],
) {
  if (spec?.urn !== COMBINE_PER_KEY_URN || subtransforms.length !== 2) return undefined;
  const { combineFn, accumulatorCoderId } = runnerApi.CombinePayload.fromBinary(spec.payload);
  if (combineFn?.urn !== REGISTERED_COMBINE_FN_URN || coders[accumulatorCoderId] === undefined)
    return undefined;
  const [grouping, combining] = subtransforms.map((id) => byPath.get(transforms[id]?.uniqueName ?? ""));
  if (!isGrouping(grouping) || !isCombining(combining) || combining.input !== grouping.output)
    return undefined;
  if (coders[pcollections[grouping.output]?.coderId ?? ""]?.spec?.urn !== KV_CODER_URN) return undefined;
  const readers = steps.filter((step) => inputsOf(step).includes(grouping.output));
  return readers.length === 1 ? { grouping, combining, combineFn, accumulatorCoderId } : undefined;
}

function isGrouping(step: AnyStep | undefined): step is GroupByKeyStep {
  return step?.kind === "groupByKey";
}

function isCombining(step: AnyStep | undefined): step is ParDoStep {
  return step?.kind === "parDo" && step.doFn.kind === "registered" && step.doFn.fn === COMBINE_VALUES_DO_FN;
}
