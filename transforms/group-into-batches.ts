/** groupIntoBatches: the values of each key in groups of a limited number or size. */
import { GROUP_INTO_BATCHES_FN, type GroupIntoBatchesConfig } from "./group-into-batches-fn.js";
import { P, type PCollection, withName } from "./primitives/beam.js";
import { composite } from "./primitives/composite.js";
import type { JsonValue } from "./primitives/fn-registry.js";
import {
  coderIdOf,
  coderToJson,
  ITERABLE_CODER_URN,
  kvCoderId,
  kvCoderParts,
} from "./primitives/graph-coders.js";
import { registeredParDo, type StepOf, withKeyCoderIfNone } from "./primitives/par-do.js";
import type { KV } from "./primitives/window.js";

export const GROUP_INTO_BATCHES_URN = "millrace:transform:group_into_batches:v1";

export interface GroupIntoBatchesOptions {
  /** A batch has at most so many values. This or `batchBytes` must be given. */
  readonly batchSize?: number;
  /** A batch has at most so many bytes, unless one value alone has more. */
  readonly batchBytes?: number;
  /** What measures values for `batchBytes`, as given to `registerSizeFn`; by default their encodings are measured. */
  readonly sizeFn?: { readonly fn: string; readonly config?: JsonValue };
  /** A batch is emitted, however small, so long after its first value came, in processing time; by default never. */
  readonly maxBufferingDurationMs?: number;
}

/**
 * Beam's `GroupIntoBatches`: `{ key, values }` with the values of one key and one window, in the order in which they
 * came, as soon as there are `batchSize` of them or `batchBytes` are reached; what is left at the end of the window,
 * or after `maxBufferingDurationMs`. A batch has the earliest event time of its values, and holds the output
 * watermark there while it is collected. Values late within the allowed lateness go into batches that are emitted
 * with the bundle that brings them (Beam waits for the window's expiration, and holds the watermark until then).
 *
 * State: the values of one batch for each key and window. Exactly once where the runner's state is. Bounded if its
 * input is.
 *
 * @throws when neither `batchSize` nor `batchBytes` is given, when a number is not whole and at least 1, or
 * `sizeFn` stands without `batchBytes`
 */
export function groupIntoBatches<K, V>(
  options: GroupIntoBatchesOptions,
): StepOf<PCollection<KV<K, V>>, PCollection<KV<K, V[]>>> {
  const limits = checkOptions(options);
  return composite(GROUP_INTO_BATCHES_URN, limits, (input) => {
    const { pipeline } = input;
    const keyed = withKeyCoderIfNone(input);
    const { keyCoderId, valueCoderId } = kvCoderParts(pipeline, keyed)!;
    const coder = coderToJson(pipeline.getProto().components!.coders, valueCoderId);
    const coders = {
      main: kvCoderId(pipeline, keyCoderId, coderIdOf(pipeline, ITERABLE_CODER_URN, valueCoderId)),
    };
    const config: GroupIntoBatchesConfig = { ...limits, coder };
    const batch = registeredParDo<KV<K, V>, KV<K, V[]>>(GROUP_INTO_BATCHES_FN, config, { coders });
    return P(keyed).apply(withName("Batch", batch));
  });
}

function checkOptions(options: GroupIntoBatchesOptions): Omit<GroupIntoBatchesConfig, "coder"> {
  const { batchSize, batchBytes, maxBufferingDurationMs, sizeFn } = options;
  if (batchSize === undefined && batchBytes === undefined) {
    throw new Error("groupIntoBatches must be given batchSize or batchBytes, got neither");
  }
  for (const [name, value] of Object.entries({ batchSize, batchBytes, maxBufferingDurationMs })) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    throw new Error(`${name} of groupIntoBatches must be a whole number of at least 1, got ${value}`);
  }
  if (sizeFn !== undefined && batchBytes === undefined) {
    throw new Error(`sizeFn of groupIntoBatches measures batchBytes, which is not given, got "${sizeFn.fn}"`);
  }
  return {
    ...(batchSize !== undefined && { batchSize }),
    ...(batchBytes !== undefined && { batchBytes }),
    ...(maxBufferingDurationMs !== undefined && { maxBufferingDurationMs }),
    ...(sizeFn && { sizeFn: { fn: sizeFn.fn, config: sizeFn.config ?? null } }),
  };
}
