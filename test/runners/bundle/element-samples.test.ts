/** Elements kept for somebody who looks, and that nothing is done where nobody asked for them. */
import { expect } from "chai";
import { ElementSamples } from "../../../runners/bundle/element-samples.js";
import { HOSTS } from "./hosts.js";
import { elements, fn, parDo, processorOf, runBundle } from "./stages.js";

const double = () =>
  fn<number>((value, context) => {
    context.output(value * 2, value);
  });

for (const kind of HOSTS) {
  describe(`ElementSamples in a BundleProcessor, ${kind.name}`, () => {
    it("keeps the last elements of each PCollection, inside of a stage and at its end", async () => {
      const samples = new ElementSamples(2);
      const host = Object.assign(kind.create(), { samples });
      const steps = [parDo("A", double()), parDo("B", double(), { input: "A" })];
      const processor = await processorOf(host, ...steps);
      expect(samples.of("A")).to.deep.equal([]);
      await runBundle(processor, host, [elements(1)]);
      expect(samples.of("A")).to.deep.equal([{ value: 2, timestampMs: 1 }]);
      await runBundle(processor, host, [elements(2, 3)]);
      const values = (collection: string) => samples.of(collection)!.map(({ value }) => value);
      expect([values("A"), values("B")]).to.deep.equal([
        [4, 6],
        [8, 12],
      ]);
      expect(samples.of("in"), "of others").to.equal(undefined);
    });

    it("is asked for when a stage is built, and for no element", async () => {
      let asked = 0;
      const host = Object.defineProperty(kind.create(), "samples", {
        get: () => {
          asked++;
          return undefined;
        },
      });
      const processor = await processorOf(host, parDo("A", double()), parDo("B", double(), { input: "A" }));
      const whenBuilt = asked;
      await runBundle(processor, host, [elements(...Array.from({ length: 1_000 }, (_, n) => n))]);
      expect([whenBuilt, asked]).to.deep.equal([2, 2]);
    });
  });
}
