/** deduplicate: lets an event pass once. */
import { DROP_REPEATS_FN, type DropRepeatsConfig, KEY_BY_SHARD_FN } from "./drop-repeats-fn.js";
import { DROP_SEEN_FN, KEY_BY_ID_FN } from "./drop-seen-fn.js";
import type { Sourced } from "./input-record.js";
import { type Coder, P, type PCollection, withName } from "./primitives/beam.js";
import { StringUtf8Coder, VarIntCoder } from "./primitives/coders/scalar-coders.js";
import { composite } from "./primitives/composite.js";
import { coderIdOfCollection, kvCoderId } from "./primitives/graph-coders.js";
import { groupByKey } from "./primitives/group-by-key.js";
import { isBounded, mustBeNamed, registeredParDo, type StepOf } from "./primitives/par-do.js";
import type { KV } from "./primitives/window.js";
import { type Timestamped, TimestampedCoder } from "./timestamped-coder.js";

export const DEDUPLICATE_URN = "millrace:transform:deduplicate:v1";

const SHARDS = 64;
const HORIZON_MS = 60 * 60 * 1000;

export type DeduplicateOptions = {
  /** The field of the value that identifies an event: a string. */
  readonly key: string;
  /** How many accepted keys are remembered at the most, up to `HORIZON_RECORDS_MAX`; what is older passes again. */
  readonly horizon: { readonly records: number };
};

/** How to go about it where many workers share the work, and none sees what the others commit. */
export type DistributedDeduplicateOptions = {
  readonly distributed: true;
  /** Of a bounded input: into how many groups its ids are spread, 1 to `SHARDS_MAX`; each is held in memory by one worker. By default 64. */
  readonly shards?: number;
  /**
   * Of a bounded input: `table` lets repeats pass too, behind the first of their id and in the order of the files, for
   * a table with a unique key, which may refuse the first one's row. By default they are dropped here.
   */
  readonly lastWord?: "here" | "table";
  /** Of an unbounded input: how long an id is remembered, by the clock. By default an hour. */
  readonly horizonMs?: number;
};

type Step<T> = StepOf<PCollection<Sourced<T>>, PCollection<Sourced<T>>>;

/**
 * Drops and counts values whose key was accepted within the horizon: a cache in front of the unique
 * key of a table, which has the last word. Keeps event times. Bounded if its input is.
 *
 * Distributed, for job servers: a value passes unless it equals the first of its key. Of a bounded input that is the
 * first in the files (by `fileId`, generation, place), so that a sink behind it gets each key's values in that order;
 * of an unbounded one the first to come within `horizonMs`. There "first" is first in this input: whether its row was
 * accepted, and what rows are there from earlier runs, only the table knows.
 */
export function deduplicate<T>(
  options: DeduplicateOptions,
  how: DistributedDeduplicateOptions | { readonly distributed?: false } = {},
): Step<T> {
  if (how.distributed === true) return distributed(options.key, how);
  const expand: Step<T> = (input, pipeline, proto) => {
    const step = registeredParDo<Sourced<T>, Sourced<T>>("deduplicate@1", options, {
      requestsFinalization: true, // a key counts as seen only once its row is committed
      coders: { main: coderIdOfCollection(pipeline, input) },
    });
    return step(input, pipeline, proto);
  };
  return mustBeNamed("a deduplicate", expand);
}

function distributed<T>(
  key: string,
  { shards = SHARDS, lastWord = "here", horizonMs = HORIZON_MS }: DistributedDeduplicateOptions,
): Step<T> {
  return composite(DEDUPLICATE_URN, { key, shards, lastWord, horizonMs }, (input) =>
    isBounded(input.pipeline, input)
      ? dropRepeats(input, { key, lastWord }, shards)
      : dropSeen(input, key, horizonMs),
  );
}

/** Everything of a shard together, in the order of the files. */
function dropRepeats<T>(
  input: PCollection<Sourced<T>>,
  config: DropRepeatsConfig,
  shards: number,
): PCollection<Sourced<T>> {
  type Group = KV<number, Iterable<Timestamped<Sourced<T>>>>;
  const { pipeline } = input;
  const elementCoderId = coderIdOfCollection(pipeline, input);
  const timestamped = new TimestampedCoder(pipeline.getCoder(elementCoderId) as Coder<unknown>);
  const main = kvCoderId(pipeline, pipeline.getCoderId(new VarIntCoder()), pipeline.getCoderId(timestamped));
  const keyByShard = registeredParDo<Sourced<T>, KV<number, Timestamped<Sourced<T>>>>(
    KEY_BY_SHARD_FN,
    { key: config.key, shards },
    { coders: { main } },
  );
  const drop = registeredParDo<Group, Sourced<T>>(DROP_REPEATS_FN, config, {
    coders: { main: elementCoderId },
  });
  const keyed = P(input).apply(withName("KeyByShard", keyByShard));
  const groups = P(keyed).apply(withName("GroupByShard", groupByKey<number, Timestamped<Sourced<T>>>()));
  return P(groups).apply(withName("DropRepeats", drop));
}

/** A state for each id. */
function dropSeen<T>(
  input: PCollection<Sourced<T>>,
  key: string,
  horizonMs: number,
): PCollection<Sourced<T>> {
  const { pipeline } = input;
  const elementCoderId = coderIdOfCollection(pipeline, input);
  const keyed = { main: kvCoderId(pipeline, pipeline.getCoderId(new StringUtf8Coder()), elementCoderId) };
  const keyById = registeredParDo<Sourced<T>, KV<string, Sourced<T>>>(
    KEY_BY_ID_FN,
    { key },
    { coders: keyed },
  );
  const drop = registeredParDo<KV<string, Sourced<T>>, Sourced<T>>(
    DROP_SEEN_FN,
    { horizonMs },
    { coders: { main: elementCoderId } },
  );
  return P(P(input).apply(withName("KeyById", keyById))).apply(withName("DropSeen", drop));
}
