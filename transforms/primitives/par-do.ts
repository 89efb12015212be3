/** ParDo with a DoFn found by name: a step of the graph that any process can build again. */
import { inspect } from "node:util";
import {
  type Coder,
  GeneralObjectCoder,
  P,
  type PCollection,
  type Pipeline,
  runnerApi,
  withName,
} from "./beam.js";
import { type DoFn, MAIN_OUTPUT, type ProcessContext, type SplittableDoFn } from "./do-fn.js";
import { type DoFnSpecs, isStateful, specsOf } from "./do-fn-specs.js";
import { createDoFn, isDoFnRegistered, type JsonValue, registerDoFn } from "./fn-registry.js";
import { kvCoderId, kvCoderParts } from "./graph-coders.js";
import { mustBeJson } from "./json-config.js";
import {
  addRequirement,
  FINALIZATION_REQUIREMENT,
  sideInputsPart,
  statefulPart,
  windowingStrategyIdOf,
} from "./par-do-payload.js";
import type { KV } from "./window.js";

/** URN of Beam's ParDo: what runners know. */
export const PAR_DO_URN = "beam:transform:pardo:v1";
/** URN of a DoFn that is a registered name and its configuration, in JSON. */
export const REGISTERED_DO_FN_URN = "millrace:dofn:registered:v1";

/** A registered DoFn as it stands in a graph. */
export interface RegisteredDoFn {
  /** Name given to `registerDoFn`, e.g. `deduplicate@1`. */
  readonly fn: string;
  readonly config: JsonValue;
}

export interface ParDoOptions {
  /** Overrides the boundedness of the outputs, which is otherwise the input's. */
  readonly bounded?: boolean;
  /** Coders by output tag, or their ids in the graph; an output without one gets the SDK's general coder. */
  readonly coders?: Readonly<Record<string, Coder<unknown> | string>>;
  /** The DoFn calls `afterCommit`: Beam's bundle finalization. */
  readonly requestsFinalization?: boolean;
  /** One PCollection for each field of the DoFn that declares a side input, by the field's name. */
  readonly sideInputs?: Readonly<Record<string, PCollection<unknown>>>;
}

/** PCollections by tag. */
export type TaggedOutputs<Outputs> = { [Tag in keyof Outputs]: PCollection<Outputs[Tag]> };

/** A transform as the SDK applies it: name it with `withName`, then give it to `apply`. */
export type StepOf<In, Out> = (input: In, pipeline: Pipeline, proto: runnerApi.PTransform) => Out;

/**
 * Applies the DoFn registered as `fn`. One main output, or with `outputs` one PCollection for each
 * tag (`MAIN_OUTPUT` among them if the DoFn has a main output too).
 * Bounded if its input is, unless `options.bounded` says otherwise.
 *
 * State, timers and side inputs are those that the DoFn declares in its fields. Where they need a KV coder
 * that a PCollection does not have, the step becomes a composite: `<name>/WithKeyCoder`, `<name>/ParDo`.
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
): StepOf<PCollection<unknown>, AnyOutputs> {
  const expand: StepOf<PCollection<unknown>, AnyOutputs> = (input, pipeline, proto) => {
    const { doFn, specs } = declaredBy(fn, config, options.sideInputs, proto.uniqueName);
    const keyed = withKeyCoders(pipeline, proto, input, specs, options.sideInputs ?? {});
    if (keyed !== undefined) {
      const inner = registeredParDo<unknown, object>(fn, config, {
        ...options,
        sideInputs: keyed.sideInputs,
      } as ParDoOptions & { outputs: never[] });
      return P(keyed.input).apply(withName("ParDo", inner)) as AnyOutputs;
    }
    setParDo(
      pipeline,
      proto,
      input,
      { fn, config },
      options,
      specs,
      statefulPart(pipeline, input, doFn as DoFn, specs),
    );
    const bounded = options.bounded ?? isBounded(pipeline, input);
    const strategyId = windowingStrategyIdOf(pipeline, input);
    const output = (tag: string) => createOutput(pipeline, bounded, options.coders?.[tag], strategyId);
    if (options.outputs === undefined) return output(MAIN_OUTPUT);
    return Object.fromEntries(options.outputs.map((tag) => [tag, output(tag)]));
  };
  return mustBeNamed(`the step that applies "${fn}"`, expand);
}

type AnyOutputs = PCollection<unknown> | Record<string, PCollection<unknown>>;
type SideCollections = Readonly<Record<string, PCollection<unknown>>>;

/** An instance and what it declares. A name that only another process knows declares nothing here. */
export function declaredBy(
  fn: string,
  config: JsonValue,
  sideInputs: SideCollections | undefined,
  step: string,
): { doFn: DoFn | SplittableDoFn; specs: DoFnSpecs } {
  const isKnown = isDoFnRegistered(fn) || sideInputs !== undefined;
  const doFn = isKnown ? createDoFn(fn, config) : { process() {} };
  const specs = specsOf(doFn);
  const declared = [...specs.sideInputs.keys()];
  const given = Object.keys(sideInputs ?? {});
  const missing = declared.filter((name) => !given.includes(name));
  const unknown = given.filter((name) => !declared.includes(name));
  if (missing.length > 0 || unknown.length > 0) {
    throw new Error(
      `step "${step}" must be given the side inputs that "${fn}" declares (${declared.join(", ") || "none"}), ` +
        `got ${given.join(", ") || "none"}`,
    );
  }
  if (declared.includes(MAIN_OUTPUT)) {
    throw new Error(`a side input of "${fn}" must not be called "${MAIN_OUTPUT}": so is the main input`);
  }
  return { doFn, specs };
}

