/** `directRunner()` as whoever writes a Beam pipeline meets it: without a database. */
import { expect } from "chai";
import {
  createRunner,
  type DirectRunnerOptions,
  directRunner,
  NoDatabaseError,
  StepFailedError,
  UnsupportedFeatureError,
} from "millrace/runners";
import type { DirectPipelineResult } from "../../../runners/direct/pipeline-result.js";
import {
  beam,
  GeneralObjectCoder,
  JobState_Enum,
  P,
  type PCollection,
  Pipeline,
  type Root,
  Runner,
  runnerApi,
  withName,
} from "../../../transforms/primitives/beam.js";
import { create } from "../../../transforms/primitives/create.js";
import type { ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { testStream } from "../../../transforms/primitives/test-stream.js";
import { takeCollected, takeValues } from "../../support/collected.js";
import { ManualClock } from "../../support/manual-clock.js";
import {
  collect,
  counting,
  DATABASE,
  LOGGING,
  log,
  NAME,
  numbers,
  THROWING,
  ticks,
  until,
  windows,
} from "./number-pipelines.js";

/** What is rejected. */
async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: Error) => error,
  );
}

describe("directRunner()", () => {
  const running: DirectPipelineResult[] = [];
  beforeEach(() => {
    takeCollected(NAME);
    log.length = 0;
  });
  afterEach(async () => {
    for (const result of running.splice(0)) await result.cancel();
  });
  const start = async (...args: Parameters<ReturnType<typeof directRunner>["runAsync"]>) => {
    const result = await directRunner().runAsync(...args);
    running.push(result);
    return result;
  };

  it("is a Beam runner, and the one that createRunner gives by default", () => {
    for (const runner of [directRunner(), createRunner(), createRunner({ runner: "direct" })]) {
      expect(runner).to.be.instanceOf(Runner);
      expect(runner.constructor.name).to.equal("DirectBeamRunner");
    }
    expect(createRunner({ runner: "universal" }).constructor.name).not.to.equal("DirectBeamRunner");
    for (const runner of ["spark", "flink", "prism", "portable"]) {
      expect(createRunner({ runner, jobEndpoint: "localhost:1" }).constructor.name).to.equal(
        "PortableRunner",
      );
      expect(() => createRunner({ runner })).to.throw("the portable runner needs a `jobEndpoint`");
    }
    expect(() => createRunner({ runner: "none" })).to.throw("Unknown runner: none");
  });

  it("runs the SDK's own transforms to the end", async () => {
    const result = await directRunner().run((root) => {
      const lines = root.apply(withName("Lines", beam.create(["to be or", "not to be"])));
      const words = lines.apply(
        withName("Words", (input: PCollection<string>) => input.flatMap((line: string) => line.split(" "))),
      );
      const counts = words
        .apply(
          withName("Pair", (input: PCollection<string>) => input.map((word: string) => ({ word, n: 1 }))),
        )
        .apply(
          withName(
            "Sum",
            beam.groupBy("word").combining("n", (a: number, b: number) => a + b, "n"),
          ),
        );
      collect(counts as PCollection<unknown>);
    });
    expect(result.state).to.equal(JobState_Enum.DONE);
    expect(takeValues(NAME)).to.have.deep.members([
      { word: "to", n: 2 },
      { word: "be", n: 2 },
      { word: "or", n: 1 },
      { word: "not", n: 1 },
    ]);
  });

  it("runs a built pipeline, and one that comes as a proto from elsewhere", async () => {
    const pipeline = new Pipeline();
    collect(counting(new beam.Root(pipeline), 1, 2));
    const bytes = runnerApi.Pipeline.toBinary(pipeline.getProto());
    for (const given of [pipeline, runnerApi.Pipeline.fromBinary(bytes)]) {
      const result = await directRunner().runPipeline(given);
      expect(await result.waitUntilFinish()).to.equal(JobState_Enum.DONE);
      expect(takeValues(NAME)).to.deep.equal([1, 2]);
    }
  });

  it("keeps the options of a run, over the runner's own", async () => {
    const clock = new ManualClock();
    const lines: string[] = [];
    const own = { debug() {}, info: (line: string) => void lines.push(line), warn() {}, error() {} };
    const runner = directRunner({ clock: new ManualClock("1999-01-01T00:00:00Z"), pipelineName: "named" });
    await runner.run(
      (root) => collect(P(numbers(root, 1)).apply(withName("Log", registeredParDo(LOGGING, null)))),
      { clock, log: own },
    );
    expect(takeValues(NAME)).to.deep.equal([Date.parse("2025-01-01T00:00:00Z")]);
    expect(lines).to.deep.equal(["set up", "set up"].slice(0, lines.length));
    const result = await runner.runAsync((root) => collect(numbers(root, 1)), {});
    await result.waitUntilFinish();
    expect(result.job.pipeline).to.equal("named");
  });

  it("cuts bundles as it is told", async () => {
    const run = async (bundleElementsMax: number) => {
      const result = await directRunner({ bundleElementsMax }).run((root) => {
        const grouped = windows(numbers(root, 1, 2, 3, 4));
        P(grouped).apply(withName("Throw", registeredParDo(THROWING, "never")));
      });
      return result.metrics({ name: "tried" }).counters[0]?.committed;
    };
    expect(await run(1)).to.equal(2);
    expect(await run(1_000)).to.equal(2);
  });

  it("shows metrics by step and name, attempted and committed", async () => {
    const result = await directRunner().run((root) => void counting(root, 3, 1, 2));
    const one = (value: unknown) => [{ step: "Count", name: "x", attempted: value, committed: value }];
    const named = (name: string, value: unknown) => one(value).map((each) => ({ ...each, name }));
    const { counters, distributions, gauges } = result.metrics({ step: "Count" });
    expect(counters).to.deep.equal(named("seen", 3));
    expect(distributions).to.deep.equal(named("sizes", { count: 3, sum: 6, min: 1, max: 3 }));
    expect(gauges).to.have.length(1);
    expect(gauges[0]?.committed?.value).to.equal(2);
    expect(result.metrics({ name: "sizes" }).counters).to.deep.equal([]);
    expect(await result.counters()).to.deep.equal({ seen: 3 });
    expect(await result.distributions()).to.deep.equal({ sizes: { count: 3, sum: 6, min: 1, max: 3 } });
    const urns = (await result.rawMetrics()).map(({ urn }) => urn);
    expect(urns).to.deep.equal([
      "beam:metric:user:sum_int64:v1",
      "beam:metric:user:distribution_int64:v1",
      "beam:metric:user:latest_int64:v1",
    ]);
  });

  for (const method of ["setup", "startBundle", "process", "finishBundle"]) {
    it(`rejects with step, method and cause when ${method} throws, and tears down`, async () => {
      const result = await start((root) => {
        const logged = P(numbers(root, 1)).apply(withName("Log", registeredParDo(LOGGING, null)));
        P(logged).apply(withName("Throw", registeredParDo(THROWING, method)));
      });
      expect(await result.waitUntilFinish()).to.equal(JobState_Enum.FAILED);
      expect(result.failure).to.be.instanceOf(StepFailedError);
      expect(result.failure?.message).to.equal(`step "Throw" failed in ${method}: not today`);
      expect(result.failure?.cause).to.be.instanceOf(TypeError);
      expect(log).to.include("teardown");
      expect(log).not.to.include("committed 1");
    });
  }

  it("counts what failed as attempted, and rejects run with the failure itself", async () => {
    const pipeline = (root: Root) =>
      void P(counting(root, 1)).apply(withName("Throw", registeredParDo(THROWING, "process")));
    const error = await failure(directRunner().run(pipeline));
    expect(error.message).to.equal('step "Throw" failed in process: not today');
    const result = await start(pipeline);
    await result.waitUntilFinish();
    expect(result.metrics({ name: "seen" }).counters).to.deep.equal([
      { step: "Count", name: "seen", attempted: 1, committed: undefined },
    ]);
  });

  it("says which step asks for a database, and what to give", async () => {
    for (const [wants, text] of [
      [
        "database",
        'step "Use" failed in setup: step "Use" asks for the database, and this job has no database',
      ],
      [
        "transaction",
        'step "Use" failed in finishBundle: the step asks for the epoch\'s transaction, and this job',
      ],
    ] as const) {
      const error = await failure(
        directRunner().run(
          (root) => void P(numbers(root, 1)).apply(withName("Use", registeredParDo(DATABASE, wants))),
        ),
      );
      expect(error.message).to.include(text).and.to.include("`connection`");
      expect(error.cause).to.be.instanceOf(NoDatabaseError);
    }
  });

  it("wants a name for a pipeline with a connection", async () => {
    const options = { connection: { connectionString: "postgresql://localhost/none" } } as never;
    const error = await failure(directRunner(options).run((root) => void numbers(root, 1)));
    expect(error.message).to.match(/needs a `pipelineName`/);
  });

  it("refuses by name, before the first element, what it cannot run", async () => {
    const error = await failure(
      directRunner().run((root) => {
        const counted = counting(root, 1);
        collect(counted);
        P(counted).apply(
          withName(
            "Foreign",
            (_input: PCollection<number>, pipeline: Pipeline, proto: runnerApi.PTransform) => {
              proto.spec = { urn: "acme:transform:v1", payload: new Uint8Array() };
              return pipeline.createPCollectionInternal(new GeneralObjectCoder());
            },
          ),
        );
      }),
    );
    expect(error).to.be.instanceOf(UnsupportedFeatureError);
    expect(error.message).to.include("Foreign: unknown transform (acme:transform:v1)");
    expect(takeValues(NAME)).to.deep.equal([]);
  });

  it("goes on until drained: fires windows that are open, and ends DRAINED", async () => {
    const result = await start((root) => collect(windows(ticks(root, { atOnce: 15, delayMs: 3_600_000 }))));
    const before = ["even 0,2,4,6,8", "odd 1,3,5,7,9"];
    const seen: unknown[] = [];
    await until(() => seen.push(...takeValues(NAME)) >= 2);
    expect(seen).to.have.members(before);
    expect(result.state).to.equal(JobState_Enum.RUNNING);
    expect(await result.waitUntilFinish(1)).to.equal(JobState_Enum.RUNNING);
    expect(await result.drain()).to.equal(JobState_Enum.DRAINED);
    expect(takeValues(NAME)).to.have.members(["even 10,12,14", "odd 11,13"]);
  });

  it("stops at once when cancelled, and run rejects", async () => {
    const result = await start((root) => collect(windows(ticks(root, { atOnce: 15, delayMs: 3_600_000 }))));
    await until(() => takeValues(NAME).length > 0);
    expect(await result.cancel()).to.equal(JobState_Enum.CANCELLED);
    expect(result.failure).to.equal(undefined);
    expect(takeValues(NAME)).to.deep.equal([]);
  });

  it("waits for any duration, also one that is longer than Node's timers", async () => {
    const result = await start((root) => collect(ticks(root, { atOnce: 1, delayMs: 3_600_000 })));
    let isOver = false;
    const over = result.waitUntilFinish(2 ** 40).then((state) => {
      isOver = true;
      return state;
    });
    await until(() => takeValues(NAME).length > 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isOver).to.equal(false);
    await result.drain();
    expect(await over).to.equal(JobState_Enum.DRAINED);
  });

  it("ends as it would though a listener of the job fails, and logs that", async () => {
    const result = await start((root) => collect(numbers(root, 1)));
    result.job.subscribe(() => {
      throw new Error("not listening");
    });
    expect(await result.waitUntilFinish()).to.equal(JobState_Enum.DONE);
    const logged: string[] = [];
    for await (const message of result.messages()) if (message.kind === "log") logged.push(message.message);
    expect(logged).to.deep.equal([
      'a listener failed at the job\'s event "commit"',
      'a listener failed at the job\'s event "state"',
    ]);
  });

  it("takes an option that is undefined for one that is not given", async () => {
    const nothing = {
      clock: undefined,
      log: undefined,
      connection: undefined,
    } as object as DirectRunnerOptions;
    await directRunner(nothing).run((root) => collect(numbers(root, 1)), nothing);
    expect(takeValues(NAME)).to.deep.equal([1]);
  });

  for (const option of ["bundleRecordsMax", "bundleElementsMax"] as const) {
    it(`refuses a ${option} that is no whole number of at least 1`, async () => {
      for (const [value, shown] of [
        [0, "0"],
        [1.5, "1.5"],
        [Number.NaN, "NaN"],
        ["5", "'5'"],
      ] as const) {
        const error = await failure(
          directRunner({ [option]: value }).run((root) => collect(numbers(root, 1))),
        );
        expect(error.message).to.equal(`\`${option}\` must be a whole number of at least 1, got ${shown}`);
      }
    });
  }

  it("names the PCollection whose key has no encoding", async () => {
    const error = await failure(
      directRunner().run((root) => {
        const keyed = create([{ key: 1, value: 1 }]);
        const pairs = root
          .apply(withName("Pairs", keyed))
          .map(withName("BadKey", (pair: { value: number }) => ({ key: () => 1, value: pair.value })));
        collect(pairs.apply(withName("Group", groupByKey())));
      }),
    );
    expect(error.message).to.equal(
      'the key of an element of PCollection "Group/WithKeyCoder.main" cannot be encoded: value: a function cannot be encoded',
    );
  });

  it("names the step whose callback after the commit fails", async () => {
    const failing = registerDoFn("fails-after-commit@beam-runner", () => ({
      process: (_: unknown, context: ProcessContext) =>
        context.afterCommit(() => {
          throw new Error("cannot publish");
        }),
    }));
    const error = await failure(
      directRunner().run((root) =>
        P(numbers(root, 1)).apply(withName("Publish", registeredParDo(failing, null))),
      ),
    );
    expect(error).to.be.instanceOf(StepFailedError);
    expect(error.message).to.equal('step "Publish" failed in afterCommit: cannot publish');
  });

  for (const delayMs of [3_600_000, null]) {
    it(`with once, ends with what a source that ${delayMs ? "waits" : "ends"} has, and leaves windows open`, async () => {
      const result = await directRunner({ once: true }).run((root) =>
        collect(windows(ticks(root, { atOnce: 15, delayMs }))),
      );
      expect(result.state).to.equal(JobState_Enum.DONE);
      const expected = delayMs === null ? [] : ["even 0,2,4,6,8", "odd 1,3,5,7,9"];
      expect(takeValues(NAME)).to.have.members(expected);
    });
  }

  it("gives log lines and states as messages", async () => {
    const clock = new ManualClock();
    const result = await directRunner({ clock }).run(
      (root) => void P(numbers(root, 7)).apply(withName("Log", registeredParDo(LOGGING, null))),
    );
    const messages: unknown[] = [];
    for await (const message of result.messages()) messages.push(message);
    const timeMs = clock.now();
    const saw = { kind: "log", timeMs, level: "warn", message: "saw", facts: { value: 7 } };
    expect(messages).to.deep.include(saw);
    expect(messages.filter((message) => (message as { kind: string }).kind === "state")).to.deep.equal(
      ["STARTING", "RUNNING", "DONE"].map((state) => ({ kind: "state", timeMs, state })),
    );
    expect(log.filter((line) => line.startsWith("committed"))).to.deep.equal(["committed 7"]);
  });

  it("shows DoFns the script's time while a test stream plays", async () => {
    const clock = new ManualClock();
    const startMs = clock.now();
    await directRunner({ clock }).run((root) => {
      const script = testStream<number>()
        .addElements(1)
        .advanceProcessingTime(60_000)
        .addElements(2)
        .advanceWatermarkToInfinity();
      const played = root.apply(withName("Script", script));
      collect(P(played).apply(withName("Log", registeredParDo(LOGGING, null))));
    });
    expect(takeValues(NAME)).to.deep.equal([startMs, startMs + 60_000]);
    expect(clock.monotonicMs()).to.equal(0);
  });

  it("counts elements that are dropped because they are late", async () => {
    const result = await directRunner().run((root) => {
      const script = testStream<number>()
        .addElements({ value: 1, timestampMs: 1_000 })
        .advanceWatermarkTo(20_000)
        .addElements({ value: 3, timestampMs: 2_000 })
        .advanceWatermarkToInfinity();
      collect(windows(root.apply(withName("Script", script))));
    });
    expect(takeValues(NAME)).to.deep.equal(["odd 1"]);
    expect(result.metrics({ name: "droppedDueToLateness" }).counters).to.deep.equal([
      { step: "Group/GroupByKey", name: "droppedDueToLateness", attempted: 1, committed: 1 },
    ]);
  });
});
