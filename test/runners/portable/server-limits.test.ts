/** checkForServer(): what Beam's runners cannot do is told before the job. */
import { PipelineOptionType_Enum as Type } from "apache-beam/proto/beam_job_api";
import { expect } from "chai";
import { UnsupportedFeatureError } from "../../../runners/graph/features.js";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { type PipelineOptions, PipelineOptionsError } from "../../../runners/portable/pipeline-options.js";
import { checkForServer, type ServerKind, serverKind } from "../../../runners/portable/server-limits.js";
import {
  impulse,
  P,
  type PCollection,
  Pipeline,
  Root,
  withName,
} from "../../../transforms/primitives/beam.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { iterableSideInput, multimapSideInput } from "../../../transforms/primitives/side-input-spec.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import { processingTimeTimer } from "../../../transforms/primitives/timer-spec.js";
import { COUNTING, FAN_OUT, JOIN, KEYED, STATEFUL } from "../../portable/torture-fns.js";

const STATEFUL_JOIN = registerDoFn("test/server-limits/stateful-join@1", () => ({
  all: iterableSideInput<string>(),
  byKey: multimapSideInput<string, string>(),
  count: valueState<number>(),
  process: () => undefined,
}));

const EXPIRING = registerDoFn("test/server-limits/expiring@1", () => ({
  count: valueState<number>(),
  process: () => undefined,
  onWindowExpiration: () => undefined,
}));
const SORTED = registerDoFn("test/server-limits/sorted@1", () => ({
  requiresTimeSortedInput: true,
  unused: valueState<number>(),
  process: () => undefined,
}));
const WAITING = registerDoFn("test/server-limits/waiting@1", () => ({
  wait: processingTimeTimer(),
  process: () => undefined,
  onTimer: () => undefined,
}));

type Build = (root: Root) => unknown;

const fan = (root: Root, name = "Fan") =>
  P(root.apply(withName(`${name} start`, impulse()))).apply(
    withName(name, registeredParDo<unknown, unknown>(FAN_OUT, { count: 1, bytes: 1 })),
  );
const keyed = (input: PCollection<unknown>, name = "Key") =>
  P(input).apply(withName(name, registeredParDo<unknown, unknown>(KEYED, 1)));
const count = (root: Root, bounded: boolean) =>
  P(root.apply(withName("Start", impulse()))).apply(
    withName(
      "Count",
      splittableParDo<unknown, unknown>(COUNTING, { end: 1, perCall: 1, delayMs: 0 }, { bounded }),
    ),
  );
const stateful: Build = (root) =>
  P(keyed(fan(root))).apply(withName("State", registeredParDo<unknown, unknown>(STATEFUL, null)));
const joined = (main: (root: Root) => PCollection<unknown>): Build => {
  return (root) => {
    const all = fan(root, "All");
    const sideInputs = { all, byKey: keyed(all) };
    return P(main(root)).apply(
      withName("Join", registeredParDo<unknown, unknown>(JOIN, null, { sideInputs })),
    );
  };
};

async function check(kind: ServerKind, build: Build, options: PipelineOptions = {}, hasFlinkRest = false) {
  const pipeline = new Pipeline();
  await build(new Root(pipeline));
  return checkForServer(kind, graphProto(pipeline), options, hasFlinkRest);
}

async function refused(
  kind: ServerKind,
  build: Build,
  options: PipelineOptions = {},
): Promise<readonly string[]> {
  try {
    await check(kind, build, options);
  } catch (error) {
    expect(error).to.be.instanceOf(UnsupportedFeatureError);
    return (error as UnsupportedFeatureError).features.map(({ step, feature }) => `${step}: ${feature}`);
  }
  throw new Error("nothing was refused");
}

const SLOW = (runner: string) =>
  `State/ParDo: in batch Beam's ${runner} runner gives each key of a stateful step a bundle of its own, which is slow with many keys`;

describe("serverKind()", () => {
  it("is told by the options that a server describes", () => {
    expect(serverKind(new Map([["spark_master", Type.STRING]]))).to.equal("spark");
    expect(serverKind(new Map([["flink_master", Type.STRING]]))).to.equal("flink");
    expect(serverKind(new Map())).to.equal("prism");
    expect(serverKind(new Map([["parallelism", Type.NUMBER]]))).to.equal("other");
  });
});

