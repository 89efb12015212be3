/** Scenarios of value state: one cell a key, a window and a step. */
import { setTimeout as sleep } from "node:timers/promises";
import { withName } from "../../transforms/primitives/beam.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
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

scenariosOf("state", (it) => {
  it("a value persists from one element of a key to the next", ["value state"], async () => {
    const run = await runModel((root) =>
      elements(root, [kv("a", 42), kv("a", 97), kv("b", 84), kv("a", 12)])
        .apply(parDo("Count", () => new CountFn()))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("a", 0), kv("a", 1), kv("a", 2), kv("b", 0)]);
  });

  it(
    "elements of a key see what those before them kept, also where their bundle begins slowly",
    ["value state", "lifecycle", "async DoFn"],
    async () => {
      const run = await runModel((root) => {
        const count = valueState<number>();
        elements(root, [kv("a", 1), kv("a", 2), kv("a", 3), kv("a", 4)])
          .apply(
            parDo("Slow", () => ({
              count,
              startBundle: () => sleep(600), // long enough for a runner to ask for a part of the bundle
              process({ key }: KV<string, number>, context: ProcessContext) {
                const state = context.state(count);
                const before = state.read() ?? 0;
                state.write(before + 1);
                context.output(kv(key, before));
              },
            })),
          )
          .apply(collect("out"));
      });
      expectOutputs(run, "out", [kv("a", 0), kv("a", 1), kv("a", 2), kv("a", 3)]);
    },
  );

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
        .apply(into("Window", fixedWindows(10)))
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
          .apply(into("Window", slidingWindows({ sizeMs: 10, periodMs: 5 })))
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
          .apply(into("Window", fixedWindows(10), { allowedLatenessMs: 20 }))
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

  it("state over elements that have no key fails by name", ["value state", "faults"], async () => {
    await runToFailure(
      (root) =>
        elements(root, ["no key" as unknown as KV<string, string>]).apply(
          parDo("Keyless", () => new CountFn()),
        ),
      /Keyless.*must be \{ key, value \}, got 'no key'/s,
    );
  });
});
