/** A worker whose data or state stream breaks while its control stream stands. */
import { setTimeout as later } from "node:timers/promises";
import { expect } from "chai";
import { type Harness, startHarness } from "../../../runners/harness/harness.js";
import type { DoFn, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { FakeRunner } from "./support/fake-runner.js";
import { OfferedStage } from "./support/offered-stage.js";
import { element } from "./support/test-worker.js";

class Last implements DoFn<KV<string, number>> {
  readonly last = valueState<number>();
  process({ value }: KV<string, number>, context: ProcessContext): unknown[] {
    const before = context.state(this.last).read() ?? "none";
    context.state(this.last).write(value);
    return [`${context.key}:${value} after ${before}`];
  }
}

const LAST = registerDoFn("test/lost-streams-last@1", () => new Last());
const ECHO = registerDoFn("test/lost-streams-echo@1", () => ({ process: (value: unknown) => [value] }));
let stuck = 0;
const STUCK = registerDoFn("test/lost-streams-stuck@1", () => ({
  process: () => {
    stuck++;
    return new Promise<void>(() => undefined);
  },
}));

describe("startHarness, when a stream breaks", () => {
  let runner: FakeRunner;
  let harness: Harness;

  beforeEach(async () => {
    runner = await FakeRunner.start();
    harness = startHarness({
      ...{ workerId: "w", controlEndpoint: runner.endpoint, loggingEndpoint: runner.endpoint },
      fallbackLog: () => undefined,
    });
  });

  afterEach(async () => {
    await harness.stop();
    runner.kill();
  });

  const lost = (stream: string) =>
    `the runner's ${stream} stream at ${runner.endpoint} was lost: UNAVAILABLE: cut by the test`;
  const whyDone = () =>
    harness.whenDone.then(
      () => "in order",
      (error: Error) => error.message,
    );

  it("a data stream alone: its bundles fail with it in one line, though nothing of them reads or sends, and the worker ends", async function () {
    this.timeout(20_000);
    const echo = OfferedStage.ofStep(runner, ECHO, "echo");
    const stage = OfferedStage.ofStep(runner, STUCK);
    const waiting = runner.begin("waiting", echo.id);
    await runner.send("waiting", echo.chunk([element(1)]));
    const answer = runner.begin("stuck", stage.id);
    const before = stuck;
    await runner.send("stuck", stage.chunk([element(1)], true));
    while (stuck === before) await later(1);
    await runner.cutData();
    expect([(await waiting).error, (await answer).error]).to.deep.equal([lost("data"), lost("data")]);
    expect(await whyDone()).to.equal(lost("data"));
  });

  it("a state stream alone: a bundle that waits for it fails with step and stream, and has written nothing", async () => {
    const stage = OfferedStage.ofStatefulStep(runner, LAST);
    const first = runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element({ key: "a", value: 1 })], true));
    expect((await first).error).to.equal("");
    const written = [...runner.bags.values()].map(String);
    runner.isMute = true;
    const second = runner.begin("2", stage.id);
    const requests = runner.stateRequests.length;
    await runner.send("2", stage.chunk([element({ key: "a", value: 2 })], true));
    while (runner.stateRequests.length === requests) await later(1);
    await runner.cutState();
    expect((await second).error).to.match(
      new RegExp(`^(step "${stage.step}" failed in loading its state: )?${lost("state")}$`),
    );
    expect([...runner.bags.values()].map(String)).to.deep.equal(written);
    expect(await whyDone()).to.equal(lost("state"));
  });

  it("between bundles a stream that breaks is noticed by the next bundle, which fails with it", async () => {
    const stage = OfferedStage.ofStep(runner, ECHO);
    const first = runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element(1)], true));
    expect((await first).error).to.equal("");
    expect(await stage.sent("1")).to.deep.equal([1]);
    await runner.cutData();
    await later(50);
    expect(await Promise.race([whyDone(), later(50, "still there")])).to.equal("still there");
    expect((await runner.begin("2", stage.id)).error).to.equal(lost("data"));
    expect(await whyDone()).to.equal(lost("data"));
  });

  it("a runner that breaks its streams between bundles and then ends the control stream in order ends the worker in order", async () => {
    const stage = OfferedStage.ofStep(runner, ECHO);
    const first = runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element(1)], true));
    expect((await first).error).to.equal("");
    await runner.cutData();
    await later(50);
    await runner.closeControl();
    expect(await whyDone()).to.equal("in order");
  });
});