describe("checkForServer()", () => {
  it("refuses an unbounded splittable DoFn on Spark, by the step's name", async () => {
    expect(await refused("spark", (root) => count(root, false))).to.deep.equal([
      "Count: unbounded splittable DoFn",
    ]);
    expect(await check("spark", (root) => count(root, true))).to.deep.equal([]);
  });

  it("refuses what would crash Prism, and warns of what comes unsorted there", async () => {
    const expiring: Build = (root) =>
      P(keyed(fan(root))).apply(withName("Expire", registeredParDo<unknown, unknown>(EXPIRING, null)));
    const sorted: Build = (root) => {
      const input = keyed(count(root, false));
      return P(input).apply(withName("Sort", registeredParDo<unknown, unknown>(SORTED, null)));
    };
    expect(await refused("prism", expiring)).to.have.length(1);
    expect(await check("prism", stateful)).to.deep.equal([]);
    const [warning, ...others] = await check("prism", sorted);
    expect(warning).to.match(/^Sort.*: Prism sorts what comes in one bundle/);
    expect(others).to.deep.equal([]);
  });

  it("warns of state in batch", async () => {
    expect(await check("spark", stateful)).to.deep.equal([SLOW("Spark")]);
    expect(await check("flink", stateful)).to.deep.equal([SLOW("Flink")]);
    expect(await check("flink", stateful, { streaming: true })).to.deep.equal([]);
    expect(await check("other", stateful)).to.deep.equal([]);
  });

  it("warns of an unbounded job on Flink without checkpoints", async () => {
    expect(await check("flink", (root) => count(root, false))).to.deep.equal([
      "nothing is checkpointed: a failure starts the job from its beginning (set checkpointing_interval, in ms)",
    ]);
    expect(
      await check("flink", (root) => count(root, false), { checkpointing_interval: 1_000 }),
    ).to.deep.equal([]);
  });

  it("refuses savepoint_path on Flink without a cluster's REST API", async () => {
    const build: Build = (root) => fan(root);
    const options = { savepoint_path: "file:/somewhere" };
    const error = await check("flink", build, options).catch((reason: Error) => reason);
    expect(error).to.be.instanceOf(PipelineOptionsError);
    expect((error as Error).message).to.equal(
      "pipeline option savepoint_path needs a Flink cluster, and its REST address in flinkRest: " +
        "Beam's job server passes over it for jobs that run in itself",
    );
    expect(await check("flink", build, options, true)).to.deep.equal([]);
    expect(await check("spark", build, options)).to.deep.equal([]);
  });

  it("refuses side inputs beside state or a restriction on Flink in streaming, which would lose elements", async () => {
    const build: Build = (root) => {
      const all = fan(root, "All");
      const sideInputs = { all, byKey: keyed(all) };
      return P(keyed(fan(root), "Main key")).apply(
        withName("State", registeredParDo<unknown, unknown>(STATEFUL_JOIN, null, { sideInputs })),
      );
    };
    expect(await refused("flink", build, { streaming: true })).to.deep.equal([
      "State/ParDo: iterable side input",
      "State/ParDo: multimap side input",
    ]);
    expect(await check("flink", build)).to.deep.equal([SLOW("Flink")]);
    expect(await check("other", build)).to.deep.equal([]);
  });

  it("refuses side inputs with checkpoints on Flink where the job has no end, and warns where it has", async () => {
    const options = { streaming: true, checkpointing_interval: 1_000 };
    const unbounded = joined((root) => count(root, false));
    expect(await refused("flink", unbounded, options)).to.deep.equal([
      "Join/ParDo: iterable side input",
      "Join/ParDo: multimap side input",
    ]);
    expect(await check("flink", joined(fan), options)).to.deep.equal([
      "Join/ParDo: Beam's Flink runner fails at a checkpoint of side inputs; leave out checkpointing_interval",
    ]);
    expect(await check("flink", joined(fan), { streaming: true })).to.deep.equal([]);
  });

  const step = (name: string, fn: string, options = {}): Build => {
    return (root) =>
      P(keyed(fan(root))).apply(withName(name, registeredParDo<unknown, unknown>(fn, null, options)));
  };

  it("refuses onWindowExpiration on Spark and Flink, which never call it", async () => {
    const build = step("Expire", EXPIRING);
    for (const [kind, options] of [["spark"], ["flink"], ["flink", { streaming: true }]] as const) {
      expect(await refused(kind, build, options)).to.deep.equal(["Expire/ParDo: on window expiration"]);
    }
    expect(await check("other", build)).to.deep.equal([]);
  });

  it("refuses time-sorted input on Spark, which does not sort, and on Flink in streaming", async () => {
    const build = step("Sort", SORTED);
    expect(await refused("spark", build)).to.deep.equal(["Sort/ParDo: time-sorted input"]);
    expect(await refused("flink", build, { streaming: true })).to.deep.equal([
      "Sort/ParDo: time-sorted input",
    ]);
    expect(await check("flink", build)).to.have.length(1); // slow, but sorted
  });

  it("warns of processing-time timers of a bounded job on Flink in streaming", async () => {
    const build = step("Wait", WAITING);
    expect(await check("flink", build, { streaming: true })).to.deep.equal([
      "Wait/ParDo: on Beam's Flink runner a processing-time timer that is pending when the input ends keeps a streaming job running for ever",
    ]);
    expect(await check("flink", build)).to.deep.equal([]);
  });

  it("warns of bundle finalization on Flink without checkpoints", async () => {
    const build = step("Finalize", KEYED, { requestsFinalization: true });
    expect(await check("flink", build, { streaming: true })).to.deep.equal([
      "Finalize: no callback of afterCommit is called: Beam's Flink runner calls them at checkpoints (set checkpointing_interval, in ms)",
    ]);
    const options = { streaming: true, checkpointing_interval: 1_000 };
    expect(await check("flink", build, options)).to.deep.equal([]);
  });
});
