/** What a worker answers to its runner: bundles over a data plane in memory. */

import type { ProcessBundleResponse } from "apache-beam/proto/beam_fn_api";
import { expect } from "chai";
import type { ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { answerOf, element } from "./support/test-worker.js";
import { later, numbers, values, workerOf } from "./support/workers-of-fns.js";

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
    expect(worker.data.sent.get("1")!.map(({ isLast }) => isLast)).to.deep.equal([true]);
  });

  it("a bundle sends fewer messages than the 100 that Java's runners take before its answer, however large or slow", async () => {
    const worker = workerOf([
      () => ({
        async *process(count: number) {
          await later(150);
          for (let i = 0; i < count; i++) yield "x".repeat(1_000_000);
        },
      }),
    ]);
    const answer = worker.begin("1");
    for (let i = 0; i < 20; i++) worker.data.put("1", worker.chunk([element(10)]));
    worker.data.put("1", worker.last());
    answerOf(await answer);
    const bytes = worker.data.sent.get("1")!.reduce((sum, { data }) => sum + data.length, 0);
    expect(bytes).to.be.greaterThan(200e6);
    // 24 of 1 MiB, 12 each of 2, 4 and 8 MiB, and what is left in messages of 16 MiB
    expect(worker.data.messages.get("1")).to.be.within(50, 64);
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
    expect(worker.data.unsentMax).to.be.lessThan(5 << 20); // one message after the other, the last ones of 4 MiB
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

  it("data streams are opened before a stage that cannot be read fails", async () => {
    const worker = workerOf([() => ({ process: (value: number) => [value] })]);
    const { descriptor } = worker;
    const transforms = { ...descriptor.transforms };
    const broken = {
      ...transforms["Step0"]!,
      spec: { urn: "beam:transform:unheard_of:v1", payload: new Uint8Array() },
    };
    const processBundleDescriptor = [
      { ...descriptor, id: "broken", transforms: { ...transforms, Step0: broken } },
    ];
    await worker.ask({ oneofKind: "register", register: { processBundleDescriptor } });
    expect(worker.data.opened).to.deep.equal([]);
    const { error } = await worker.ask({
      oneofKind: "processBundle",
      processBundle: { processBundleDescriptorId: "broken", cacheTokens: [] },
    });
    expect(error).to.match(/Step0.*beam:transform:unheard_of:v1/);
    expect(worker.data.opened).to.deep.equal(["localhost:1"]);
  });

  it("an element larger than elementBytesMax fails its bundle, inwards and outwards, with step, limit and size", async () => {
    const worker = workerOf([() => ({ process: (value: string) => [value.repeat(2)] })], {
      elementBytesMax: 3 << 20,
    });
    const rejected = (id: string, bytes: number) =>
      worker.run(id, [element("x".repeat(bytes))]).then(
        () => "nothing failed",
        (error: Error) => error.message.split("\n")[0],
      );
    expect(await rejected("1", 1 << 20)).to.equal("nothing failed");
    expect(await rejected("2", 2 << 20)).to.match(
      /PCollection "Step0.main" must have at most 3145728 bytes in one element or group \(elementBytesMax\), got 41943\d\d$/,
    );
    expect(await rejected("3", 4 << 20)).to.match(
      /what comes to PCollection "Impulse.main" must have at most 3145728 bytes in one element or group \(elementBytesMax\), got 41943\d\d$/,
    );
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
});