/** Makes the transform a ParDo with side inputs; `part` is what else its payload says. */
export function setParDo(
  pipeline: Pipeline,
  proto: runnerApi.PTransform,
  input: PCollection<unknown>,
  doFn: RegisteredDoFn,
  options: ParDoOptions,
  specs: DoFnSpecs,
  part: Partial<runnerApi.ParDoPayload>,
): void {
  const requestsFinalization = options.requestsFinalization ?? false;
  if (requestsFinalization) addRequirement(pipeline, FINALIZATION_REQUIREMENT);
  const sideInputs = options.sideInputs ?? {};
  for (const [name, collection] of Object.entries(sideInputs)) proto.inputs[name] = collection.getId();
  proto.spec = parDoSpec(doFn, {
    requestsFinalization,
    ...sideInputsPart(pipeline, input, specs, sideInputs),
    ...part,
  });
}

/** The inputs with KV coders where the DoFn needs them; undefined where all have what they need. */
export function withKeyCoders(
  pipeline: Pipeline,
  proto: runnerApi.PTransform,
  input: PCollection<unknown>,
  specs: DoFnSpecs,
  sideInputs: SideCollections,
): { input: PCollection<unknown>; sideInputs: SideCollections } | undefined {
  const lacks = (collection: PCollection<unknown>) => kvCoderParts(pipeline, collection) === undefined;
  const sidesToKey = [...specs.sideInputs]
    .filter(([name, { kind }]) => (kind === "map" || kind === "multimap") && lacks(sideInputs[name]!))
    .map(([name]) => name);
  const mainToKey = isStateful(specs) && lacks(input);
  if (!mainToKey && sidesToKey.length === 0) return undefined;
  proto.environmentId = "";
  const keyed = (collection: PCollection<unknown>, name: string) =>
    P(collection).apply(withName(name, withKeyCoder()));
  return {
    input: mainToKey ? keyed(input, "WithKeyCoder") : input,
    sideInputs: {
      ...sideInputs,
      ...Object.fromEntries(
        sidesToKey.map((name) => [name, keyed(sideInputs[name]!, `WithKeyCoder(${name})`)]),
      ),
    },
  };
}

const KEYED_DO_FN = registerDoFn("millrace/with-key-coder@1", (_config: null) => ({
  process(element: unknown, context: ProcessContext) {
    if (typeof element !== "object" || element === null || !("key" in element)) {
      throw new Error(`what is read by key must be { key, value }, got ${shownValue(element)}`);
    }
    context.output(element);
  },
}));

/** Enough of a value to find it by. */
function shownValue(value: unknown): string {
  const text = inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

const SHOWN_MAX = 80;

/** The same elements, `{ key, value }`, under a KV coder of general parts: what is grouped by key must have one. */
export function withKeyCoder(): StepOf<PCollection<unknown>, PCollection<unknown>> {
  const expand: StepOf<PCollection<unknown>, PCollection<unknown>> = (input, pipeline, proto) => {
    proto.spec = parDoSpec({ fn: KEYED_DO_FN, config: null }, {});
    const strategyId = windowingStrategyIdOf(pipeline, input);
    return createOutput(pipeline, isBounded(pipeline, input), kvCoderId(pipeline), strategyId);
  };
  return mustBeNamed("the step that sets a key coder", expand);
}

/** The same PCollection where it has a KV coder, else behind a step `WithKeyCoder`: for a composite's own expansion. */
export function withKeyCoderIfNone<K, V>(input: PCollection<KV<K, V>>): PCollection<KV<K, V>> {
  if (kvCoderParts(input.pipeline, input) !== undefined) return input;
  const keyed = P(input as PCollection<unknown>).apply(withName("WithKeyCoder", withKeyCoder()));
  return keyed as PCollection<KV<K, V>>;
}

/** The spec of a ParDo; `more` are the payload's other fields. */
export function parDoSpec(
  doFn: RegisteredDoFn,
  more: Partial<runnerApi.ParDoPayload>,
): runnerApi.FunctionSpec {
  mustBeJson(doFn.fn, doFn.config);
  const payload = runnerApi.ParDoPayload.create({
    ...more,
    doFn: { urn: REGISTERED_DO_FN_URN, payload: new TextEncoder().encode(JSON.stringify(doFn)) },
  });
  return { urn: PAR_DO_URN, payload: runnerApi.ParDoPayload.toBinary(payload) };
}

/**
 * A PCollection whose boundedness is said, with the given coder (or the id of one) or the SDK's general one.
 * Without a windowing strategy it has that of the transform's inputs.
 */
export function createOutput(
  pipeline: Pipeline,
  bounded: boolean,
  coder: Coder<unknown> | string = new GeneralObjectCoder(),
  windowingStrategyId?: string,
): PCollection<unknown> {
  const { BOUNDED, UNBOUNDED } = runnerApi.IsBounded_Enum;
  return pipeline.createPCollectionInternal(
    coder as Coder<unknown>,
    windowingStrategyId as unknown as undefined,
    bounded ? BOUNDED : UNBOUNDED,
  );
}

/** Whether a PCollection of a graph under construction is bounded. */
export function isBounded(pipeline: Pipeline, collection: PCollection<unknown>): boolean {
  const proto = pipeline.getProto().components!.pcollections[collection.getId()]!;
  return proto.isBounded !== runnerApi.IsBounded_Enum.UNBOUNDED;
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
