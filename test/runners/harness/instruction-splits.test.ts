/** What a worker answers of splittable DoFns and split bundles: residuals, splits, progress. */
import { expect } from "chai";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { ManualClock } from "../../support/manual-clock.js";
import { Counting } from "../bundle/offset-range.js";
import { answerOf, element, type TestWorker } from "./support/test-worker.js";
import {
  later,
  numbers,
  splittableWorker,
  statefulWorker,
  values,
  whole,
  workerOf,
} from "./support/workers-of-fns.js";

describe("Instructions of splits", () => {
  it("a splittable DoFn that asks to be resumed comes back as a residual, with its watermark and delay, to its end", async () => {
    const clock = new ManualClock();
    const worker = splittableWorker(() => new Counting({ atOnce: 2, delayMs: 1500 }), true, { clock });
    let answer = await worker.run("1", [whole("abcde", 0, 5)]);
    const [root] = answer.residualRoots;
    expect(root!.requestedTimeDelay).to.deep.equal({ seconds: 1n, nanos: 500_000_000 });
    const { transformId, inputId, outputWatermarks } = root!.application!;
    expect([transformId, inputId]).to.deep.equal(["Read", "main"]);
    expect(Object.keys(outputWatermarks)).to.deep.equal(["main"]);
    for (let i = 2; answer.residualRoots.length > 0; i++) {
      const next = worker.begin(`${i}`);
      worker.data.put(`${i}`, worker.encoded(answer.residualRoots[0]!.application!.element), worker.last());
      answer = answerOf(await next);
    }
    const all = ["1", "2", "3"].flatMap((id) => values(worker, id));
    expect(all).to.deep.equal(numbers(5).map((n) => `abcde:${n}`));
  });

  it("processBundleSplit within a restriction gives its rest and the elements behind it back, and no more is run", async () => {
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const worker = splittableWorker(
      () =>
        Object.assign(new Counting(), {
          async process(this: Counting, text: string, tracker: never, context: never) {
            const { tryClaim } = tracker as { tryClaim(n: number): boolean };
            for (let n = 0; tryClaim.call(tracker, n); n++) {
              (context as { output(value: unknown): void }).output(`${text}:${n}`);
              if (n === 1) await gate;
            }
          },
        }),
      true,
    );
    const answer = worker.begin("1");
    worker.data.put("1", worker.chunk([whole("a", 0, 10), whole("b", 0, 3)]), worker.last());
    while ((await progressOf(worker, "1"))["beam:metric:ptransform_progress:completed:v1"] === undefined) {
      await later(1);
    }
    const split = await worker.ask({
      oneofKind: "processBundleSplit",
      processBundleSplit: {
        instructionId: "1",
        desiredSplits: {
          "read/Impulse.main": {
            fractionOfRemainder: 0,
            allowedSplitPoints: [],
            estimatedInputElements: 2n,
          },
        },
      },
    });
    if (split.response.oneofKind !== "processBundleSplit") throw new Error(`got ${split.error}`);
    const { channelSplits, primaryRoots, residualRoots } = split.response.processBundleSplit;
    expect(channelSplits).to.deep.equal([
      { transformId: "read/Impulse.main", lastPrimaryElement: -1n, firstResidualElement: 1n },
    ]);
    expect([primaryRoots.length, residualRoots.length]).to.deep.equal([1, 1]);
    go();
    expect(answerOf(await answer).residualRoots).to.deep.equal([]);
    expect(values(worker, "1")).to.deep.equal(["a:0", "a:1"]);
    const rest = worker.begin("2");
    worker.data.put("2", worker.encoded(residualRoots[0]!.application!.element), worker.last());
    answerOf(await rest);
  });

  it("processBundleSplit of a channel leaves the elements behind the split to the runner", async () => {
    const gates: (() => void)[] = [];
    const worker = workerOf([
      () => ({
        process: (value: number) => new Promise<unknown[]>((resolve) => gates.push(() => resolve([value]))),
        concurrencyMax: 1,
      }),
    ]);
    const answer = worker.begin("1");
    worker.data.put(
      "1",
      worker.chunk([element(0)]),
      worker.chunk(numbers(199).map((n) => element(n + 1))),
      worker.last(),
    );
    while (gates.length === 0) await later(1);
    const split = await worker.ask({
      oneofKind: "processBundleSplit",
      processBundleSplit: {
        instructionId: "1",
        desiredSplits: {
          "read/Impulse.main": {
            fractionOfRemainder: 0.5,
            allowedSplitPoints: [],
            estimatedInputElements: 200n,
          },
        },
      },
    });
    if (split.response.oneofKind !== "processBundleSplit") throw new Error(`got ${split.error}`);
    const [channel] = split.response.processBundleSplit.channelSplits;
    const stopAt = Number(channel!.firstResidualElement);
    expect(Number(channel!.lastPrimaryElement)).to.equal(stopAt - 1);
    const open = setInterval(() => {
      for (const go of gates.splice(0)) go();
    }, 1);
    answerOf(await answer);
    clearInterval(open);
    expect(values(worker, "1")).to.deep.equal(numbers(stopAt));
    expect(stopAt).to.be.within(33, 150);
  });

  it("processBundleSplit leaves a stateful step's bundle whole, begun or not", async () => {
    let open = () => {};
    const begun = new Promise<void>((resolve) => {
      open = resolve;
    });
    const worker = statefulWorker(() => ({
      count: valueState<number>(),
      startBundle: () => begun,
      process: ({ key }: KV<string, number>) => [key],
    }));
    const answer = worker.begin("1");
    worker.data.put(
      "1",
      worker.chunk(numbers(4).map((value) => element({ key: "a", value }))),
      worker.last(),
    );
    await later(1);
    const split = await worker.ask({
      oneofKind: "processBundleSplit",
      processBundleSplit: {
        instructionId: "1",
        desiredSplits: Object.fromEntries(
          Array.from(worker.plan.sources.keys(), (source) => [
            source,
            { fractionOfRemainder: 0.5, allowedSplitPoints: [], estimatedInputElements: 4n },
          ]),
        ),
      },
    });
    if (split.response.oneofKind !== "processBundleSplit") throw new Error(`got ${split.error}`);
    expect(split.response.processBundleSplit.channelSplits).to.deep.equal([]);
    open();
    answerOf(await answer);
    expect(values(worker, "1")).to.deep.equal(["a", "a", "a", "a"]);
  });

  it("progress and split of a bundle that is over, or was never begun, are answered with nothing", async () => {
    const worker = workerOf([() => ({ process: (value: number) => [value] })]);
    expect(await progressOf(worker, "none")).to.deep.equal({});
    const split = await worker.ask({
      oneofKind: "processBundleSplit",
      processBundleSplit: { instructionId: "none", desiredSplits: {} },
    });
    expect(split.error).to.equal("");
    expect(split.response.oneofKind).to.equal("processBundleSplit");
  });
});

/** Payloads by URN, as of now. */
async function progressOf(worker: TestWorker, instructionId: string): Promise<Record<string, number[]>> {
  const { response } = await worker.ask({
    oneofKind: "processBundleProgress",
    processBundleProgress: { instructionId },
  });
  if (response.oneofKind !== "processBundleProgress") throw new Error(`got ${response.oneofKind}`);
  const infos = response.processBundleProgress.monitoringInfos;
  return Object.fromEntries(infos.map(({ urn, payload }) => [urn, [...payload]]));
}
