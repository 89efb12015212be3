/** ParDo with a DoFn found by name: a step of the graph that any process can build again. */
import { type Coder, GeneralObjectCoder, type PCollection, type Pipeline, runnerApi } from "./beam.js";
import { MAIN_OUTPUT } from "./do-fn.js";
import type { JsonValue } from "./fn-registry.js";

/** URN of Beam's ParDo: what runners know. */
export const PAR_DO_URN = "beam:transform:pardo:v1";
/** URN of a DoFn that is a registered name and its configuration, in JSON. */
export const REGISTERED_DO_FN_URN = "millrace:dofn:registered:v1";
/** The pipeline has a step that waits for its bundle's commit (`afterCommit`). */
export const FINALIZATION_REQUIREMENT = "beam:requirement:pardo:finalization:v1";

/** A registered DoFn as it stands in a graph. */
export interface RegisteredDoFn {
  /** Name given to `registerDoFn`, e.g. `deduplicate@1`. */
  readonly fn: string;
  readonly config: JsonValue;
}

export interface ParDoOptions {
  /** Overrides the boundedness of the outputs, which is otherwise the input's. */
  readonly bounded?: boolean;
  /** Coders by output tag; an output without one gets the SDK's general coder. */
  readonly coders?: Readonly<Record<string, Coder<unknown>>>;
  /** The DoFn calls `afterCommit`: Beam's bundle finalization. */
  readonly requestsFinalization?: boolean;
}

/** PCollections by tag. */
export type TaggedOutputs<Outputs> = { [Tag in keyof Outputs]: PCollection<Outputs[Tag]> };

/** A transform as the SDK applies it: name it with `withName`, then give it to `apply`. */
export type StepOf<In, Out> = (input: In, pipeline: Pipeline, proto: runnerApi.PTransform) => Out;

/**
 * Applies the DoFn registered as `fn`. One main output, or with `outputs` one PCollection for each
 * tag (`MAIN_OUTPUT` among them if the DoFn has a main output too).
 * Bounded if its input is, unless `options.bounded` says otherwise.
 */
export function registeredParDo<In, Out>(
  fn: string,
  config: JsonValue,
  options?: ParDoOptions,
): StepOf<PCollection<In>, PCollection<Out>>;
export function registeredParDo<In, Outputs extends object>(
  fn: string,
  config: JsonValue,
  options: ParDoOptions & { readonly outputs: readonly (keyof Outputs & string)[] },
): StepOf<PCollection<In>, TaggedOutputs<Outputs>>;
export function registeredParDo(
  fn: string,
  config: JsonValue,
  options: ParDoOptions & { readonly outputs?: readonly string[] } = {},
): StepOf<PCollection<unknown>, PCollection<unknown> | Record<string, PCollection<unknown>>> {
  const expand: StepOf<PCollection<unknown>, PCollection<unknown> | Record<string, PCollection<unknown>>> = (
    input,
    pipeline,
    proto,
  ) => {
    const requestsFinalization = options.requestsFinalization ?? false;
    if (requestsFinalization) addRequirement(pipeline, FINALIZATION_REQUIREMENT);
    proto.spec = parDoSpec({ fn, config }, { requestsFinalization });
    const bounded = options.bounded ?? isBounded(pipeline, input);
    const output = (tag: string) => createOutput(pipeline, bounded, options.coders?.[tag]);
    if (options.outputs === undefined) return output(MAIN_OUTPUT);
    return Object.fromEntries(options.outputs.map((tag) => [tag, output(tag)]));
  };
  return mustBeNamed(`the step that applies "${fn}"`, expand);
}

/** The spec of a ParDo; `more` are the payload's other fields. */
export function parDoSpec(
  doFn: RegisteredDoFn,
  more: Partial<runnerApi.ParDoPayload>,
): runnerApi.FunctionSpec {
  const payload = runnerApi.ParDoPayload.create({
    ...more,
    doFn: { urn: REGISTERED_DO_FN_URN, payload: new TextEncoder().encode(JSON.stringify(doFn)) },
  });
  return { urn: PAR_DO_URN, payload: runnerApi.ParDoPayload.toBinary(payload) };
}

/** A PCollection whose boundedness is said, with the given coder or the SDK's general one. */
export function createOutput(
  pipeline: Pipeline,
  bounded: boolean,
  coder: Coder<unknown> = new GeneralObjectCoder(),
): PCollection<unknown> {
  const { BOUNDED, UNBOUNDED } = runnerApi.IsBounded_Enum;
  return pipeline.createPCollectionInternal(coder, undefined, bounded ? BOUNDED : UNBOUNDED);
}

/** Whether a PCollection of a graph under construction is bounded. */
export function isBounded(pipeline: Pipeline, collection: PCollection<unknown>): boolean {
  const proto = pipeline.getProto().components!.pcollections[collection.getId()]!;
  return proto.isBounded !== runnerApi.IsBounded_Enum.UNBOUNDED;
}

/** Adds to what the pipeline requires of its runner, once. */
export function addRequirement(pipeline: Pipeline, requirement: string): void {
  const { requirements } = pipeline.getProto();
  if (!requirements.includes(requirement)) requirements.push(requirement);
}

/**
 * Makes applying the transform without `withName` an error. A name made up from the code would change
 * with the code, and names key saved state.
 */
export function mustBeNamed<T extends object>(what: string, transform: T): T {
  const beamName = () => {
    throw new Error(`${what} has no name: apply it as withName("Name", …)`);
  };
  return Object.assign(transform, { beamName });
}
