/** What a worker answers to its runner: bundles over a data plane in memory. */

import type { ProcessBundleResponse } from "apache-beam/proto/beam_fn_api";
import { expect } from "chai";
import { impulse, P, type PCollection, type Root, withName } from "../../../transforms/primitives/beam.js";
import { create as createElements } from "../../../transforms/primitives/create.js";
import type { DoFn, ProcessContext, SplittableDoFn } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { ManualClock } from "../../support/manual-clock.js";
import { Counting } from "../bundle/offset-range.js";
import { cutStage, graphOf } from "./descriptor/descriptors.js";
import { answerOf, element, TestWorker, type TestWorkerOptions } from "./support/test-worker.js";

/** DoFns of the test at hand, by name. */
const fns = new Map<string, () => DoFn<never> | SplittableDoFn<never, never, never>>();
const FN = registerDoFn("test/harness-fn@1", (name: string) => fns.get(name)!() as DoFn);
let names = 0;

function named(create: () => object): string {
  const name = `fn-${++names}`;
  fns.set(name, create as () => DoFn<never>);
  return name;
}

/** A worker with a stage of ParDos, one behind the other. */
function workerOf(creates: readonly (() => object)[], options: TestWorkerOptions = {}): TestWorker {
  const steps = creates.map(named);
  const graph = graphOf((root: Root) => {
    let at = root.apply(withName("Impulse", impulse())) as PCollection<unknown>;
    for (const [i, name] of steps.entries()) {
      const step = registeredParDo<unknown, unknown>(FN, name, { requestsFinalization: false });
      at = P(at).apply(withName(`Step${i}`, step));
    }
  });
  // what comes in is anything, not only the bytes of an impulse
  graph.components!.pcollections["Impulse.main"]!.coderId =
    graph.components!.pcollections["Step0.main"]!.coderId;
  const stage = cutStage(
    graph,
    steps.map((_, i) => `Step${i}`),
    { written: [`Step${steps.length - 1}.main`] },
  );
  return new TestWorker(withOneService(stage), options);
}

/** A worker whose stage begins with a splittable step, as runners take it apart. */
function splittableWorker(create: () => object, bounded: boolean, options: TestWorkerOptions = {}) {
  const name = named(create);
  const graph = graphOf((root: Root) => {
    const input = root.apply(withName("Impulse", impulse())) as PCollection<unknown>;
    P(input).apply(withName("Read", splittableParDo<unknown, unknown>(FN, name, { bounded })));
  });
  const stage = cutStage(graph, ["Read"], { written: ["Read.main"] });
  stage.transforms["Read"]!.spec!.urn = "beam:transform:sdf_process_sized_element_and_restrictions:v1";
  // any value: in truth a KV of KVs, whose shape the general coder carries as well
  stage.coders["Impulse.main on the wire"]!.componentCoderIds[0] = stage.pcollections["Read.main"]!.coderId;
  return new TestWorker(withOneService(stage), options);
}

/** A worker with a step that has state, and elements of keys. */
function statefulWorker(create: () => object): TestWorker {
  const name = named(create);
  const graph = graphOf((root: Root) => {
    const input = root.apply(withName("Create", createElements<unknown>([{ key: "a", value: 0 }])));
    P(input).apply(withName("Keyed", registeredParDo<unknown, unknown>(FN, name)));
  });
  return new TestWorker(withOneService(cutStage(graph, ["Keyed/ParDo"], { written: ["Keyed/ParDo.main"] })));
}

function withOneService<T extends { timerApiServiceDescriptor?: { url: string } }>(stage: T): T {
  stage.timerApiServiceDescriptor!.url = "localhost:1";
  return stage;
}

const whole = (value: string, from: number, to: number) =>
  element({ key: { key: value, value: { key: [from, to], value: from } }, value: to - from });

const values = (worker: TestWorker, id: string): unknown[] => worker.sent(id).map(({ value }) => value);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Counters of users in an answer. */
function counters({ monitoringInfos }: ProcessBundleResponse): Record<string, number> {
  const sums = monitoringInfos.filter(({ urn }) => urn === "beam:metric:user:sum_int64:v1");
  return Object.fromEntries(sums.map(({ labels, payload }) => [labels["NAME"]!, payload[0]!]));
}

