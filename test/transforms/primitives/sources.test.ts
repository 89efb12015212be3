/** create, testStream, withTimestamps, combinePerKey and reshuffle: protos, and what their DoFns do. */
import { expect } from "chai";
import {
  P,
  type PCollection,
  type Pipeline,
  runnerApi,
  withName,
} from "../../../transforms/primitives/beam.js";
import { StringUtf8Coder, VarIntCoder } from "../../../transforms/primitives/coders/scalar-coders.js";
import { combinePerKey, registerCombineFn } from "../../../transforms/primitives/combine-per-key.js";
import { type CreateOptions, create } from "../../../transforms/primitives/create.js";
import { createDoFn } from "../../../transforms/primitives/fn-registry.js";
import type { RegisteredDoFn } from "../../../transforms/primitives/par-do.js";
import { reshuffle } from "../../../transforms/primitives/reshuffle.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";
import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from "../../../transforms/primitives/timestamp-bounds.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { fixedWindows } from "../../../transforms/primitives/window-fns.js";
import { windowInto } from "../../../transforms/primitives/window-into.js";
import { registerTimestampFn, withTimestamps } from "../../../transforms/primitives/with-timestamps.js";
import {
  coderText,
  collectionOf,
  emitted,
  payloadOf,
  startGraph,
  transformNamed,
} from "./graph-under-test.js";

const TIME_OF = registerTimestampFn(
  "test/time-of@1",
  ({ field }: { field: string }) =>
    (element: Record<string, number>) =>
      element[field]!,
);
const SUM = registerCombineFn("test/sum@1", ({ from }: { from: number }) => ({
  createAccumulator: () => from,
  addInput: (sum: number, input: number) => sum + input,
  mergeAccumulators: (sums: Iterable<number>) => [...sums].reduce((a, b) => a + b),
  extractOutput: (sum: number) => `sum ${sum}`,
}));

/** The DoFn of a step, built again from the graph alone. */
function doFnOf(pipeline: Pipeline, name: string) {
  const { fn, config } = JSON.parse(
    new TextDecoder().decode(payloadOf(pipeline, name).doFn!.payload),
  ) as RegisteredDoFn;
  return createDoFn(fn, config);
}

function created<T>(elements: readonly T[], options?: CreateOptions<T>) {
  const { pipeline, root } = startGraph();
  const output = root.apply(withName("Create", create(elements, options)));
  return { pipeline, output, emits: () => emitted(doFnOf(pipeline, "Create/Values"), undefined) };
}

describe("create", () => {
  it("create() emits exactly its elements, of any kind that the coder carries", () => {
    const elements = ["a", "ü€", 1, 2 ** 40, -0.5, true, null, [1, ["x"]], { a: { b: [] } }];
    expect(created(elements).emits()).to.deep.equal(elements);
  });

  it("create() of nothing emits nothing", () => {
    expect(created([]).emits()).to.deep.equal([]);
  });

  it("create() takes the given coder for elements and output", () => {
    const { pipeline, output, emits } = created(["x", "yz"], { coder: new StringUtf8Coder() });
    expect(coderText(pipeline, collectionOf(pipeline, output).coderId)).to.equal("string_utf8");
    expect(emits()).to.deep.equal(["x", "yz"]);
  });

  it("create() gives event times by list or by index, and needs one for each", () => {
    expect(created(["a", "b"], { timestampMs: [5, -7] }).emits()).to.deep.equal([
      ["a", 5],
      ["b", -7],
    ]);
    expect(created(["a", "b"], { timestampMs: (index) => index * 10 }).emits()).to.deep.equal([
      ["a", 0],
      ["b", 10],
    ]);
    expect(() => created(["a"], { timestampMs: [1, 2] })).to.throw(
      "create was given 1 elements and 2 event times",
    );
    expect(() => created(["a"], { timestampMs: [0.5] })).to.throw(
      "event time 0 of create must be a whole number, got 0.5",
    );
  });

  it("create() refuses an element that its coder cannot carry", () => {
    expect(() => created(["a"], { coder: new VarIntCoder() as never })).to.throw(/"a"/);
  });

  it("create() is bounded, and a composite of an impulse and a ParDo", () => {
    const { pipeline, output } = created([1]);
    expect(collectionOf(pipeline, output).isBounded).to.equal(runnerApi.IsBounded_Enum.BOUNDED);
    expect(transformNamed(pipeline, "Create/Impulse").spec!.urn).to.equal("beam:transform:impulse:v1");
    expect(transformNamed(pipeline, "Create/Values").spec!.urn).to.equal("beam:transform:pardo:v1");
  });
});

