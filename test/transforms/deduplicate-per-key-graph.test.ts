/** deduplicatePerKey and deduplicateBy as they stand in a graph, and their DoFn over both hosts. */
import { expect } from "chai";
import { deduplicateBy } from "../../transforms/deduplicate-by.js";
import { registerRepresentativeFn } from "../../transforms/deduplicate-by-fn.js";
import { deduplicatePerKey } from "../../transforms/deduplicate-per-key.js";
import { DeduplicatePerKeyFn } from "../../transforms/deduplicate-per-key-fn.js";
import { P, type PCollection, runnerApi, withName } from "../../transforms/primitives/beam.js";
import { StringUtf8Coder } from "../../transforms/primitives/coders/scalar-coders.js";
import { kvCoderId } from "../../transforms/primitives/graph-coders.js";
import { createOutput, parDoSpec } from "../../transforms/primitives/par-do.js";
import type { TimeDomain } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { HOSTS } from "../runners/bundle/hosts.js";
import { firing, item, keyed, parDo, processorOf, runBundle, window } from "../runners/bundle/stages.js";
import {
  coderText,
  collectionOf,
  type GraphUnderTest,
  payloadOf,
  startGraph,
  strategyOf,
  transformNamed,
} from "./primitives/graph-under-test.js";

type Pairs = PCollection<KV<string, number>>;

const horizonOf = (timeDomain: TimeDomain) => ({ timeDomain, durationMs: 60_000 });

const FIRST_LETTER = registerRepresentativeFn("test/first-letter@1", (_: null) => (text: string) => text[0]);

/** Pairs under a coder of strings and general values, in windows of a minute. */
function pairs({ pipeline, input }: GraphUnderTest): Pairs {
  const withCoder = P(input as PCollection<unknown>).apply(
    withName("Pairs", (_in: unknown, _pipeline: unknown, proto: runnerApi.PTransform) => {
      proto.spec = parDoSpec({ fn: "fn@1", config: null }, {});
      return createOutput(pipeline, false, kvCoderId(pipeline, pipeline.getCoderId(new StringUtf8Coder())));
    }),
  );
  return P(withCoder).apply(withName("Window", windowInto<unknown>(fixedWindows(60_000)))) as Pairs;
}

function configOf(transform: runnerApi.PTransform): unknown {
  return JSON.parse(new TextDecoder().decode(transform.spec!.payload));
}

describe("deduplicatePerKey in a graph", () => {
  for (const [timeDomain, inProto] of [
    ["event-time", runnerApi.TimeDomain_Enum.EVENT_TIME],
    ["processing-time", runnerApi.TimeDomain_Enum.PROCESSING_TIME],
  ] as const) {
    it(`deduplicatePerKey() in ${timeDomain} is a composite of Beam's stateful ParDo with one state and one timer`, () => {
      const graph = startGraph();
      const { pipeline } = graph;
      const horizon = horizonOf(timeDomain);
      P(pairs(graph)).apply(withName("Dedupe", deduplicatePerKey<string, number>({ horizon })));
      const outer = transformNamed(pipeline, "Dedupe");
      expect(outer.spec!.urn).to.equal("millrace:transform:deduplicate_per_key:v1");
      expect(configOf(outer)).to.deep.equal({ horizon });
      expect(transformNamed(pipeline, "Dedupe/DropRepeats").spec!.urn).to.equal("beam:transform:pardo:v1");

      const { stateSpecs, timerFamilySpecs, doFn } = payloadOf(pipeline, "Dedupe/DropRepeats");
      expect(JSON.parse(new TextDecoder().decode(doFn!.payload))).to.deep.equal({
        fn: "deduplicate-per-key@1",
        config: { horizon },
      });
      expect(Object.keys(stateSpecs)).to.deep.equal(["seen"]);
      const { spec } = stateSpecs["seen"]!;
      const coderId = spec.oneofKind === "readModifyWriteSpec" ? spec.readModifyWriteSpec.coderId : "";
      expect(coderText(pipeline, coderId)).to.equal("bool");
      expect(Object.keys(timerFamilySpecs)).to.deep.equal(["expiry"]);
      const timer = timerFamilySpecs["expiry"]!;
      expect(timer.timeDomain).to.equal(inProto);
      expect(coderText(pipeline, timer.timerFamilyCoderId)).to.equal("timer<string_utf8, interval_window>");
      expect(pipeline.getProto().requirements).to.deep.equal(["beam:requirement:pardo:stateful:v1"]);
    });
  }

  it("deduplicatePerKey() keeps coder, windows and boundedness of its input", () => {
    const graph = startGraph();
    const { pipeline } = graph;
    const input = pairs(graph);
    const output = P(input).apply(
      withName("Dedupe", deduplicatePerKey<string, number>({ horizon: horizonOf("event-time") })),
    );
    expect(collectionOf(pipeline, output).coderId).to.equal(collectionOf(pipeline, input).coderId);
    expect(collectionOf(pipeline, output).isBounded).to.equal(runnerApi.IsBounded_Enum.UNBOUNDED);
    expect(strategyOf(pipeline, output)).to.equal(strategyOf(pipeline, input));
  });

  it("deduplicatePerKey() gives its input a KV coder where it has none, and its output the same", () => {
    const { pipeline, input } = startGraph();
    const output = P(input as PCollection<unknown> as Pairs).apply(
      withName("Dedupe", deduplicatePerKey<string, number>({ horizon: horizonOf("event-time") })),
    );
    const { outputs } = transformNamed(pipeline, "Dedupe/WithKeyCoder");
    expect(transformNamed(pipeline, "Dedupe/DropRepeats").inputs["main"]).to.equal(outputs["main"]);
    expect(coderText(pipeline, collectionOf(pipeline, output).coderId)).to.equal(
      "kv<genericobjectjs, genericobjectjs>",
    );
  });

  it("deduplicateBy() is a composite that keys by the coder given, and keeps its input's coder", () => {
    const { pipeline, input } = startGraph();
    const horizon = horizonOf("processing-time");
    const step = deduplicateBy<Uint8Array>(FIRST_LETTER, null, { horizon, coder: new StringUtf8Coder() });
    const output = P(input).apply(withName("Dedupe", step));
    const outer = transformNamed(pipeline, "Dedupe");
    expect(outer.spec!.urn).to.equal("millrace:transform:deduplicate_by:v1");
    expect(configOf(outer)).to.deep.equal({ fn: FIRST_LETTER, config: null, horizon });
    const { inputs } = transformNamed(pipeline, "Dedupe/DeduplicatePerKey/DropRepeats");
    const keyedCoder = pipeline.getProto().components!.pcollections[inputs["main"]!]!.coderId;
    const inputCoder = coderText(pipeline, collectionOf(pipeline, input).coderId);
    expect(coderText(pipeline, keyedCoder)).to.equal(`kv<string_utf8, ${inputCoder}>`);
    expect(collectionOf(pipeline, output).coderId).to.equal(collectionOf(pipeline, input).coderId);
  });
});

