/** What a graph asks of its runner, and how a runner refuses it. */
import { expect } from "chai";
import {
  checkFeatures,
  type Feature,
  featuresOf,
  UnsupportedFeatureError,
} from "../../../runners/graph/features.js";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import {
  beam,
  impulse,
  P,
  type PCollection,
  Pipeline,
  Root,
  runnerApi,
  withName,
} from "../../../transforms/primitives/beam.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { reshuffle } from "../../../transforms/primitives/reshuffle.js";
import {
  iterableSideInput,
  mapSideInput,
  multimapSideInput,
  singletonSideInput,
} from "../../../transforms/primitives/side-input-spec.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { bagState, mapState, setState, valueState } from "../../../transforms/primitives/state-spec.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";
import { eventTimeTimer, processingTimeTimer } from "../../../transforms/primitives/timer-spec.js";
import {
  afterCount,
  afterFirst,
  afterProcessingTime,
  afterWatermark,
  never,
  orFinally,
  repeatedly,
} from "../../../transforms/primitives/triggers.js";
import { jsonPayload } from "../../../transforms/primitives/window-fn.js";
import {
  calendarDays,
  fixedWindows,
  globalWindows,
  sessions,
  slidingWindows,
} from "../../../transforms/primitives/window-fns.js";
import { type WindowingOptions, windowInto } from "../../../transforms/primitives/window-into.js";

type Pc = PCollection<unknown>;

const everyNameIsRegistered = () => true;
const step = (name: string, input: Pc): Pc =>
  P(input).apply(withName(name, registeredParDo<unknown, unknown>("fn@1", null)));

function protoOf(build: (input: Pc) => void): runnerApi.Pipeline {
  const pipeline = new Pipeline();
  build(new Root(pipeline).apply(withName("Impulse", impulse())));
  return graphProto(pipeline);
}

/** The features of a graph as `step: feature (detail)`. */
function usesOf(proto: runnerApi.Pipeline): string[] {
  return featuresOf(proto, everyNameIsRegistered).map(
    ({ step, feature, detail }) => `${step}: ${feature} (${detail})`,
  );
}

/** Changes the payload of a ParDo in the proto. */
function withPayload(proto: runnerApi.Pipeline, path: string, change: Partial<runnerApi.ParDoPayload>): void {
  const { spec } = proto.components!.transforms[path]!;
  const payload = runnerApi.ParDoPayload.fromBinary(spec!.payload);
  spec!.payload = runnerApi.ParDoPayload.toBinary({ ...payload, ...change });
}

/** Changes the windowing strategy that a step's output has, by giving it one of its own. */
function withStrategy(
  proto: runnerApi.Pipeline,
  output: string,
  change: Partial<runnerApi.WindowingStrategy>,
): void {
  const { pcollections, windowingStrategies } = proto.components!;
  windowingStrategies["changed"] = { ...windowingStrategies["globalWindowing"]!, ...change };
  pcollections[output]!.windowingStrategyId = "changed";
}

