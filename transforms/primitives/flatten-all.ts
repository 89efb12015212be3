/** Flatten that refuses to mix bounded with unbounded, or windows with others. */
import { flatten, type PCollection, type Pipeline, type PTransform, runnerApi } from "./beam.js";
import { isBounded, mustBeNamed, type StepOf } from "./par-do.js";
import { windowingStrategyIdOf } from "./par-do-payload.js";

/**
 * The union of several PCollections of one type. Runners translate a mixed Flatten differently, or not
 * at all, so a bounded and an unbounded input together are an error. Window functions and triggers must be
 * the same; what else the windowing strategy says is the first input's, as in Beam for Java.
 */
export function flattenAll<T>(): StepOf<readonly PCollection<T>[], PCollection<T>> {
  const sdkFlatten = flatten<T>() as Exclude<
    PTransform<PCollection<T>[], PCollection<T>>,
    { expand: unknown }
  >;
  const expand: StepOf<readonly PCollection<T>[], PCollection<T>> = (inputs, pipeline, proto) => {
    refuseMixed(inputs, pipeline, proto.uniqueName);
    const strategyId = commonStrategyId(inputs, pipeline, proto.uniqueName);
    const output = sdkFlatten([...inputs], pipeline, proto);
    // The SDK finds none by itself where two strategies differ in anything.
    pipeline.getProto().components!.pcollections[output.getId()]!.windowingStrategyId = strategyId;
    proto.environmentId = "";
    return output;
  };
  return mustBeNamed("a flatten", expand);
}

function refuseMixed(inputs: readonly PCollection<unknown>[], pipeline: Pipeline, step: string): void {
  if (inputs.length === 0) throw new Error(`flatten "${step}" has no input`);
  const bounded = inputs.filter((input) => isBounded(pipeline, input));
  if (bounded.length === 0 || bounded.length === inputs.length) return;
  throw new Error(
    `flatten "${step}" mixes ${bounded.length} bounded with ${inputs.length - bounded.length} unbounded inputs`,
  );
}

function commonStrategyId(inputs: readonly PCollection<unknown>[], pipeline: Pipeline, step: string): string {
  const { windowingStrategies } = pipeline.getProto().components!;
  const [first, ...others] = inputs.map((input) => windowingStrategyIdOf(pipeline, input)) as [string];
  const asked = (id: string) => {
    const { windowFn, trigger } = windowingStrategies[id]!;
    const triggerBytes = runnerApi.Trigger.toBinary(trigger ?? runnerApi.Trigger.create());
    return [windowFn?.urn, ...[windowFn?.payload ?? [], triggerBytes].map((bytes) => bytes.join())].join(" ");
  };
  const different = others.find((id) => asked(id) !== asked(first));
  if (different === undefined) return first;
  const names = [first, different].map((id) => windowingStrategies[id]!.windowFn?.urn ?? "none");
  throw new Error(`flatten "${step}" has inputs of different windows or triggers: ${names.join(" and ")}`);
}