for (const kind of HOSTS) {
  describe(`DeduplicatePerKeyFn, ${kind.name}`, () => {
    it("passes the first element of a key, remembers it over bundles, and forgets it when its timer fires", async () => {
      const host = kind.create();
      const fn = new DeduplicatePerKeyFn({ horizon: { timeDomain: "event-time", durationMs: 3 } });
      const processor = await processorOf(host, parDo("D", fn));
      const run = (...items: Parameters<typeof keyed>[2][]) =>
        runBundle(processor, host, [keyed("D", "k", ...items)]);
      const expiry = firing({ family: "expiry", fireAtMs: 8, outputTimestampMs: undefined }, window(0));
      const first = await run(
        item("k", 1, 5, window(0)),
        item("k", 2, 6, window(0)),
        item("k", 3, 15, window(10)),
      );
      const second = await run(item("k", 4, 7, window(0)));
      const third = await run(expiry);
      const fourth = await run(item("k", 5, 9, window(0)));

      expect(first.values("D")).to.deep.equal([
        { key: "k", value: 1 },
        { key: "k", value: 3 },
      ]);
      expect(first.timers.map(({ window: { id }, family, set }) => [id, family, set])).to.deep.equal([
        ["0/10", "expiry", { domain: "event-time", fireAtMs: 8, outputTimestampMs: undefined }],
        ["10/20", "expiry", { domain: "event-time", fireAtMs: 18, outputTimestampMs: undefined }],
      ]);
      expect(first.counted).to.deep.equal(["D.duplicates inc 1"]);
      expect([second.values("D"), second.counted]).to.deep.equal([[], ["D.duplicates inc 1"]]);
      expect([third.values("D"), third.timers, third.counted]).to.deep.equal([[], [], []]);
      expect(fourth.values("D")).to.deep.equal([{ key: "k", value: 5 }]);
    });

    it("counts a horizon in processing time from the clock's now", async () => {
      const host = kind.create();
      const fn = new DeduplicatePerKeyFn({ horizon: { timeDomain: "processing-time", durationMs: 30 } });
      const processor = await processorOf(host, parDo("D", fn));
      const { timers } = await runBundle(processor, host, [keyed("D", "k", item("k", 1, 5))], (scope) => {
        scope.nowMs = 1000;
      });
      expect(timers.map(({ set }) => set)).to.deep.equal([
        { domain: "processing-time", fireAtMs: 1030, outputTimestampMs: undefined },
      ]);
    });
  });
}