describe("testStream", () => {
  function payloadOfStream(stream: ReturnType<typeof testStream<string>>) {
    const { pipeline, root } = startGraph();
    const output = root.apply(withName("Events", stream));
    const { spec, environmentId } = transformNamed(pipeline, "Events");
    const payload = runnerApi.TestStreamPayload.fromBinary(spec!.payload);
    return { pipeline, output, payload, environmentId, urn: spec!.urn };
  }
  const strings = () => testStream<string>({ coder: new StringUtf8Coder() });

  it("testStream() writes elements, watermarks and processing time as Beam's payload, in order", () => {
    const { pipeline, output, payload, urn } = payloadOfStream(
      strings()
        .addElements("a")
        .advanceWatermarkTo(100)
        .addElements("b", { value: "c", timestampMs: 7 })
        .advanceProcessingTime(5000)
        .advanceWatermarkToInfinity(),
    );
    const bytes = (text: string) => new TextEncoder().encode(text);
    expect(urn).to.equal("beam:transform:teststream:v1");
    expect(payload.coderId).to.equal(collectionOf(pipeline, output).coderId);
    expect(payload.events.map(({ event }) => event)).to.deep.equal([
      {
        oneofKind: "elementEvent",
        elementEvent: { tag: "", elements: [{ encodedElement: bytes("a"), timestamp: -9223372036854775n }] },
      },
      { oneofKind: "watermarkEvent", watermarkEvent: { tag: "", newWatermark: 100n } },
      {
        oneofKind: "elementEvent",
        elementEvent: {
          tag: "",
          elements: [
            { encodedElement: bytes("b"), timestamp: 100n },
            { encodedElement: bytes("c"), timestamp: 7n },
          ],
        },
      },
      { oneofKind: "processingTimeEvent", processingTimeEvent: { advanceDuration: 5000n } },
      { oneofKind: "watermarkEvent", watermarkEvent: { tag: "", newWatermark: 9223372036854775n } },
    ]);
  });

  it("testStream() is unbounded and in no environment", () => {
    const { pipeline, output, environmentId } = payloadOfStream(strings());
    expect(collectionOf(pipeline, output).isBounded).to.equal(runnerApi.IsBounded_Enum.UNBOUNDED);
    expect(environmentId).to.equal("");
  });

  it("testStream() is not changed by what is added to it", () => {
    const start = strings().addElements("a");
    start.addElements("b");
    expect(payloadOfStream(start).payload.events).to.have.length(1);
  });

  it("testStream() refuses a watermark that goes back, and times that do not go forward", () => {
    expect(() => strings().advanceWatermarkTo(10).advanceWatermarkTo(9)).to.throw(
      "the watermark of a test stream must not go back: 10 → 9",
    );
    expect(() => strings().advanceWatermarkTo(MAX_TIMESTAMP_MS)).to.throw("advanceWatermarkToInfinity");
    expect(() => strings().addElements({ value: "a", timestampMs: MAX_TIMESTAMP_MS })).to.throw(
      "must be a whole number below 9223372036854774, got 9223372036854774",
    );
    expect(() => strings().advanceProcessingTime(0)).to.throw(
      "byMs of advanceProcessingTime must be at least 1, got 0",
    );
  });
});

