/** withTimestamps: gives elements the event times that a registered function reads from them. */
import type { PCollection } from "./beam.js";
import type { ProcessContext } from "./do-fn.js";
import { type JsonValue, registerDoFn } from "./fn-registry.js";
import { coderIdOfCollection } from "./graph-coders.js";
import { mustBeJson } from "./json-config.js";
import { createOutput, isBounded, mustBeNamed, parDoSpec, type StepOf } from "./par-do.js";
import { windowingStrategyIdOf } from "./par-do-payload.js";
import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from "./timestamp-bounds.js";

/** Makes the function that tells an element's event time, ms since 1970. */
// biome-ignore lint/suspicious/noExplicitAny: a timestamp function takes elements of its own type
type TimestampFnFactory<Config> = (config: Config) => (element: any) => number;

const factories = new Map<string, TimestampFnFactory<never>>();

/** Registers a timestamp function under a versioned name. Returns the name. @throws when the name is taken. */
export function registerTimestampFn<Config>(name: string, factory: TimestampFnFactory<Config>): string {
  const known = factories.get(name);
  if (known !== undefined && known !== factory) {
    throw new Error(`timestamp function name "${name}" is already registered`);
  }
  factories.set(name, factory as TimestampFnFactory<never>);
  return name;
}

/**
 * The same elements at the event times that the function registered as `fn` gives them, in the same windows.
 * An element that would move back more than `allowedSkewMs` (default 0) is an error: it may be behind the
 * watermark already.
 */
export function withTimestamps<T>(
  fn: string,
  config: JsonValue,
  { allowedSkewMs = 0 }: { readonly allowedSkewMs?: number } = {},
): StepOf<PCollection<T>, PCollection<T>> {
  if (!(allowedSkewMs >= 0)) throw new Error(`allowedSkewMs must not be negative, got ${allowedSkewMs}`);
  const expand: StepOf<PCollection<T>, PCollection<T>> = (input, pipeline, proto) => {
    mustBeJson(fn, config);
    proto.spec = parDoSpec({ fn: WITH_TIMESTAMPS_DO_FN, config: { fn, config, allowedSkewMs } }, {});
    const coderId = coderIdOfCollection(pipeline, input);
    const strategyId = windowingStrategyIdOf(pipeline, input);
    return createOutput(pipeline, isBounded(pipeline, input), coderId, strategyId) as PCollection<T>;
  };
  return mustBeNamed(`the step that takes event times from "${fn}"`, expand);
}

interface Config {
  readonly fn: string;
  readonly config: JsonValue;
  readonly allowedSkewMs: number;
}

const WITH_TIMESTAMPS_DO_FN = registerDoFn(
  "millrace/with-timestamps@1",
  ({ fn, config, allowedSkewMs }: Config) => {
    const factory = factories.get(fn);
    if (factory === undefined) {
      const names = [...factories.keys()].sort().join(", ");
      throw new Error(`no timestamp function is registered as "${fn}" (registered: ${names || "none"})`);
    }
    const timestampOf = factory(config as never);
    return {
      process(element: unknown, context: ProcessContext) {
        const timestampMs = timestampOf(element);
        checkTimestamp(fn, timestampMs);
        if (timestampMs < context.timestampMs - allowedSkewMs) {
          throw new Error(
            `"${fn}" moves an element back from ${context.timestampMs} to ${timestampMs}, ` +
              `which is more than allowedSkewMs (${allowedSkewMs})`,
          );
        }
        context.output(element, timestampMs);
      },
    };
  },
);

function checkTimestamp(fn: string, timestampMs: number): void {
  if (Number.isInteger(timestampMs) && timestampMs >= MIN_TIMESTAMP_MS && timestampMs <= MAX_TIMESTAMP_MS)
    return;
  throw new Error(`"${fn}" must give a whole number of ms in Beam's range, got ${timestampMs}`);
}
