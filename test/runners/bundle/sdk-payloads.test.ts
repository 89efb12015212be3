/** Steps that the SDK has serialised into the graph, over both hosts: built by real SDK pipelines, translated as ever. */
import { createRequire } from "node:module";
import { expect } from "chai";
import { BundleProcessor } from "../../../runners/bundle/bundle-processor.js";
import type { BundleInput } from "../../../runners/engine/bundle.js";
import type { Element } from "../../../runners/engine/element.js";
import { type ExecutableStage, translate } from "../../../runners/graph/translate.js";
import { beam, type PCollection, Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";
import {
  GLOBAL_WINDOW_END_MS,
  MAX_TIMESTAMP_MS,
  MIN_TIMESTAMP_MS,
} from "../../../transforms/primitives/timestamp-bounds.js";
import { GLOBAL_WINDOW } from "../../../transforms/primitives/window.js";
import { HOSTS, type HostOptions } from "./hosts.js";
import { element, failureOf, runBundle, window } from "./stages.js";
import type { TestScope } from "./test-scope.js";

/** The SDK's 64-bit numbers; the package is one of the SDK's. */
const Long = createRequire(import.meta.url)("long") as { fromNumber(value: number): never };

const SOURCE = "Source";

/** What follows a source, whose elements the test gives. */
function lastStage(apply: (source: PCollection<unknown>) => unknown): ExecutableStage {
  const pipeline = new Pipeline();
  const source = new Root(pipeline).apply(withName("Impulse", beam.impulse())).apply(
    withName(
      SOURCE,
      beam.groupBy((value: unknown) => String(value)),
    ),
  );
  apply(source as PCollection<unknown>);
  const { stages } = translate(pipeline.getProto());
  return stages.at(-1)!;
}

for (const kind of HOSTS) {
  describe(`the SDK's payloads in a BundleProcessor, ${kind.name}`, () => {
    /** Runs elements through what is applied to a source; the last step's output is kept whole. */
    async function run(
      apply: (source: PCollection<any>) => unknown,
      elements: readonly Element[],
      options: HostOptions = {},
    ): Promise<TestScope> {
      const host = kind.create(options);
      const stage = lastStage(apply);
      const outputs = stage.steps.flatMap((step) =>
        step.kind === "flatten" ? [step.output] : [...step.outputs.values()],
      );
      const processor = await BundleProcessor.create({ ...stage, outputs }, host);
      const [root] = stage.roots;
      const step = root!.consumers[0]!.step;
      const hasSide = step.kind === "parDo" && step.sideInputs.size > 0;
      const input: BundleInput = { kind: "elements", root: hasSide ? step.path : root!.collection, elements };
      return await runBundle(processor, host, [input]);
    }

    const lastOf = (scope: TestScope) => [...scope.emitted.values()].at(-1) ?? [];
    const valuesOf = (scope: TestScope) => lastOf(scope).map(({ value }) => value);
    const all = (...values: unknown[]) => values.map((value) => element(value));

    it("map and flatMap", async () => {
      const scope = await run(
        (source) =>
          source
            .map(withName("Twice", (x: number) => x * 2))
            .flatMap(withName("Pair", (x: number) => [x, -x])),
        all(1, 2),
      );
      expect(
        scope.values([...scope.emitted.keys()].find((id) => scope.values(id).length === 4)!),
      ).to.deep.equal([2, -2, 4, -4]);
    });
  });
}
void [Long, failureOf, GLOBAL_WINDOW, GLOBAL_WINDOW_END_MS, MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS, window];
