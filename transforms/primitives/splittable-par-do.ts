/** ParDo with a splittable DoFn: the way a source stands in a graph. */
import { P, type PCollection, withName } from "./beam.js";
import { MAIN_OUTPUT } from "./do-fn.js";
import { isStateful } from "./do-fn-specs.js";
import type { JsonValue } from "./fn-registry.js";
import { kvCoderId } from "./graph-coders.js";
import {
  createOutput,
  declaredBy,
  mustBeNamed,
  type ParDoOptions,
  type StepOf,
  setParDo,
  type TaggedOutputs,
  withKeyCoders,
} from "./par-do.js";
import { addRequirement, windowingStrategyIdOf } from "./par-do-payload.js";

/** The pipeline has a splittable DoFn. */
export const SPLITTABLE_REQUIREMENT = "beam:requirement:pardo:splittable_dofn:v1";

export interface SplittableParDoOptions extends ParDoOptions {
  /**
   * Whether every element's restriction ends by itself. False: the output is unbounded, the DoFn may
   * ask to be resumed for ever.
   */
  readonly bounded: boolean;
}

/**
 * Applies the splittable DoFn registered as `fn`, usually to an `impulse()`. Its restrictions are
 * JSON and travel, with the states of their watermark estimators, in the SDK's general coder. Outputs and side inputs as `registeredParDo`.
 */
export function splittableParDo<In, Out>(
  fn: string,
  config: JsonValue,
  options: SplittableParDoOptions,
): StepOf<PCollection<In>, PCollection<Out>>;
export function splittableParDo<In, Outputs extends object>(
  fn: string,
  config: JsonValue,
  options: SplittableParDoOptions & { readonly outputs: readonly (keyof Outputs & string)[] },
): StepOf<PCollection<In>, TaggedOutputs<Outputs>>;
export function splittableParDo(
  fn: string,
  config: JsonValue,
  options: SplittableParDoOptions & { readonly outputs?: readonly string[] },
): StepOf<PCollection<unknown>, PCollection<unknown> | Record<string, PCollection<unknown>>> {
  const expand: StepOf<PCollection<unknown>, PCollection<unknown> | Record<string, PCollection<unknown>>> = (
    input,
    pipeline,
    proto,
  ) => {
    const { specs } = declaredBy(fn, config, options.sideInputs, proto.uniqueName);
    if (isStateful(specs)) throw new Error(`the splittable DoFn "${fn}" must not declare state or timers`);
    const keyed = withKeyCoders(pipeline, proto, input, specs, options.sideInputs ?? {});
    if (keyed !== undefined) {
      const inner = splittableParDo<unknown, object>(fn, config, {
        ...options,
        sideInputs: keyed.sideInputs,
      } as SplittableParDoOptions & { outputs: never[] });
      return P(keyed.input).apply(withName("ParDo", inner)) as PCollection<unknown>;
    }
    addRequirement(pipeline, SPLITTABLE_REQUIREMENT);
    // Runners put it behind the element: a restriction with the state of its watermark estimator.
    const restrictionCoderId = kvCoderId(pipeline);
    setParDo(pipeline, proto, input, { fn, config }, options, specs, { restrictionCoderId });
    const strategyId = windowingStrategyIdOf(pipeline, input);
    const output = (tag: string) =>
      createOutput(pipeline, options.bounded, options.coders?.[tag], strategyId);
    if (options.outputs === undefined) return output(MAIN_OUTPUT);
    return Object.fromEntries(options.outputs.map((tag) => [tag, output(tag)]));
  };
  return mustBeNamed(`the step that applies "${fn}"`, expand);
}
