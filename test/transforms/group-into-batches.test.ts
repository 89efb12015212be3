/** groupIntoBatches on the direct runner: when a batch is full, what is left at a window's end, and what holds the watermark. */
import { expect } from "chai";
import { type GroupIntoBatchesOptions, groupIntoBatches } from "../../transforms/group-into-batches.js";
import { registerSizeFn } from "../../transforms/group-into-batches-fn.js";
import { periodicImpulse } from "../../transforms/periodic-impulse.js";
import { P, type PCollection, withName } from "../../transforms/primitives/beam.js";
import { StringUtf8Coder } from "../../transforms/primitives/coders/scalar-coders.js";
import { create } from "../../transforms/primitives/create.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import type { windowInto } from "../../transforms/primitives/window-into.js";
import { registerTimestampFn, withTimestamps } from "../../transforms/primitives/with-timestamps.js";
import { into } from "../model/support/into.js";
import { mapping } from "../model/support/local-do-fn.js";
import {
  collect,
  expectElements,
  expectOutputs,
  expectPanes,
  type ModelRun,
  runModel,
  runToFailure,
  startModel,
} from "../model/support/run-model.js";
import { at, elements, elementsAt, kv, streamed } from "../model/support/sources.js";
import {
  coderText,
  collectionOf,
  payloadOf,
  startGraph,
  transformNamed,
} from "./primitives/graph-under-test.js";

type Pair = KV<string, number>;

const LENGTH = registerSizeFn(
  "test/length@1",
  ({ times }: { readonly times: number }) =>
    (text: string) =>
      times * text.length,
);
const NEGATIVE = registerSizeFn("test/negative@1", (_: null) => () => -1);
const BEHIND = registerTimestampFn("test/behind@1", (_: null) => () => 25);

const script = () => testStream<Pair>();

const batched = (options: GroupIntoBatchesOptions) =>
  withName("Batch", groupIntoBatches<string, number>(options));

/** Batches of a stream, in windows of 10 ms. */
function batches(
  stream: ReturnType<typeof script>,
  options: GroupIntoBatchesOptions,
  windowing: Parameters<typeof windowInto>[1] = {},
): Promise<ModelRun> {
  return runModel((root) =>
    streamed(root, stream)
      .apply(into<Pair>("Window", fixedWindows(10), windowing))
      .apply(batched(options))
      .apply(collect("out")),
  );
}