describe("featuresOf", () => {
  it("featuresOf() finds nothing to ask in ParDo, Flatten and Impulse of registered DoFns", () => {
    expect(usesOf(protoOf((input) => step("B", step("A", input))))).to.deep.equal([]);
  });

  it("featuresOf() names GroupByKey and the SDK's functions around it", () => {
    const proto = protoOf((input) => step("A", input).apply(withName("ByKey", beam.groupBy("k"))));
    const uses = usesOf(proto);
    expect(uses).to.include("ByKey/groupByKey/groupByKey: GroupByKey ()");
    expect(uses.some((use) => use.includes("SDK-serialised DoFn"))).to.equal(true);
    expect(uses.some((use) => use.includes("SDK identity DoFn"))).to.equal(true);
  });

  it("featuresOf() names a map with a closure as SDK-serialised", () => {
    const proto = protoOf((input) => step("A", input).map(withName("Double", (x: unknown) => x) as never));
    expect(usesOf(proto)).to.deep.equal(["map(Double): SDK-serialised DoFn ()"]);
  });

  it("featuresOf() names side inputs with their local names", () => {
    const proto = protoOf((input) => {
      const side = { rates: beam.iterableSideInput(step("Rates", input)) };
      step("A", input).map(withName("Enrich", (x: unknown) => x) as never, side as never);
    });
    expect(usesOf(proto)).to.include("map(Enrich): iterable side input (side.rates)");
  });

  it("featuresOf() names windowInto once, where it is applied", () => {
    const proto = protoOf((input) => {
      const windowed = step("A", input).apply(withName("Window", beam.windowInto(beam.fixedWindows(60))));
      step("B", windowed);
    });
    expect(usesOf(proto)).to.deep.equal(["Window: SDK window assignment ()", "Window: fixed windows ()"]);
  });

  it("featuresOf() names merging windows", () => {
    const proto = protoOf((input) =>
      step("A", input).apply(withName("Window", beam.windowInto(beam.sessions(60)))),
    );
    expect(usesOf(proto)).to.include("Window: merging windows ()");
  });

  it("featuresOf() names timestamps and splits of the SDK", () => {
    const proto = protoOf((input) => {
      const stamp = beam.assignTimestamps((() => 0) as never);
      step("A", input)
        .apply(withName("Stamp", stamp))
        .apply(withName("Split", beam.split(["x", "y"])));
    });
    expect(usesOf(proto)).to.deep.equal(["Stamp: SDK timestamp assignment ()", "Split: SDK split DoFn ()"]);
  });

  it("featuresOf() names a splittable DoFn and bundle finalization", () => {
    const options = { bounded: true, requestsFinalization: true };
    const proto = protoOf((input) =>
      P(input).apply(withName("Read", splittableParDo("read@1", null, options))),
    );
    expect(usesOf(proto)).to.deep.equal(["Read: bounded splittable DoFn ()", "Read: bundle finalization ()"]);
  });

  it("featuresOf() names state, timers and what else a payload asks", () => {
    const proto = protoOf((input) => step("A", input));
    withPayload(proto, "A", {
      stateSpecs: { seen: { spec: { oneofKind: undefined } }, count: { spec: { oneofKind: undefined } } },
      timerFamilySpecs: {
        flush: { timeDomain: 1, timerFamilyCoderId: "" },
        end: { timeDomain: 1, timerFamilyCoderId: "" },
      },
      onWindowExpirationTimerFamilySpec: "end",
      requiresTimeSortedInput: true,
      requiresStableInput: true,
    });
    expect(usesOf(proto)).to.deep.equal([
      "A: unknown state (seen, count)",
      "A: event-time timers (flush)",
      "A: on window expiration ()",
      "A: time-sorted input ()",
      "A: stable input ()",
    ]);
  });

  it("featuresOf() names triggers, panes, lateness and timestamp combiners", () => {
    const proto = protoOf((input) => step("A", input));
    withStrategy(proto, "A.main", {
      trigger: { trigger: { oneofKind: "elementCount", elementCount: { elementCount: 3 } } },
      accumulationMode: runnerApi.AccumulationMode_Enum.ACCUMULATING,
      outputTime: runnerApi.OutputTime_Enum.EARLIEST_IN_PANE,
      allowedLateness: 5000n,
    });
    expect(usesOf(proto)).to.deep.equal([
      "A: count trigger (elementCount)",
      "A: accumulating panes ()",
      "A: timestamp combiner (EARLIEST_IN_PANE)",
      "A: allowed lateness (5000 ms)",
    ]);
  });

  it("featuresOf() names a Flatten that mixes bounded with unbounded", () => {
    const proto = protoOf((input) =>
      P([step("A", input), step("B", input)]).apply(withName("All", beam.flatten<unknown>())),
    );
    proto.components!.pcollections["B.main"]!.isBounded = runnerApi.IsBounded_Enum.UNBOUNDED;
    expect(usesOf(proto)).to.deep.equal(["All: Flatten of bounded with unbounded ()"]);
  });

  it("featuresOf() names unknown transforms, DoFns, environments and requirements", () => {
    const proto = protoOf((input) => step("C", step("B", step("A", input))));
    const { transforms, environments } = proto.components!;
    transforms["A"]!.spec!.urn = "millrace:transform:leaf:v1";
    withPayload(proto, "B", { doFn: { urn: "beam:dofn:pickled_python_info:v1", payload: new Uint8Array() } });
    environments["other"] = { ...environments["jsEnvironment"]!, urn: "beam:env:docker:v1" };
    transforms["C"]!.environmentId = "other";
    proto.requirements.push("beam:requirement:odd:v1");
    expect(usesOf(proto)).to.deep.equal([
      "(pipeline): unknown requirement (beam:requirement:odd:v1)",
      "A: unknown transform (millrace:transform:leaf:v1)",
      "B: unknown DoFn (beam:dofn:pickled_python_info:v1)",
      "C: foreign environment (beam:env:docker:v1)",
    ]);
  });
});

