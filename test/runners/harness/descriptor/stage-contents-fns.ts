/** DoFns and steps of the tests of what a stage holds. */
import "../../../../transforms/primitives/beam.js";
import type { ProcessBundleDescriptor } from "apache-beam/proto/beam_fn_api";
import { BundleProcessor } from "../../../../runners/bundle/bundle-processor.js";
import type { StagePlan } from "../../../../runners/harness/descriptor/stage-plan.js";
import {
  P,
  type PCollection,
  type Root,
  runnerApi,
  withName,
} from "../../../../transforms/primitives/beam.js";
import { registerCombineFn } from "../../../../transforms/primitives/combine-per-key.js";
import { create } from "../../../../transforms/primitives/create.js";
import type { DoFn, SplittableDoFn } from "../../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../../transforms/primitives/fn-registry.js";
import { registeredParDo, withKeyCoder } from "../../../../transforms/primitives/par-do.js";
import { iterableSideInput, mapSideInput } from "../../../../transforms/primitives/side-input-spec.js";
import {
  bagState,
  combiningState,
  mapState,
  setState,
  valueState,
} from "../../../../transforms/primitives/state-spec.js";
import { eventTimeTimer, processingTimeTimer } from "../../../../transforms/primitives/timer-spec.js";
import type { Window } from "../../../../transforms/primitives/window.js";
import { registerWindowFn } from "../../../../transforms/primitives/window-fns.js";
import { HOSTS } from "../../bundle/hosts.js";
import { Counting } from "../../bundle/offset-range.js";
import { type element, runBundle } from "../../bundle/stages.js";

export type Pc = PCollection<unknown>;

export const PASS = registerDoFn(
  "stage-contents/pass@1",
  (): DoFn => ({
    process: (value, context) => context.output(value),
  }),
);
export const SUM = registerCombineFn("stage-contents/sum@1", () => ({
  createAccumulator: () => 0,
  addInput: (sum: number, n: number) => sum + n,
  mergeAccumulators: (sums: Iterable<number>) => [...sums].reduce((a, b) => a + b, 0),
  extractOutput: (sum: number) => ({ sum }),
}));
export const STATEFUL = registerDoFn("stage-contents/stateful@1", (): DoFn => {
  const fields = {
    value: valueState(),
    bag: bagState(),
    total: combiningState({
      createAccumulator: () => 0,
      addInput: (sum: number, n: number) => sum + n,
      mergeAccumulators: (sums: Iterable<number>) => [...sums][0]!,
      extractOutput: (sum: number) => sum,
    }),
    seen: setState(),
    byName: mapState(),
    alarm: eventTimeTimer(),
    poll: processingTimeTimer(),
  };
  return {
    ...fields,
    process: () => undefined,
    onTimer: () => undefined,
    onWindowExpiration: () => undefined,
  };
});
export const LOOKUP = registerDoFn("stage-contents/lookup@1", (): DoFn => {
  return { all: iterableSideInput(), names: mapSideInput(), process: () => undefined } as DoFn;
});
export const NAMED_WINDOW: Window = { id: "day", maxTimestampMs: 5 };
export const NAMED = registerWindowFn("stage-contents/named@1", () => ({
  windowCoder: "custom" as const,
  assign: () => [NAMED_WINDOW],
}));
export const READ = registerDoFn(
  "stage-contents/read@1",
  () =>
    new Counting(
      {},
      {
        splitRestriction: (_, [from, to]) => [
          [from, 1],
          [1, to],
        ],
        initialWatermarkState: (_, [from]) => from,
      },
    ) as unknown as SplittableDoFn,
);

export const source = (root: Root, name = "Source"): Pc => root.apply(withName(name, create<unknown>([])));
export const pass = (name: string, input: Pc): Pc =>
  P(input).apply(withName(name, registeredParDo<unknown, unknown>(PASS, null)));
export const keyed = (input: Pc): Pc => P(input).apply(withName("Keyed", withKeyCoder() as never)) as Pc;

/** Runs what a source of the stage gives, over the first of the test hosts. */
export async function run(plan: StagePlan, root: string, values: readonly ReturnType<typeof element>[]) {
  const host = HOSTS[0]!.create();
  const processor = await BundleProcessor.create(plan.stage, host);
  const scope = await runBundle(processor, host, [{ kind: "elements", root, elements: values }]);
  await processor.teardown();
  return scope;
}

/** A transform in the place of another, on new PCollections. */
export function put(
  descriptor: ProcessBundleDescriptor,
  id: string,
  urn: string,
  like: runnerApi.PTransform,
  [input, output]: readonly [string, string],
): void {
  const spec = { urn, payload: like.spec!.payload };
  descriptor.transforms[id] = runnerApi.PTransform.create({
    spec,
    inputs: { in: input },
    outputs: { out: output },
  });
}