describe("Instructions", () => {
  it("processBundle waits for slow asynchronous elements of several messages, and sends all of them before its answer", async () => {
    const worker = workerOf([
      () => ({
        async process(value: number) {
          await later(value % 3);
          return [value * 10];
        },
      }),
    ]);
    const answer = worker.begin("1");
    for (let i = 0; i < 300; i += 30) {
      worker.data.put("1", worker.chunk(numbers(30).map((n) => element(i + n))));
      await later(1);
    }
    worker.data.put("1", worker.last());
    answerOf(await answer);
    expect((values(worker, "1") as number[]).sort((a, b) => a - b)).to.deep.equal(
      numbers(300).map((n) => n * 10),
    );
    const last = worker.data.sent.get("1")!.at(-1)!;
    expect([last.isLast, last.data.length]).to.deep.equal([true, 0]);
  });

  it("processBundle holds a generator back while the runner takes its time, and loses nothing", async () => {
    const worker = workerOf([
      () => ({
        *process(count: number) {
          for (let i = 0; i < count; i++) yield `${i}`.padStart(1000, "x");
        },
      }),
      () => ({ process: (value: string) => [value] }),
    ]);
    worker.data.takesMs = 1;
    const answer = worker.begin("1");
    worker.data.put("1", worker.chunk([element(40_000)]), worker.last());
    let unsentMax = 0;
    const watch = setInterval(() => {
      unsentMax = Math.max(unsentMax, process.memoryUsage().arrayBuffers);
    }, 5);
    answerOf(await answer);
    clearInterval(watch);
    const sent = values(worker, "1") as string[];
    expect(sent.length).to.equal(40_000);
    expect(new Set(sent).size).to.equal(40_000);
    expect(worker.data.unsentMax).to.be.lessThan(3 << 20); // one message after the other
  });

  it("processBundle counts from zero each time, with the elements of its borders", async () => {
    const worker = workerOf([
      () => ({
        process(value: number, context: ProcessContext) {
          context.metrics.counter("seen").inc();
          if (value % 2 === 0) context.output(value);
        },
      }),
    ]);
    const first = await worker.run(
      "1",
      numbers(7).map((n) => element(n)),
    );
    const second = await worker.run(
      "2",
      numbers(3).map((n) => element(n)),
    );
    expect([counters(first), counters(second)]).to.deep.equal([{ seen: 7 }, { seen: 3 }]);
    const counts = second.monitoringInfos
      .filter(({ urn }) => urn !== "beam:metric:user:sum_int64:v1")
      .map(({ urn, labels, payload }) => [urn, labels, [...payload]]);
    expect(counts).to.deep.equal([
      ["beam:metric:element_count:v1", { PCOLLECTION: "Impulse.main" }, [3]],
      ["beam:metric:element_count:v1", { PCOLLECTION: "Step0.main" }, [2]],
      ["beam:metric:data_channel:read_index:v1", { PTRANSFORM: "read/Impulse.main" }, [3]],
    ]);
  });

  it("monitoringInfos tells what the short ids of an answer stand for", async () => {
    const worker = workerOf(
      [
        () => ({
          process(_: number, context: ProcessContext) {
            context.metrics.counter("seen").inc(5);
          },
        }),
      ],
      { shortIds: true },
    );
    const answer = await worker.run("1", [element(1)]);
    expect(answer.monitoringInfos).to.deep.equal([]);
    const again = await worker.run("2", [element(1)]);
    expect(again.monitoringData).to.deep.equal(answer.monitoringData);
    const ids = Object.keys(answer.monitoringData);
    const { response } = await worker.ask({
      oneofKind: "monitoringInfos",
      monitoringInfos: { monitoringInfoId: [...ids, "unknown"] },
    });
    if (response.oneofKind !== "monitoringInfos") throw new Error(`got ${response.oneofKind}`);
    const { monitoringInfo } = response.monitoringInfos;
    const told = ids.map((id) => [
      monitoringInfo[id]!.urn,
      monitoringInfo[id]!.labels,
      [...answer.monitoringData[id]!],
    ]);
    expect(told[0]).to.deep.equal([
      "beam:metric:user:sum_int64:v1",
      { PTRANSFORM: "Step0", NAMESPACE: "Step0", NAME: "seen" },
      [5],
    ]);
    expect(Object.keys(monitoringInfo)).to.deep.equal(ids);
  });

  it("a failure names step, method and reason in its first line and then where it was thrown; the next bundle runs", async () => {
    const calls: string[] = [];
    const worker = workerOf([
      () => ({
        process(value: number) {
          if (value === 3) throw new TypeError("three is not to be had");
          return [value];
        },
        teardown: () => void calls.push("teardown"),
        setup: () => void calls.push("setup"),
      }),
    ]);
    const answer = worker.begin("1");
    worker.data.put("1", worker.chunk([element(1), element(3)]));
    const { error, response } = await answer;
    const [first, second, third] = error.split("\n");
    expect(first).to.equal('step "Step0" failed in process: three is not to be had');
    expect(second).to.equal("TypeError: three is not to be had");
    expect(third).to.match(/^\s+at .*instructions\.test/);
    expect(response.oneofKind).to.equal(undefined);
    expect(worker.data.abandoned).to.deep.equal(["1"]);
    expect(calls).to.deep.equal(["setup", "teardown"]);
    await worker.run("2", [element(4)]);
    expect(values(worker, "2")).to.deep.equal([4]);
    expect(calls).to.deep.equal(["setup", "teardown", "setup"]);
  });

  it("a stream that is lost in the middle of a bundle, inwards or outwards, fails it with the stream's error", async () => {
    const worker = workerOf([() => ({ process: (value: number) => [value] })]);
    const inward = worker.begin("1");
    worker.data.put("1", worker.chunk([element(1)]));
    worker.data.lose("1", new Error("the data stream was lost"));
    expect((await inward).error).to.match(/^Error: the data stream was lost/);
    worker.data.sendError = new Error("nobody takes it");
    const outward = worker.begin("2");
    worker.data.put("2", worker.chunk([element(1)]), worker.last());
    expect((await outward).error).to.match(/^Error: nobody takes it/);
  });

  it("close() abandons what runs: signal fired, nothing more sent, everything torn down", async () => {
    const calls: string[] = [];
    let signal: AbortSignal | undefined;
    const worker = workerOf([
      () => ({
        setup: (context: { signal: AbortSignal }) => {
          signal = context.signal;
        },
        async process(value: number) {
          calls.push(`begin ${value}`);
          await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
          calls.push("aborted");
          return [value];
        },
        concurrencyMax: 1,
        teardown: () => void calls.push("teardown"),
      }),
    ]);
    const answer = worker.begin("1");
    worker.data.put("1", worker.chunk([element(1), element(2)]), worker.last());
    while (calls.length === 0) await later(1);
    await worker.instructions.close(new Error("the control stream has ended"));
    expect((await answer).error).to.match(/^Error: the control stream has ended/);
    expect(calls).to.deep.equal(["begin 1", "aborted", "teardown"]);
    expect(worker.data.sent.get("1") ?? []).to.deep.equal([]);
  });

  it("a descriptor that was not registered is fetched once; an unknown one fails its bundle", async () => {
    const worker = workerOf([() => ({ process: (value: number) => [value] })]);
    await worker.run("1", [element(1)]);
    await worker.run("2", [element(1)]);
    expect(worker.fetched).to.deep.equal(["stage"]);
    const { descriptor } = worker;
    await worker.ask({
      oneofKind: "register",
      register: { processBundleDescriptor: [{ ...descriptor, id: "other" }] },
    });
    const unknown = await worker.instructions.answer({
      instructionId: "3",
      request: {
        oneofKind: "processBundle",
        processBundle: { processBundleDescriptorId: "none", cacheTokens: [] },
      },
    });
    expect(unknown.error).to.match(/^Error: there is no descriptor "none"/);
    expect(worker.fetched).to.deep.equal(["stage", "none"]);
  });

  it("finalizeBundle calls what a bundle has left for it, in order, once", async () => {
    const calls: number[] = [];
    const worker = workerOf([
      () => ({
        process(value: number, context: ProcessContext) {
          context.afterCommit(() => void calls.push(value));
        },
      }),
    ]);
    const answer = await worker.run("1", [element(1), element(2)]);
    expect([answer.requiresFinalization, calls]).to.deep.equal([true, []]);
    const finalize = { oneofKind: "finalizeBundle", finalizeBundle: { instructionId: "1" } } as const;
    expect((await worker.ask(finalize)).error).to.equal("");
    await worker.ask(finalize);
    expect(calls).to.deep.equal([1, 2]);
  });

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