describe("featuresOf windows, triggers, state and side inputs", () => {
  const everything = registerDoFn("test/features/everything@1", () => ({
    ...{ last: valueState(), all: bagState(), distinct: setState(), byName: mapState() },
    ...{ atTime: eventTimeTimer(), soon: processingTimeTimer() },
    ...{ rates: iterableSideInput(), limit: singletonSideInput() },
    ...{ names: mapSideInput(), groups: multimapSideInput() },
    process() {},
    onWindowExpiration() {},
  }));
  const windowed = (windowFn: Parameters<typeof windowInto>[0], options?: WindowingOptions) =>
    usesOf(
      protoOf((input) => {
        const window = P(input).apply(withName("Window", windowInto<unknown>(windowFn, options)));
        P(window).apply(withName("Group", groupByKey() as never));
      }),
    ).filter((use) => use.startsWith("Window") || use.includes("trigger"));

  it("featuresOf() names kinds of state, timers and side inputs by their fields", () => {
    const proto = protoOf((input) => {
      const trigger = repeatedly(afterCount(1));
      const options = { trigger, accumulation: "discarding" } as const;
      const side = P(input).apply(withName("Side", windowInto<unknown>(sessions(5), options)));
      const sideInputs = { rates: side, limit: input, names: input, groups: input };
      P(input).apply(withName("Step", registeredParDo<unknown, unknown>(everything, null, { sideInputs })));
    });
    expect(usesOf(proto).filter((use) => use.startsWith("Step/ParDo"))).to.deep.equal([
      "Step/ParDo: value state (last)",
      "Step/ParDo: bag state (all)",
      "Step/ParDo: set state (distinct)",
      "Step/ParDo: map state (byName)",
      "Step/ParDo: event-time timers (atTime)",
      "Step/ParDo: processing-time timers (soon)",
      "Step/ParDo: on window expiration ()",
      "Step/ParDo: iterable side input (rates)",
      "Step/ParDo: singleton side input (limit)",
      "Step/ParDo: map side input (names)",
      "Step/ParDo: multimap side input (groups)",
      "Step/ParDo: triggered side input (rates)",
      "Step/ParDo: side input of merging windows (rates)",
    ]);
  });

  it("featuresOf() names kinds of windows where they are assigned, not where they are grouped", () => {
    expect(windowed(globalWindows())).to.deep.equal([]);
    expect(windowed(slidingWindows({ sizeMs: 2, periodMs: 1 }))).to.deep.equal([
      "Window: sliding windows ()",
    ]);
    expect(windowed(calendarDays())).to.deep.equal(["Window: calendar windows ()"]);
    expect(windowed(sessions(5))).to.deep.equal(["Window: session windows ()", "Window: merging windows ()"]);
  });

  it("featuresOf() names custom windows, and a window function that is not registered here", () => {
    const windowFn = { ...fixedWindows(5), toProto: () => registeredProto("test/features/none@1") };
    expect(windowed(windowFn)).to.deep.equal([
      "Window: custom windows (test/features/none@1)",
      "Window: unregistered window function (test/features/none@1)",
    ]);
  });

  it("featuresOf() names every kind of trigger in a trigger", () => {
    const trigger = orFinally(
      repeatedly(afterFirst(afterCount(3), afterProcessingTime({ delayMs: 5 }))),
      afterWatermark({ late: never() }),
    );
    expect(windowed(globalWindows(), { trigger, accumulation: "accumulating" })).to.deep.equal([
      "Window: watermark trigger (afterEndOfWindow)",
      "Window: count trigger (elementCount)",
      "Window: processing-time trigger (afterProcessingTime)",
      "Window: composite triggers (repeat, afterAny, orFinally)",
      "Window: never trigger (never)",
      "Window: accumulating panes ()",
    ]);
  });

  it("featuresOf() names Reshuffle, TestStream and an unbounded splittable DoFn", () => {
    const proto = protoOf((input) => {
      P(input).apply(withName("Read", splittableParDo<unknown, unknown>("read@1", null, { bounded: false })));
      P(input).apply(withName("Shuffle", reshuffle<unknown>()));
      const root = new Root(input.pipeline);
      for (const name of ["Events", "More"]) root.apply(withName(name, testStream<string>()));
    });
    expect(usesOf(proto)).to.deep.equal([
      "(pipeline): several TestStreams (Events, More)",
      "Read: unbounded splittable DoFn ()",
      "Shuffle: Reshuffle ()",
      "Events: TestStream ()",
      "More: TestStream ()",
    ]);
  });
});

