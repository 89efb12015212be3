/** ParDo with a splittable DoFn: the way a source stands in a graph. */
import { GeneralObjectCoder, type PCollection } from "./beam.js";
import { MAIN_OUTPUT } from "./do-fn.js";
import type { JsonValue } from "./fn-registry.js";
import {
  addRequirement,
  createOutput,
  FINALIZATION_REQUIREMENT,
  mustBeNamed,
  type ParDoOptions,
  parDoSpec,
  type StepOf,
} from "./par-do.js";

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
 * JSON and travel in the SDK's general coder.
 */
export function splittableParDo<In, Out>(
  fn: string,
  config: JsonValue,
  options: SplittableParDoOptions,
): StepOf<PCollection<In>, PCollection<Out>> {
  const expand: StepOf<PCollection<In>, PCollection<Out>> = (_input, pipeline, proto) => {
    const requestsFinalization = options.requestsFinalization ?? false;
    addRequirement(pipeline, SPLITTABLE_REQUIREMENT);
    if (requestsFinalization) addRequirement(pipeline, FINALIZATION_REQUIREMENT);
    const restrictionCoderId = pipeline.getCoderId(new GeneralObjectCoder());
    proto.spec = parDoSpec({ fn, config }, { requestsFinalization, restrictionCoderId });
    return createOutput(pipeline, options.bounded, options.coders?.[MAIN_OUTPUT]) as PCollection<Out>;
  };
  return mustBeNamed(`the step that applies "${fn}"`, expand);
}