describe("groupIntoBatches", () => {
  it("groupIntoBatches() gives full batches of a key in the order in which values came, and the rest at the end", async () => {
    const run = await runModel((root) =>
      elements(root, [kv("a", 1), kv("b", 9), kv("a", 2), kv("a", 3), kv("a", 4), kv("a", 5)])
        .apply(batched({ batchSize: 2 }))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("a", [1, 2]), kv("a", [3, 4]), kv("a", [5]), kv("b", [9])]);
  });

  it("groupIntoBatches() gives nothing for no element", async () => {
    const run = await runModel((root) =>
      elements<Pair>(root, [])
        .apply(batched({ batchSize: 2 }))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", []);
  });

  it("groupIntoBatches() never mixes windows, and gives a batch the earliest time of its values", async () => {
    const run = await batches(
      script()
        .addElements(at(6, kv("a", 1)), at(12, kv("a", 2)), at(3, kv("a", 3)), at(7, kv("a", 4)))
        .addElements(at(5, kv("a", 5)), at(11, kv("a", 6)))
        .advanceWatermarkToInfinity(),
      { batchSize: 3 },
    );
    expectElements(run, "out", [
      { value: kv("a", [1, 3, 4]), window: "0/10", timestampMs: 3 },
      { value: kv("a", [5]), window: "0/10", timestampMs: 5 },
      { value: kv("a", [2, 6]), window: "10/20", timestampMs: 11 },
    ]);
  });

  it("groupIntoBatches() puts an element of several windows into a batch of each", async () => {
    const run = await runModel((root) =>
      elementsAt(root, [
        [kv("a", 1), 6],
        [kv("a", 2), 12],
      ] as const)
        .apply(into<Pair>("Window", slidingWindows({ sizeMs: 10, periodMs: 5 })))
        .apply(batched({ batchSize: 2 }))
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: kv("a", [1]), window: "0/10" },
      { value: kv("a", [1, 2]), window: "5/15" },
      { value: kv("a", [2]), window: "10/20" },
    ]);
  });

  it("groupIntoBatches() emits what is left when the watermark is at the window's end, not at its expiration", async () => {
    const run = await batches(
      script()
        .addElements(at(1, kv("a", 1)))
        .advanceWatermarkTo(10)
        .addElements(at(15, kv("a", 2)), at(2, kv("a", 3)), at(3, kv("a", 4)))
        .advanceWatermarkTo(40)
        .addElements(at(4, kv("a", 5)))
        .advanceWatermarkToInfinity(),
      { batchSize: 10 },
      { allowedLatenessMs: 20 },
    );
    expectPanes(run, "out", [
      { value: kv("a", [1]), window: "0/10", timestampMs: 1 },
      { value: kv("a", [3, 4]), window: "0/10", timestampMs: 2 },
      { value: kv("a", [2]), window: "10/20", timestampMs: 15 },
    ]);
  });

  it("groupIntoBatches() emits what is left after maxBufferingDurationMs, counted from the batch's first value", async () => {
    const run = await batches(
      script()
        .addElements(at(5, kv("a", 1)))
        .advanceProcessingTime(60_000)
        .addElements(at(4, kv("a", 2)))
        .advanceProcessingTime(30_000)
        .addElements(at(6, kv("a", 3)))
        .advanceProcessingTime(20_000)
        .addElements(at(7, kv("a", 4)))
        .advanceProcessingTime(90_000)
        .addElements(at(8, kv("a", 5)))
        .advanceProcessingTime(20_000)
        .addElements(at(9, kv("a", 6)))
        .advanceWatermarkToInfinity(),
      { batchSize: 10, maxBufferingDurationMs: 100_000 },
    );
    expectPanes(run, "out", [
      { value: kv("a", [1, 2, 3]), timestampMs: 4 },
      { value: kv("a", [4, 5]), timestampMs: 7 },
      { value: kv("a", [6]), timestampMs: 9 },
    ]);
  });

  it("groupIntoBatches() counts maxBufferingDurationMs anew behind a batch that was full", async () => {
    const run = await batches(
      script()
        .addElements(at(1, kv("a", 1)))
        .advanceProcessingTime(60)
        .addElements(at(2, kv("a", 2)), at(3, kv("a", 3)))
        .advanceProcessingTime(99)
        .addElements(at(4, kv("a", 4)))
        .advanceProcessingTime(1)
        .addElements(at(5, kv("a", 5)))
        .advanceWatermarkToInfinity(),
      { batchSize: 2, maxBufferingDurationMs: 100 },
    );
    expectPanes(run, "out", [
      { value: kv("a", [1, 2]) },
      { value: kv("a", [3, 4]) },
      { value: kv("a", [5]) },
    ]);
  });

  it("groupIntoBatches() holds the watermark at the earliest value of a batch, and no longer than it waits", async () => {
    const log: string[] = [];
    await runModel((root) => {
      const inBatches = streamed(
        root,
        script()
          .addElements(at(105, kv("a", 1)))
          .addElements(at(3, kv("a", 2)))
          .advanceWatermarkTo(50)
          .addElements(at(60, kv("b", 9)))
          .advanceWatermarkTo(100)
          .addElements(at(110, kv("a", 3)))
          .advanceWatermarkTo(200)
          .advanceWatermarkToInfinity(),
      ).apply(batched({ batchSize: 3 }));
      inBatches.apply(
        mapping("Log", ({ key, value }: KV<string, number[]>) => log.push(`batch ${key} ${value}`)),
      );
      inBatches
        .apply(into("Window", fixedWindows(10)))
        .apply(withName("Group", groupByKey<string, number[]>()))
        .apply(
          mapping("Log panes", ({ key, value }: KV<string, Iterable<number[]>>) =>
            log.push(`pane ${key} ${[...value].join("|")}`),
          ),
        );
    });
    // The batch of "a" comes behind the watermark of its input, and on time by that of its output.
    expect(log).to.deep.equal(["batch a 1,2,3", "pane a 1,2,3", "batch b 9", "pane b 9"]);
  });

  it("groupIntoBatches() does not hold a grouping behind it for the allowed lateness", async () => {
    const log: string[] = [];
    await runModel((root) =>
      streamed(
        root,
        script()
          .addElements(at(1, kv("a", 1)))
          .advanceWatermarkTo(10)
          .addElements(at(15, kv("b", 2)))
          .advanceWatermarkToInfinity(),
      )
        .apply(into<Pair>("Window", fixedWindows(10), { allowedLatenessMs: 1000 }))
        .apply(batched({ batchSize: 3 }))
        .apply(withName("Group", groupByKey<string, number[]>()))
        .apply(mapping("Log panes", ({ key }: KV<string, Iterable<number[]>>) => log.push(key))),
    );
    expect(log).to.deep.equal(["a", "b"]);
  });

  it("groupIntoBatches() emits what it has when the pipeline drains, each value once", async () => {
    const startMs = Date.now();
    let tenth: () => void = () => {};
    const enough = new Promise<void>((resolve) => {
      tenth = resolve;
    });
    const run = await startModel((root) =>
      root
        .apply(withName("Ticks", periodicImpulse({ startMs, intervalMs: 2 })))
        .apply(
          mapping<number, Pair>("Key", (value) => {
            if (value >= startMs + 18) tenth();
            return kv("k", value);
          }),
        )
        .apply(batched({ batchSize: 4, maxBufferingDurationMs: 3_600_000 }))
        .apply(collect("out")),
    );
    await enough;
    await run.result.drain();
    expect(run.state).to.equal("DRAINED");
    const batches = (run.values("out") as KV<string, number[]>[]).map(({ value }) => value);
    const values = batches.flat();
    expect(values).to.deep.equal(values.map((_, index) => startMs + 2 * index));
    expect(values.length).to.be.at.least(10);
    expect(batches.slice(0, -1).every(({ length }) => length === 4)).to.equal(true);
  });

  it("groupIntoBatches() emits at once what was given a time behind its window", async () => {
    const run = await runModel((root) =>
      elementsAt(root, [
        [kv("a", 1), 1],
        [kv("a", 2), 2],
      ] as const)
        .apply(into<Pair>("Window", fixedWindows(10)))
        .apply(withName("Behind", withTimestamps<Pair>(BEHIND, null)))
        .apply(batched({ batchSize: 5 }))
        .apply(collect("out")),
    );
    expectElements(run, "out", [
      { value: kv("a", [1]), window: "0/10", timestampMs: 25 },
      { value: kv("a", [2]), window: "0/10", timestampMs: 25 },
    ]);
  });

  it("groupIntoBatches() with batchBytes keeps within it, but for a value that is larger alone", async () => {
    const texts = ["12345", "123", "12", "1", "12345678901234", "123456", "1234"];
    const run = await runModel((root) =>
      elements(
        root,
        texts.map((text) => kv("k", text)),
      )
        .apply(
          withName(
            "Batch",
            groupIntoBatches<string, string>({
              batchBytes: 20,
              sizeFn: { fn: LENGTH, config: { times: 2 } },
            }),
          ),
        )
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [
      kv("k", ["12345", "123", "12"]),
      kv("k", ["1"]),
      kv("k", ["12345678901234"]),
      kv("k", ["123456", "1234"]),
    ]);
  });

  it("groupIntoBatches() measures encodings where there is no size function, and counts as well", async () => {
    const run = await runModel((root) =>
      root
        .apply(
          withName("Texts", create(["aaaa", "bb", "ccc", "d", "e", "f"], { coder: new StringUtf8Coder() })),
        )
        .apply(mapping<string, KV<string, string>>("Key", (text) => kv("k", text)))
        .apply(withName("Batch", groupIntoBatches<string, string>({ batchSize: 3, batchBytes: 12 })))
        .apply(collect("out")),
    );
    // Under the general coder a text has two bytes more, and its whole encoding no length.
    expectOutputs(run, "out", [kv("k", ["aaaa", "bb"]), kv("k", ["ccc", "d", "e"]), kv("k", ["f"])]);
  });

  it("groupIntoBatches() is a composite of Beam's stateful ParDo, under the coders of its input", () => {
    const { pipeline, root } = startGraph();
    const options = { batchSize: 3, maxBufferingDurationMs: 5 };
    const pairs: PCollection<Pair> = elements(root, [kv("a", 1)]);
    const out = P(pairs).apply(batched(options));
    const outer = transformNamed(pipeline, "Batch");
    expect(outer.spec!.urn).to.equal("millrace:transform:group_into_batches:v1");
    expect(JSON.parse(new TextDecoder().decode(outer.spec!.payload))).to.deep.equal(options);
    expect(transformNamed(pipeline, "Batch/Batch").spec!.urn).to.equal("beam:transform:pardo:v1");
    const { stateSpecs, timerFamilySpecs, onWindowExpirationTimerFamilySpec } = payloadOf(
      pipeline,
      "Batch/Batch",
    );
    expect(Object.keys(stateSpecs)).to.have.members(["batch", "buffered"]);
    expect(Object.keys(timerFamilySpecs)).to.have.members(["endOfWindow", "endOfBuffering"]);
    P(pairs).apply(withName("Unhurried", groupIntoBatches<string, number>({ batchSize: 3 })));
    const unhurried = payloadOf(pipeline, "Unhurried/Batch");
    expect(Object.keys(unhurried.timerFamilySpecs)).to.deep.equal(["endOfWindow"]);
    expect(onWindowExpirationTimerFamilySpec).to.equal("");
    expect(coderText(pipeline, collectionOf(pipeline, out).coderId)).to.equal(
      "kv<genericobjectjs, iterable<genericobjectjs>>",
    );
  });

  for (const [what, options, message] of [
    ["no limit", {}, "groupIntoBatches must be given batchSize or batchBytes, got neither"],
    [
      "a size of 0",
      { batchSize: 0 },
      "batchSize of groupIntoBatches must be a whole number of at least 1, got 0",
    ],
    [
      "half a byte",
      { batchBytes: 0.5 },
      "batchBytes of groupIntoBatches must be a whole number of at least 1, got 0.5",
    ],
    [
      "a negative duration",
      { batchSize: 1, maxBufferingDurationMs: -1 },
      "maxBufferingDurationMs of groupIntoBatches must be a whole number of at least 1, got -1",
    ],
    [
      "a size function without a limit for it",
      { batchSize: 1, sizeFn: { fn: LENGTH } },
      `sizeFn of groupIntoBatches measures batchBytes, which is not given, got "${LENGTH}"`,
    ],
  ] as [string, GroupIntoBatchesOptions, string][]) {
    it(`groupIntoBatches() refuses ${what}`, () => {
      expect(() => groupIntoBatches(options)).to.throw(message);
    });
  }

  it("groupIntoBatches() refuses a size function that nobody registered, and one that gives no size", async () => {
    const run = (fn: string) => (root: Parameters<Parameters<typeof runModel>[0]>[0]) =>
      elements(root, [kv("a", 1)]).apply(batched({ batchBytes: 5, sizeFn: { fn } }));
    await runToFailure(run("nobody@1"), /no size function is registered as "nobody@1"/);
    await runToFailure(
      run(NEGATIVE),
      /size function "test\/negative@1" must give a number of at least 0, got -1/,
    );
  });
});
