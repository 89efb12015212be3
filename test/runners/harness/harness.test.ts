/** A worker and its runner over real gRPC streams. */

import type { ProcessBundleDescriptor } from "apache-beam/proto/beam_fn_api";
import { expect } from "chai";
import { type Harness, startHarness } from "../../../runners/harness/harness.js";
import type { InboundChunk } from "../../../runners/harness/transport/data-plane.js";
import { impulse, P, type PCollection, type Root, withName } from "../../../transforms/primitives/beam.js";
import { ByteWriter } from "../../../transforms/primitives/coders/byte-writer.js";
import { StringUtf8Coder } from "../../../transforms/primitives/coders/scalar-coders.js";
import type { DoFn, ElementContext, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { registeredParDo, withKeyCoder } from "../../../transforms/primitives/par-do.js";
import { iterableSideInput, multimapSideInput } from "../../../transforms/primitives/side-input-spec.js";
import { bagState, mapState, setState, valueState } from "../../../transforms/primitives/state-spec.js";
import {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
} from "../../../transforms/primitives/timer-spec.js";
import { GLOBAL_WINDOW, type KV, NO_FIRING } from "../../../transforms/primitives/window.js";
import { cutStage, graphOf } from "./descriptor/descriptors.js";
import { FakeRunner } from "./support/fake-runner.js";
import { OfferedStage } from "./support/offered-stage.js";
import { element } from "./support/test-worker.js";

const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const strings = new StringUtf8Coder();

registerDoFn("test/harness-echo@1", () => ({ process: (value: unknown) => [value] }));
registerDoFn("test/harness-fan-out@1", () => ({
  *process(count: number) {
    for (let i = 0; i < count; i++) yield `${i}`.padStart(200, "x");
  },
}));
registerDoFn("test/harness-stuck@1", () => ({
  process: () => new Promise<void>(() => undefined),
}));
registerDoFn("test/harness-log@1", () => {
  let log: { info(message: string, facts?: Record<string, unknown>): void };
  return {
    setup: (context: { log: typeof log }) => {
      log = context.log;
    },
    process(value: unknown) {
      log.info("seen", { value });
    },
  };
});

class Remembering implements DoFn<KV<string, number>> {
  readonly last = valueState<number>();
  readonly all = bagState<number>();
  readonly seen = setState<string>(strings);
  readonly sums = mapState<string, number>(strings);
  readonly flush = eventTimeTimer();

  async process({ value }: KV<string, number>, context: ProcessContext): Promise<unknown[]> {
    const last = context.state(this.last).read();
    context.state(this.last).write(value);
    context.state(this.all).add(value);
    const parity = value % 2 === 0 ? "even" : "odd";
    const isKnown = await context.state(this.seen).contains(parity);
    context.state(this.seen).add(parity);
    const sums = context.state(this.sums);
    sums.put(parity, ((await sums.get(parity)) ?? 0) + value);
    context.timer(this.flush).set(1_000);
    return [`${context.key}:${value} after ${last ?? "none"}, ${parity} ${isKnown ? "again" : "first"}`];
  }

  async onTimer(_: FiredTimer, context: ElementContext): Promise<unknown[]> {
    const sums = [...(await context.state(this.sums).entries())].map(([name, sum]) => `${name}=${sum}`);
    return [`${context.key}: ${[...context.state(this.all).read()].join("+")} ${sums.sort().join(" ")}`];
  }
}
registerDoFn("test/harness-remembering@1", () => new Remembering());

class TwoFamilies implements DoFn<KV<string, number>> {
  readonly one = eventTimeTimer();
  readonly other = eventTimeTimer();
  readonly clock = processingTimeTimer();

  process({ value }: KV<string, number>, context: ProcessContext): void {
    context.output(`element ${value}`);
  }

  onTimer({ family, tag }: FiredTimer, context: ElementContext): void {
    context.output(`${family} ${tag}`);
  }
}
registerDoFn("test/harness-two-families@1", () => new TwoFamilies());

class Joining implements DoFn<string> {
  readonly words = iterableSideInput<string>();
  readonly lengths = multimapSideInput<string, number>();

  async process(word: string, context: ProcessContext): Promise<unknown[]> {
    const words = [...context.sideInput(this.words)];
    const lengths = [...(await context.sideInput(this.lengths).get(word))];
    return [`${word} of ${words.length}: ${lengths.join(",")}`];
  }
}
registerDoFn("test/harness-joining@1", () => new Joining());

type Pc = PCollection<unknown>;

describe("startHarness", () => {
  let runner: FakeRunner;
  let harness: Harness;

  beforeEach(async () => {
    runner = await FakeRunner.start();
    harness = startHarness({
      workerId: "worker-7",
      controlEndpoint: runner.endpoint,
      loggingEndpoint: runner.endpoint,
      fallbackLog: () => undefined,
    });
  });

  afterEach(async () => {
    await harness.stop();
    runner.kill();
  });

  const offer = (descriptor: ProcessBundleDescriptor) => new OfferedStage(runner, descriptor);
  const stageOf = (fn: string, id?: string) => OfferedStage.ofStep(runner, fn, id);

  it("runs bundles beside one another, each with its own elements, and tells every service its worker_id", async () => {
    const stage = stageOf("test/harness-echo@1");
    const ids = ["a", "b", "c"];
    const answers = ids.map((id) => runner.begin(id, stage.id));
    for (let i = 0; i < 50; i++) {
      for (const id of ids) await runner.send(id, stage.chunk([element(`${id}${i}`)]));
    }
    for (const id of ids) await runner.send(id, stage.chunk([], true));
    expect((await Promise.all(answers)).map(({ error }) => error)).to.deep.equal(["", "", ""]);
    for (const id of ids) {
      expect(await stage.sent(id)).to.deep.equal(Array.from({ length: 50 }, (_, i) => `${id}${i}`));
    }
    expect([...runner.workerIds]).to.deep.equal(["worker-7"]);
  });

  it("carries an element of 40 MB both ways, and 200,000 outputs of one process", async () => {
    const stage = stageOf("test/harness-echo@1");
    const large = "x".repeat(40 << 20);
    const answer = runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element(large), element("small")], true));
    expect((await answer).error).to.equal("");
    const [first, second] = (await stage.sent("1")) as string[];
    expect([first!.length, first === large, second]).to.deep.equal([40 << 20, true, "small"]);
    const fanOut = stageOf("test/harness-fan-out@1", "fan-out");
    const other = runner.begin("2", fanOut.id);
    await runner.send("2", fanOut.chunk([element(200_000)], true));
    expect((await other).error).to.equal("");
    const outputs = (await fanOut.sent("2")) as string[];
    expect([outputs.length, new Set(outputs).size]).to.deep.equal([200_000, 200_000]);
  });

  it("keeps value, bag, set and map state and timers with the runner, from bundle to bundle", async () => {
    const stage = OfferedStage.ofStatefulStep(runner, "test/harness-remembering@1");
    const { step } = stage;
    const kv = (key: string, value: number) => element({ key, value }, 5);
    const none = { transformId: step, timerFamilyId: "flush", data: new Uint8Array(), isLast: true };
    const first = runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([kv("a", 1), kv("b", 2), kv("a", 3)], true), none);
    expect((await first).error).to.equal("");
    expect((await stage.sent("1")).sort()).to.deep.equal([
      "a:1 after none, odd first",
      "a:3 after 1, odd again",
      "b:2 after none, even first",
    ]);
    const ofTimers = () => runner.received.get("1")!.filter(({ timerFamilyId }) => timerFamilyId === "flush");
    while (!ofTimers().some(({ isLast }) => isLast)) await later(1);
    const timers = runner.received.get("1")!.filter(({ timerFamilyId }) => timerFamilyId === "flush");
    expect(timers.map(({ transformId, isLast }) => [transformId, isLast])).to.deep.equal([[step, true]]);
    const second = runner.begin("2", stage.id);
    await runner.send(
      "2",
      stage.chunk([kv("a", 4)], true),
      { ...none, isLast: false, data: timers[0]!.data },
      none,
    );
    expect((await second).error).to.equal("");
    expect((await stage.sent("2")).sort()).to.deep.equal([
      "a: 1+3 odd=4",
      "a: 1+3 odd=4",
      "a:4 after 3, even first",
      "b: 2 even=2",
    ]);
  });

  it("fires the timers of a message in the order of their times, and before its elements", async () => {
    const stage = OfferedStage.ofStatefulStep(runner, "test/harness-two-families@1");
    const { step: transformId } = stage;
    const fired = (timerFamilyId: string, ...timesMs: readonly number[]): InboundChunk => {
      const { coder } = stage.plan.stateful.get(transformId)!.timers.get(timerFamilyId)!;
      const out = new ByteWriter();
      for (const timeMs of timesMs) {
        const times = { fireTimestampMs: timeMs, holdTimestampMs: timeMs };
        const windows = [GLOBAL_WINDOW];
        const rest = { windows, pane: NO_FIRING, clearBit: false, dynamicTimerTag: `at ${timeMs}` } as const;
        coder.write({ userKey: "a", ...rest, ...times }, out);
      }
      return { transformId, timerFamilyId, data: out.finish(), isLast: true };
    };
    const answer = runner.begin("1", stage.id);
    const elements = stage.chunk([element({ key: "a", value: 1 }, 50)], true);
    await runner.send("1", elements, fired("one", 10, 30), fired("clock", 5), fired("other", 20, 40));
    expect((await answer).error).to.equal("");
    expect(await stage.sent("1")).to.deep.equal([
      "one at 10",
      "other at 20",
      "one at 30",
      "other at 40",
      "clock at 5",
      "element 1",
    ]);
  });

  it("a bundle that fails writes no state; a refused request fails it with the runner's reason", async () => {
    const stage = OfferedStage.ofStatefulStep(runner, "test/harness-remembering@1");
    const { step } = stage;
    runner.stateError = "the backend is away";
    const answer = runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element({ key: "a", value: 1 })]));
    const { error } = await answer;
    expect(error.split("\n")[0]).to.equal(
      `step "${step}" failed in loading its state: the runner refused state "last" of step "${step}": the backend is away`,
    );
    expect([...runner.bags.keys()]).to.deep.equal([]);
    expect(runner.stateRequests.every((request) => request.startsWith("get"))).to.equal(true);
  });

  it("reads side inputs as a whole, page after page, and by key", async () => {
    const graph = graphOf((root: Root) => {
      const input = root.apply(withName("Impulse", impulse())) as Pc;
      const words = P(input).apply(
        withName("Words", registeredParDo<unknown, unknown>("test/harness-echo@1", null)),
      );
      const lengths = P(input).apply(
        withName("Lengths", registeredParDo<unknown, unknown>("test/harness-echo@1", null)),
      );
      const keyed = P(lengths).apply(withName("Key", withKeyCoder())) as Pc;
      const sideInputs = { words, lengths: keyed };
      P(words).apply(
        withName("Join", registeredParDo<unknown, unknown>("test/harness-joining@1", null, { sideInputs })),
      );
    });
    const step = Object.keys(graph.components!.transforms).find((id) => id.startsWith("Join"))!;
    const stage = offer(cutStage(graph, [step], { written: [`${step}.main`] }));
    const { words, lengths } = Object.fromEntries(stage.plan.sideInputs.get(step)!);
    const bytes = (write: (out: ByteWriter) => void) => {
      const out = new ByteWriter();
      write(out);
      return Buffer.from(out.finish());
    };
    const many = Array.from({ length: 50_000 }, (_, i) => `a word that is long enough for pages ${i}`);
    runner.bags.set(
      `iterableSideInput ${step} words `,
      bytes((out) => {
        for (const word of many) words!.elementCoder.write(word, out, true);
      }),
    );
    const key = bytes((out) => lengths!.keyCoder!.write("pear", out, true)).toString("hex");
    runner.bags.set(
      `multimapSideInput ${step} lengths  ${key}`,
      bytes((out) => {
        for (const length of [4, 5]) lengths!.valueCoder!.write(length, out, true);
      }),
    );
    const answer = runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element("pear"), element("fig"), element("pear")], true));
    expect((await answer).error).to.equal("");
    expect((await stage.sent("1")).sort()).to.deep.equal([
      "fig of 50000: ",
      "pear of 50000: 4,5",
      "pear of 50000: 4,5",
    ]);
    expect(runner.stateRequests.filter((request) => request.includes("multimap")).length).to.equal(2);
  });

  it("logs what a step logs, with its name", async () => {
    const stage = stageOf("test/harness-log@1");
    const answer = runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element(5)], true));
    expect((await answer).error).to.equal("");
    while (runner.logs.length === 0) await later(1);
    expect(
      runner.logs.map(({ message, transformId, severity }) => [message, transformId, severity]),
    ).to.deep.equal([['seen {"value":5}', "Step", 3]]);
  });

  it("an orderly end of the control stream ends the harness, also in the middle of a bundle that would never end", async function () {
    this.timeout(20_000);
    const stage = stageOf("test/harness-stuck@1");
    void runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element(1)]));
    await later(20);
    await runner.closeControl();
    await harness.whenDone;
  });

  it("a runner that is killed ends the harness with one error that names stream and endpoint", async () => {
    const stage = stageOf("test/harness-echo@1");
    void runner.begin("1", stage.id);
    await runner.send("1", stage.chunk([element(1)]));
    runner.kill();
    const error = await harness.whenDone.then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error?.message).to.match(
      new RegExp(
        `^the runner's (control|data) stream at ${runner.endpoint} was lost: (UNAVAILABLE|CANCELLED|INTERNAL)`,
      ),
    );
  });

  it("an unknown stage and an unregistered DoFn fail their bundle by name", async () => {
    const unknown = await runner.begin("1", "none");
    expect(unknown.error.split("\n")[0]).to.equal('Error: the runner gave no stage "none": no such stage');
    const descriptor = cutStage(
      graphOf((root: Root) => {
        const input = root.apply(withName("Impulse", impulse())) as Pc;
        P(input).apply(withName("Step", registeredParDo<unknown, unknown>("nobody/knows@1", null)));
      }),
      ["Step"],
      { written: ["Step.main"] },
    );
    descriptor.id = "unregistered";
    const missing = offer(descriptor);
    const answer = await runner.begin("2", missing.id);
    expect(answer.error.split("\n")[0]).to.match(/no DoFn is registered as "nobody\/knows@1"/);
  });
});
