/** Scenarios of bags and combining state: what a key gathers. */
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { iterableSideInput } from "../../transforms/primitives/side-input-spec.js";
import { bagState, combiningState } from "../../transforms/primitives/state-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { parDo } from "./support/local-do-fn.js";
import { collect, expectInOrder, expectOutputs, runModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { elements, kv } from "./support/sources.js";

/** Keeps values until there are `size` of them, then emits them together. */
class BatchFn implements DoFn<KV<string, number>> {
  readonly batch = bagState<number>();
  readonly size: number;

  constructor(size: number) {
    this.size = size;
  }

  process({ key, value }: KV<string, number>, context: ProcessContext): void {
    const batch = context.state(this.batch);
    batch.add(value);
    const values = [...batch.read()];
    if (values.length < this.size) return;
    batch.clear();
    context.output(kv(key, values));
  }
}

const MEAN = {
  createAccumulator: () => ({ sum: 0, count: 0 }),
  addInput: (mean: { sum: number; count: number }, input: number) => ({
    sum: mean.sum + input,
    count: mean.count + 1,
  }),
  mergeAccumulators: (means: Iterable<{ sum: number; count: number }>) =>
    [...means].reduce((a, b) => ({ sum: a.sum + b.sum, count: a.count + b.count })),
  extractOutput: ({ sum, count }: { sum: number; count: number }) => (count === 0 ? -1 : sum / count),
};

scenariosOf("state", (it) => {
  it("a bag gives its values in order once it has enough", ["bag state"], async () => {
    const run = await runModel((root) =>
      elements(root, [kv("a", 4), kv("b", 7), kv("a", 2), kv("a", 9), kv("b", 8)])
        .apply(parDo("Batch", () => new BatchFn(3)))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("a", [4, 2, 9])]);
  });

  it("a cleared bag begins anew", ["bag state"], async () => {
    const run = await runModel((root) =>
      elements(
        root,
        [1, 2, 3, 4, 5].map((value) => kv("a", value)),
      )
        .apply(parDo("Batch", () => new BatchFn(2)))
        .apply(collect("out")),
    );
    expectInOrder(run, "out", [kv("a", [1, 2]), kv("a", [3, 4])]);
  });

  it("what a bag gave does not change when it is added to", ["bag state"], async () => {
    const run = await runModel((root) => {
      const bag = bagState<number>();
      elements(root, [kv("a", 1), kv("a", 2)])
        .apply(
          parDo("Read", () => ({
            bag,
            process({ value }: KV<string, number>, context: ProcessContext) {
              const state = context.state(bag);
              const before = state.read();
              const wasEmpty = state.isEmpty();
              state.add(value);
              context.output({
                before: [...before],
                wasEmpty,
                after: [...state.read()],
                isEmpty: state.isEmpty(),
              });
            },
          })),
        )
        .apply(collect("out"));
    });
    expectInOrder(run, "out", [
      { before: [], wasEmpty: true, after: [1], isEmpty: false },
      { before: [1], wasEmpty: false, after: [1, 2], isEmpty: false },
    ]);
  });

  it("a stateful step may read a side input", ["bag state", "iterable side input"], async () => {
    const run = await runModel((root) => {
      const bag = bagState<number>();
      const wanted = iterableSideInput<number>();
      const side = elements(root, [8, 42, 9], "Side");
      elements(root, [kv("a", 97), kv("a", 42), kv("a", 84), kv("a", 12)])
        .apply(
          parDo(
            "Batch",
            () => ({
              bag,
              wanted,
              process({ value }: KV<string, number>, context: ProcessContext) {
                const state = context.state(bag);
                state.add(value);
                const values = [...state.read()];
                if (values.length < 4) return;
                context.output(values.sort((a, b) => a - b));
                context.output([...context.sideInput(wanted)].sort((a, b) => a - b));
              },
            }),
            { sideInputs: { wanted: side } },
          ),
        )
        .apply(collect("out"));
    });
    expectInOrder(run, "out", [
      [12, 42, 84, 97],
      [8, 9, 42],
    ]);
  });

  it("a combining state gives the output of its accumulator", ["combining state"], async () => {
    const run = await runModel((root) => {
      const mean = combiningState(MEAN);
      elements(root, [kv("a", 1), kv("a", 3), kv("b", 10), kv("a", 8)])
        .apply(
          parDo("Mean", () => ({
            mean,
            process({ key, value }: KV<string, number>, context: ProcessContext) {
              const state = context.state(mean);
              state.add(value);
              context.output(kv(key, state.read()));
            },
          })),
        )
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [kv("a", 1), kv("a", 2), kv("a", 4), kv("b", 10)]);
  });

  it("an empty combining state gives the output of a fresh accumulator", ["combining state"], async () => {
    const run = await runModel((root) => {
      const mean = combiningState(MEAN);
      elements(root, [kv("a", 4)])
        .apply(
          parDo("Mean", () => ({
            mean,
            process({ value }: KV<string, number>, context: ProcessContext) {
              const state = context.state(mean);
              context.output([state.isEmpty(), state.read()]);
              state.add(value);
              context.output([state.isEmpty(), state.read()]);
              state.clear();
              context.output([state.isEmpty(), state.read()]);
            },
          })),
        )
        .apply(collect("out"));
    });
    expectInOrder(run, "out", [
      [true, -1],
      [false, 4],
      [true, -1],
    ]);
  });
});
