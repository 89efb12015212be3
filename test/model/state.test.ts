/** Scenarios of keyed state: value, bag, set, map and combining cells of a key and window. */
import { withName } from "../../transforms/primitives/beam.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { iterableSideInput } from "../../transforms/primitives/side-input-spec.js";
import { bagState, combiningState, valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { localParDo, parDo } from "./support/local-do-fn.js";
import {
  collect,
  expectElements,
  expectInOrder,
  expectOutputs,
  runModel,
  runToFailure,
} from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, elementsAt, kv, streamed } from "./support/sources.js";

/** Emits how many elements of the key came before. */
class CountFn implements DoFn<KV<unknown, unknown>> {
  readonly count = valueState<number>();

  process({ key }: KV<unknown, unknown>, context: ProcessContext): void {
    const state = context.state(this.count);
    const before = state.read() ?? 0;
    state.write(before + 1);
    context.output(kv(key, before));
  }
}

/** Emits a key's first element. */
class FirstOfKeyFn implements DoFn<KV<unknown, unknown>> {
  readonly seen = valueState<boolean>();

  process(element: KV<unknown, unknown>, context: ProcessContext): void {
    const seen = context.state(this.seen);
    if (seen.read()) return;
    seen.write(true);
    context.output(element);
  }
}

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
  it("a value persists from one element of a key to the next", ["value state"], async () => {
    const run = await runModel((root) =>
      elements(root, [kv("a", 42), kv("a", 97), kv("b", 84), kv("a", 12)])
        .apply(parDo("Count", () => new CountFn()))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("a", 0), kv("a", 1), kv("a", 2), kv("b", 0)]);
  });

  it("dedup by a value gives one output a key", ["value state"], async () => {
    const run = await runModel((root) =>
      elements(root, [kv("a", 1), kv("a", 1), kv("b", 2), kv("a", 1), kv("b", 2), kv("c", 3)])
        .apply(parDo("Dedup", () => new FirstOfKeyFn()))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("a", 1), kv("b", 2), kv("c", 3)]);
  });

  it("a value belongs to a key and a window", ["value state", "fixed windows"], async () => {
    const run = await runModel((root) =>
      elementsAt(root, [
        [kv("a", 1), 1],
        [kv("a", 2), 2],
        [kv("a", 3), 11],
        [kv("b", 4), 12],
        [kv("a", 5), 13],
      ])
        .apply(withName("Window", windowInto(fixedWindows(10))))
        .apply(parDo("Count", () => new CountFn()))
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: kv("a", 0), window: "0/10" },
      { value: kv("a", 1), window: "0/10" },
      { value: kv("a", 0), window: "10/20" },
      { value: kv("b", 0), window: "10/20" },
      { value: kv("a", 1), window: "10/20" },
    ]);
  });

  it(
    "an element in several windows meets the state of each",
    ["value state", "sliding windows"],
    async () => {
      const run = await runModel((root) =>
        elementsAt(root, [
          [kv("a", 1), 3],
          [kv("a", 2), 7],
        ])
          .apply(withName("Window", windowInto(slidingWindows({ sizeMs: 10, periodMs: 5 }))))
          .apply(parDo("Count", () => new CountFn()))
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: kv("a", 0), window: "-5/5", timestampMs: 3 },
        { value: kv("a", 0), window: "0/10", timestampMs: 3 },
        { value: kv("a", 1), window: "0/10", timestampMs: 7 },
        { value: kv("a", 0), window: "5/15", timestampMs: 7 },
      ]);
    },
  );

  it("the same state id in two steps names two states", ["value state"], async () => {
    const run = await runModel((root) => {
      const first = elements(root, [kv("a", 1), kv("a", 2), kv("a", 3)]).apply(
        parDo<KV<string, number>, KV<string, number>>("First", () => new CountFn()),
      );
      first.apply(collect("first"));
      first.apply(parDo("Second", () => new CountFn())).apply(collect("second"));
    });
    expectOutputs(run, "first", [kv("a", 0), kv("a", 1), kv("a", 2)]);
    expectOutputs(run, "second", [kv("a", 0), kv("a", 1), kv("a", 2)]);
  });

  it("a stateful step may emit to tagged outputs", ["value state", "ParDo"], async () => {
    const run = await runModel((root) => {
      const parity = valueState<boolean>();
      const { even, odd } = elements(root, [kv("a", 1), kv("a", 2), kv("a", 3)]).apply(
        withName(
          "Alternate",
          localParDo<KV<string, number>, { even: number; odd: number }>(
            () => ({
              parity,
              process({ value }: KV<string, number>, context: ProcessContext) {
                const state = context.state(parity);
                context.outputTo(state.read() ? "odd" : "even", value);
                state.write(!state.read());
              },
            }),
            { outputs: ["even", "odd"] },
          ),
        ),
      );
      even.apply(collect("even"));
      odd.apply(collect("odd"));
    });
    expectOutputs(run, "even", [1, 3]);
    expectOutputs(run, "odd", [2]);
  });

  it("a value never written, or cleared, reads as undefined", ["value state"], async () => {
    const run = await runModel((root) => {
      const last = valueState<number>();
      elements(root, [kv("a", 1), kv("a", 0), kv("a", 2)])
        .apply(
          parDo("Last", () => ({
            last,
            process({ value }: KV<string, number>, context: ProcessContext) {
              const state = context.state(last);
              context.output(state.read() ?? "none");
              if (value === 0) state.clear();
              else state.write(value);
              context.output(state.read() ?? "none");
            },
          })),
        )
        .apply(collect("out"));
    });
    expectInOrder(run, "out", ["none", 1, 1, "none", "none", 2]);
  });

  it(
    "a state keeps objects, arrays and numbers above 2^31 as they are",
    ["value state", "coders"],
    async () => {
      const values = [
        { at: 1_700_000_000_000, tags: ["x", "y"] },
        [1, [2, 3]],
        -178_907_878_346,
        "ü",
        true,
        0.25,
      ];
      const run = await runModel((root) => {
        const previous = valueState<unknown>();
        const input = [...values, "end"].map((value) => kv("a", value));
        elements(root, input)
          .apply(
            parDo("Previous", () => ({
              previous,
              process({ value }: KV<string, unknown>, context: ProcessContext) {
                const state = context.state(previous);
                if (state.read() !== undefined) context.output(state.read());
                state.write(value);
              },
            })),
          )
          .apply(collect("out"));
      });
      expectInOrder(run, "out", values);
    },
  );

  it("keys are told apart by their encoding, not by identity", ["value state", "coders"], async () => {
    const keys = [
      1_700_000_000_000,
      1_700_000_000_001,
      "1",
      1,
      true,
      { shop: 1 },
      { shop: 2 },
      { shop: 1 },
      "1",
    ];
    const run = await runModel((root) =>
      elements(
        root,
        keys.map((key) => kv(key, 0)),
      )
        .apply(parDo("Count", () => new CountFn()))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [
      kv(1_700_000_000_000, 0),
      kv(1_700_000_000_001, 0),
      kv("1", 0),
      kv("1", 1),
      kv(1, 0),
      kv(true, 0),
      kv({ shop: 1 }, 0),
      kv({ shop: 1 }, 1),
      kv({ shop: 2 }, 0),
    ]);
  });

  it("state outlives its bundle", ["value state", "TestStream"], async () => {
    const run = await runModel((root) =>
      streamed(
        root,
        testStream<KV<string, number>>()
          .addElements(at(1, kv("a", 1)), at(1, kv("b", 1)))
          .advanceWatermarkTo(5)
          .addElements(at(6, kv("a", 2)))
          .advanceWatermarkTo(10)
          .addElements(at(11, kv("a", 3)))
          .advanceWatermarkToInfinity(),
      )
        .apply(parDo("Count", () => new CountFn()))
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: kv("a", 0), timestampMs: 1 },
      { value: kv("b", 0), timestampMs: 1 },
      { value: kv("a", 1), timestampMs: 6 },
      { value: kv("a", 2), timestampMs: 11 },
    ]);
  });

  it(
    "a window's state lives as long as late elements are allowed",
    ["value state", "allowed lateness", "TestStream"],
    async () => {
      const run = await runModel((root) =>
        streamed(
          root,
          testStream<KV<string, number>>()
            .addElements(at(1, kv("a", 1)))
            .advanceWatermarkTo(15)
            .addElements(at(2, kv("a", 2)))
            .advanceWatermarkTo(100)
            .addElements(at(3, kv("a", 3)), at(101, kv("a", 4)))
            .advanceWatermarkToInfinity(),
        )
          .apply(withName("Window", windowInto(fixedWindows(10), { allowedLatenessMs: 20 })))
          .apply(parDo("Count", () => new CountFn()))
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: kv("a", 0), window: "0/10", timestampMs: 1 },
        { value: kv("a", 1), window: "0/10", timestampMs: 2 },
        { value: kv("a", 0), window: "100/110", timestampMs: 101 },
      ]);
    },
  );

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

  it("state over elements that have no key fails by name", ["value state", "faults"], async () => {
    await runToFailure(
      (root) =>
        elements(root, ["no key" as unknown as KV<string, string>]).apply(
          parDo("Keyless", () => new CountFn()),
        ),
      /Keyless|key/,
    );
  });
});
