/** onJobServer(): what a runner on a job server refuses by name before anything is started. */
import { expect } from "chai";
import { defaultsLayer, flagsLayer } from "../../pipelines/config/config-layer.js";
import { mergeConfig } from "../../pipelines/config.js";
import { onJobServer } from "../../pipelines/job-server-runner.js";
import type { Graph } from "../../pipelines/registry.js";
import { UsageError } from "../../pipelines/usage-error.js";
import type { JobServerRunner } from "../../runners/portable/run/job-server-runner.js";

type Name = Parameters<typeof onJobServer>[0];

function refused(name: Name, flags: Record<string, unknown>): readonly string[] {
  const layers = [defaultsLayer(), flagsLayer(new Map(Object.entries({ runner: name, ...flags })))];
  try {
    onJobServer(name)(mergeConfig(layers).config, { graph: {} as Graph });
    return [];
  } catch (error) {
    if (error instanceof UsageError) return error.problems;
    throw error;
  }
}

describe("onJobServer()", () => {
  it("refuses a stream where the runner has none, and takes it in rounds", () => {
    expect(refused("spark", {})).to.deep.equal([
      "--runner=spark needs --once or --interval: Beam's Spark runner resumes no source",
    ]);
    expect(refused("prism", {})).to.deep.equal([
      "--runner=prism needs --once or --interval: Prism keeps no checkpoints",
    ]);
    for (const name of ["spark", "prism", "flink"] as const)
      expect(refused(name, { interval: "10s" })).to.deep.equal([]);
    expect(refused("flink", {})).to.deep.equal([]);
  });

  it("refuses to move files away between rounds, which cannot know who goes on writing", () => {
    expect(refused("spark", { interval: "10s", whenDone: "archive" })).to.deep.equal([
      "--when-done=archive needs --once under --runner=spark: a stream there leaves its files",
    ]);
  });

  it("keeps workers from stage to stage on the Spark that it starts, and not where Spark tries tasks again", () => {
    const keptMs = (flags: Record<string, unknown>) => {
      const layers = [
        defaultsLayer(),
        flagsLayer(new Map(Object.entries({ runner: "spark", once: true, ...flags }))),
      ];
      const runner = onJobServer("spark")(mergeConfig(layers).config, { graph: {} as Graph });
      return (runner as JobServerRunner).options.portable.pipelineOptions?.["environment_cache_millis"];
    };
    expect(keptMs({})).to.equal(60_000);
    for (const local of ["local", "local[*]", "local[4]"]) {
      expect(keptMs({ "jobServer.sparkMasterUrl": local }), local).to.equal(60_000);
    }
    for (const trying of ["local[4,3]", "local-cluster[2,1,512]", "spark://host:7077"]) {
      expect(keptMs({ "jobServer.sparkMasterUrl": trying }), trying).to.equal(undefined);
    }
    expect(keptMs({ jobEndpoint: "localhost:8099" })).to.equal(undefined);
    expect(keptMs({ environment: "docker" })).to.equal(undefined);
  });

  it("refuses savepoints but for a stream on a cluster of Flink", () => {
    const cluster = { flinkRest: "localhost:8081" };
    expect(refused("flink", { savepointDir: "s", fromSavepoint: "s/1", ...cluster })).to.deep.equal([]);
    expect(refused("flink", { savepointDir: "s", fromSavepoint: "s/1" })).to.deep.equal([
      "--savepoint-dir needs a cluster of Flink: --flink-rest with --job-endpoint, or jobServer.flinkMaster",
      "--from-savepoint needs a cluster of Flink: --flink-rest with --job-endpoint, or jobServer.flinkMaster",
    ]);
    expect(refused("flink", { savepointDir: "s", once: true, ...cluster })).to.deep.equal([
      "--savepoint-dir is for a stream under --runner=flink",
    ]);
    expect(refused("spark", { fromSavepoint: "s", interval: "1s" })).to.deep.equal([
      "--from-savepoint is for a stream under --runner=flink",
    ]);
    expect(refused("flink", { jobOptions: '{"savepoint_path": "file:/s"}', ...cluster })).to.deep.equal([
      "take --from-savepoint, not savepoint_path in --job-options: it is checked first",
    ]);
  });
});