function registeredProto(fn: string): runnerApi.FunctionSpec {
  return { urn: "millrace:window_fn:registered:v1", payload: jsonPayload({ fn, config: null }) };
}

describe("checkFeatures", () => {
  const supporting = (...features: Feature[]) => ({
    runner: "direct",
    supported: new Set(features),
    isRegistered: everyNameIsRegistered,
  });

  it("checkFeatures() lets a graph pass whose features the runner has", () => {
    const proto = protoOf((input) =>
      P(input).apply(withName("Read", splittableParDo("read@1", null, { bounded: true }))),
    );
    expect(() => checkFeatures(proto, supporting("bounded splittable DoFn"))).to.not.throw();
  });

  it("checkFeatures() lists everything that the runner lacks, by step and feature", () => {
    const proto = protoOf((input) => {
      const windowed = step("A", input).apply(withName("Window", beam.windowInto(beam.fixedWindows(60))));
      (windowed as Pc).map(withName("Double", (x: unknown) => x) as never);
    });
    const error = caught(() => checkFeatures(proto, supporting("SDK window assignment")));
    expect(error).to.be.instanceOf(UnsupportedFeatureError);
    expect(error.code).to.equal("unsupported_feature");
    expect(error.features.map(({ step, feature }) => [step, feature])).to.deep.equal([
      ["Window", "fixed windows"],
      ["map(Double)", "SDK-serialised DoFn"],
    ]);
    expect(error.message).to.equal(
      [
        "the direct runner cannot run this pipeline, it lacks:",
        "  Window: fixed windows",
        "  map(Double): SDK-serialised DoFn",
      ].join("\n"),
    );
  });

  it("checkFeatures() refuses a DoFn that is not registered in this process", () => {
    const proto = protoOf((input) => step("A", input));
    const error = caught(() => checkFeatures(proto, { runner: "direct", supported: new Set() }));
    expect(error.features).to.deep.equal([{ step: "A", feature: "unregistered DoFn", detail: "fn@1" }]);
  });
});

function caught(run: () => void): UnsupportedFeatureError {
  try {
    run();
  } catch (error) {
    return error as UnsupportedFeatureError;
  }
  throw new Error("nothing was thrown");
}
