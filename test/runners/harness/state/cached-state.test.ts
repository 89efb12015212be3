/** A worker's state and side inputs over bundles with and without cache tokens: the same results, fewer requests. */
import type { ProcessBundleRequest } from "apache-beam/proto/beam_fn_api";
import { expect } from "chai";
import { type Harness, type HarnessLimits, startHarness } from "../../../../runners/harness/harness.js";
import { StringUtf8Coder } from "../../../../transforms/primitives/coders/scalar-coders.js";
import type { DoFn, ProcessContext } from "../../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../../transforms/primitives/fn-registry.js";
import { bagState, mapState } from "../../../../transforms/primitives/state-spec.js";
import type { KV } from "../../../../transforms/primitives/window.js";
import { FakeRunner } from "../support/fake-runner.js";
import { OfferedStage } from "../support/offered-stage.js";
import { element } from "../support/test-worker.js";

const strings = new StringUtf8Coder();

class Remembering implements DoFn<KV<string, number>> {
  readonly all = bagState<number>();
  readonly last = mapState<string, number>(strings);

  async process({ value }: KV<string, number>, context: ProcessContext): Promise<unknown[]> {
    const all = context.state(this.all);
    const last = context.state(this.last);
    const before = await last.get("value");
    if (value < 0) throw new Error("no negative values");
    all.add(value);
    last.put("value", value);
    return [`${context.key}: ${[...all.read()].join("+")}, before ${before ?? "none"}`];
  }
}

const REMEMBERING = registerDoFn("test/cached-state@1", () => new Remembering());

const tokens = (text: string): ProcessBundleRequest["cacheTokens"] => [
  { type: { oneofKind: "userState", userState: {} }, token: Buffer.from(text) },
];

describe("state of a worker over bundles", () => {
  let runner: FakeRunner;
  let harness: Harness;

  const start = async (limits: HarnessLimits = {}, pipelineOptions: Record<string, string | number> = {}) => {
    runner = await FakeRunner.start();
    const fallbackLog = () => undefined;
    harness = startHarness({
      ...{ workerId: "w", controlEndpoint: runner.endpoint, limits, pipelineOptions, fallbackLog },
    });
  };

  afterEach(async () => {
    await harness.stop();
    runner.kill();
  });

  let bundles = 0;
  /** Outputs, or why it failed; and how many gets it has cost. */
  async function bundle(stage: OfferedStage, token: string, values: readonly (readonly [string, number])[]) {
    const id = `b${++bundles}`;
    const before = runner.stateRequests.length;
    const answer = runner.begin(id, stage.id, token === "" ? [] : tokens(token));
    await runner.send(
      id,
      stage.chunk(
        values.map(([key, value]) => element({ key, value })),
        true,
      ),
    );
    const { error } = await answer;
    const gets = runner.stateRequests.slice(before).filter((request) => request.startsWith("get")).length;
    if (error !== "") return { error: error.split("\n")[0], gets };
    return { outputs: (await stage.sent(id)).sort(), gets };
  }

  it("with a token a key is read once, and later bundles see what earlier ones have written; without, in each bundle", async () => {
    await start();
    const stage = OfferedStage.ofStatefulStep(runner, REMEMBERING);
    for (const [token, gets] of [
      ["t1", [2, 0, 0]],
      ["", [2, 2, 2]],
    ] as const) {
      runner.bags.clear();
      const results = [];
      for (const value of [1, 2, 3]) results.push(await bundle(stage, token, [["a", value]]));
      expect(results).to.deep.equal([
        { outputs: ["a: 1, before none"], gets: gets[0] },
        { outputs: ["a: 1+2, before 1"], gets: gets[1] },
        { outputs: ["a: 1+2+3, before 2"], gets: gets[2] },
      ]);
    }
  });

  it("of 200 keys in five bundles 400 requests are left of 2,000", async () => {
    await start();
    const stage = OfferedStage.ofStatefulStep(runner, REMEMBERING);
    const values = Array.from({ length: 200 }, (_, n) => [`key ${n}`, 1] as const);
    for (const [token, expected] of [
      ["t1", 400],
      ["", 2_000],
    ] as const) {
      runner.bags.clear();
      let gets = 0;
      for (let n = 1; n <= 5; n++) {
        const result = await bundle(stage, token, values);
        const sum = Array.from({ length: n }, () => "1").join("+");
        const before = n === 1 ? "none" : "1";
        expect(result.outputs).to.deep.equal(
          values.map(([key]) => `${key}: ${sum}, before ${before}`).sort(),
        );
        gets += result.gets;
      }
      expect(gets).to.equal(expected);
    }
  });

  it("another token stands for another version: what the runner has is read", async () => {
    await start();
    const stage = OfferedStage.ofStatefulStep(runner, REMEMBERING);
    await bundle(stage, "t1", [["a", 1]]);
    runner.bags.clear(); // as it was at a checkpoint
    expect(await bundle(stage, "t2", [["a", 2]])).to.deep.equal({ outputs: ["a: 2, before none"], gets: 2 });
  });

  it("a bundle that fails, in its DoFn or when its state is written, leaves nothing to the next one", async () => {
    await start();
    const stage = OfferedStage.ofStatefulStep(runner, REMEMBERING);
    await bundle(stage, "t1", [["a", 1]]);
    const thrown = await bundle(stage, "t1", [
      ["a", 2],
      ["a", -1],
    ]);
    expect(thrown.error).to.match(/no negative values$/);
    const written = new Map(runner.bags);
    runner.stateError = "the disk is full";
    runner.stateErrorOf = "append";
    expect((await bundle(stage, "t1", [["a", 3]])).error).to.match(
      /the runner refused state .*: the disk is full$/,
    );
    runner.stateError = "";
    expect(runner.bags).to.deep.equal(written);
    expect((await bundle(stage, "t1", [["a", 4]])).outputs).to.deep.equal(["a: 1+4, before 1"]);
  });

  it("what has no place in the cache is read again", async () => {
    await start({}, { "beam:option:max_cache_memory_usage_mb:v1": "0" });
    const stage = OfferedStage.ofStatefulStep(runner, REMEMBERING);
    await bundle(stage, "t1", [["a", 1]]);
    expect(await bundle(stage, "t1", [["a", 2]])).to.deep.equal({ outputs: ["a: 1+2, before 1"], gets: 2 });
  });

  it("state larger than stateBytesMax is neither read nor written: the error names state, step, limit and size", async () => {
    await start({ stateBytesMax: 20 });
    const stage = OfferedStage.ofStatefulStep(runner, REMEMBERING);
    const many = Array.from({ length: 10 }, (_, n) => ["a", n] as const);
    expect((await bundle(stage, "", many)).error).to.match(
      new RegExp(
        `state "all" of step "${stage.step}" must have at most 20 bytes \\(stateBytesMax\\), got \\d+$`,
      ),
    );
    await bundle(stage, "", [["b", 1]]);
    const [id] = [...runner.bags.keys()].filter((key) => key.includes(" last "));
    runner.bags.set(id!, Buffer.alloc(21));
    expect((await bundle(stage, "", [["b", 2]])).error).to.match(
      new RegExp(
        `state "last" of step "${stage.step}" must have at most 20 bytes \\(stateBytesMax\\), got 21$`,
      ),
    );
  });
});
