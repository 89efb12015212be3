/** create: a PCollection of values given while the graph is built, in time linear in their number. */
import { type Coder, impulse, P, type PCollection, type Root, withName } from "./beam.js";
import { decodeElements } from "./coders/encode.js";
import type { ProcessContext } from "./do-fn.js";
import { registerDoFn } from "./fn-registry.js";
import {
  type CoderJson,
  coderFromJson,
  coderIdOrGeneral,
  coderToJson,
  encodeElements,
  fromBase64,
} from "./graph-coders.js";
import { createOutput, mustBeNamed, parDoSpec, type StepOf } from "./par-do.js";

export interface CreateOptions<T> {
  /** By default the SDK's general one. */
  readonly coder?: Coder<T>;
  /** Event times by index, ms since 1970; without them elements are at Beam's minimum. */
  readonly timestampMs?: readonly number[] | ((index: number) => number);
}

/**
 * Applied to a Root: exactly these elements, encoded into the graph by their coder; bounded. A composite of
 * `Impulse` and `Values`.
 * @throws when there are not as many event times as elements, or the coder cannot carry an element.
 */
export function create<T>(
  elements: readonly T[],
  options: CreateOptions<T> = {},
): StepOf<Root, PCollection<T>> {
  const expand: StepOf<Root, PCollection<T>> = (root, _pipeline, proto) => {
    proto.environmentId = "";
    return P(root.apply(withName("Impulse", impulse()))).apply(withName("Values", values(elements, options)));
  };
  return mustBeNamed("the step that creates elements", expand);
}

function values<T>(
  elements: readonly T[],
  { coder, timestampMs }: CreateOptions<T>,
): StepOf<PCollection<Uint8Array>, PCollection<T>> {
  return (_input, pipeline, proto) => {
    const coderId = coderIdOrGeneral(pipeline, coder as Coder<unknown> | undefined);
    const timestamps = timestampsOf(elements.length, timestampMs);
    const config = {
      coder: coderToJson(pipeline.getProto().components!.coders, coderId),
      count: elements.length,
      elements: Buffer.from(encodeElements(pipeline.getCoder(coderId), elements)).toString("base64"),
      ...(timestamps && { timestamps }),
    };
    proto.spec = parDoSpec({ fn: CREATE_DO_FN, config }, {});
    return createOutput(pipeline, true, coderId) as PCollection<T>;
  };
}

function timestampsOf(
  count: number,
  given: readonly number[] | ((index: number) => number) | undefined,
): readonly number[] | undefined {
  if (given === undefined) return undefined;
  const timestamps = typeof given === "function" ? Array.from({ length: count }, (_, i) => given(i)) : given;
  if (timestamps.length !== count) {
    throw new Error(`create was given ${count} elements and ${timestamps.length} event times`);
  }
  const wrong = timestamps.findIndex((timestampMs) => !Number.isInteger(timestampMs));
  if (wrong >= 0) {
    throw new Error(`event time ${wrong} of create must be a whole number, got ${timestamps[wrong]}`);
  }
  return timestamps;
}

interface CreateConfig {
  readonly coder: CoderJson;
  readonly count: number;
  /** Base64 of the elements' encodings, one after another. */
  readonly elements: string;
  readonly timestamps?: readonly number[];
}

const CREATE_DO_FN = registerDoFn("millrace/create@1", (config: CreateConfig) => ({
  process(_impulse: unknown, context: ProcessContext) {
    const { coder, count, elements, timestamps } = config;
    let index = 0;
    for (const value of decodeElements(coderFromJson(coder), fromBase64(elements))) {
      context.output(value, timestamps?.[index]);
      index++;
    }
    if (index !== count) throw new Error(`create holds ${index} elements, and should hold ${count}`);
  },
}));