describe("withTimestamps", () => {
  function stamped(options?: { allowedSkewMs: number }) {
    const { pipeline, input } = startGraph();
    const step = withTimestamps<Uint8Array>(TIME_OF, { field: "at" }, options);
    const output = P(input).apply(withName("Stamp", step));
    return { pipeline, input, output, stamp: doFnOf(pipeline, "Stamp") };
  }

  it("withTimestamps() emits elements at the time that the registered function tells", () => {
    const { stamp } = stamped();
    expect(emitted(stamp, { at: 50 }, MIN_TIMESTAMP_MS)).to.deep.equal([[{ at: 50 }, 50]]);
    expect(emitted(stamp, { at: 50 }, 50)).to.deep.equal([[{ at: 50 }, 50]]);
  });

  it("withTimestamps() that moves an element back is an error with both times, but for the allowed skew", () => {
    expect(() => emitted(stamped().stamp, { at: 49 }, 50)).to.throw(
      '"test/time-of@1" moves an element back from 50 to 49, which is more than allowedSkewMs (0)',
    );
    const { stamp } = stamped({ allowedSkewMs: 10 });
    expect(emitted(stamp, { at: 40 }, 50)).to.deep.equal([[{ at: 40 }, 40]]);
    expect(() => emitted(stamp, { at: 39 }, 50)).to.throw("from 50 to 39");
  });

  it("withTimestamps() refuses what is no time", () => {
    expect(() => emitted(stamped().stamp, {}, 0)).to.throw(
      '"test/time-of@1" must give a whole number of ms in Beam\'s range, got undefined',
    );
  });

  it("withTimestamps() keeps coder and windows", () => {
    const { pipeline, input, output } = stamped();
    const { coderId, windowingStrategyId } = collectionOf(pipeline, output);
    expect({ coderId, windowingStrategyId }).to.deep.equal({
      coderId: collectionOf(pipeline, input).coderId,
      windowingStrategyId: collectionOf(pipeline, input).windowingStrategyId,
    });
  });
});

describe("combinePerKey", () => {
  it("combinePerKey() is Beam's composite of a GroupByKey and a ParDo", () => {
    const { pipeline, input } = startGraph();
    P(input as unknown as PCollection<KV<string, number>>).apply(
      withName("Sum", combinePerKey<string, number, string>(SUM, { from: 10 })),
    );
    const { spec, subtransforms } = transformNamed(pipeline, "Sum/CombinePerKey");
    const { combineFn, accumulatorCoderId } = runnerApi.CombinePayload.fromBinary(spec!.payload);
    expect(spec!.urn).to.equal("beam:transform:combine_per_key:v1");
    expect(combineFn!.urn).to.equal("millrace:combine_fn:registered:v1");
    expect(JSON.parse(new TextDecoder().decode(combineFn!.payload))).to.deep.equal({
      fn: "test/sum@1",
      config: { from: 10 },
    });
    expect(coderText(pipeline, accumulatorCoderId)).to.equal("genericobjectjs");
    expect(subtransforms).to.have.length(2);
    const values = doFnOf(pipeline, "Sum/CombinePerKey/CombineValues");
    expect(emitted(values, { key: "k", value: [1, 2] })).to.deep.equal([{ key: "k", value: "sum 13" }]);
  });
});

describe("reshuffle", () => {
  it("reshuffle() is Beam's leaf, with coder, windows and boundedness of its input", () => {
    const { pipeline, root } = startGraph();
    const input = P(root.apply(withName("Events", testStream<string>()))).apply(
      withName("Window", windowInto<string>(fixedWindows(10))),
    );
    const output = P(input).apply(withName("Shuffle", reshuffle<string>()));
    const { spec, environmentId } = transformNamed(pipeline, "Shuffle");
    expect(spec!.urn).to.equal("beam:transform:reshuffle:v1");
    expect(environmentId).to.equal("");
    const { uniqueName: _, ...given } = collectionOf(pipeline, input);
    const { uniqueName: __, ...made } = collectionOf(pipeline, output);
    expect(made).to.deep.equal(given);
  });
});
