/** watchStopSignals() and finishJob(): one signal drains, a later one stops at once, npm's double is one. */
import { EventEmitter } from "node:events";
import { expect } from "chai";
import { finishJob, type JobEnd, type StopSignals, watchStopSignals } from "../../pipelines/stop-signals.js";
import { FakeJob, listLog, ManualClock, settle } from "./fake-job.js";

let emitter: EventEmitter;
let clock: ManualClock;
let stops: string[];
let stop: StopSignals;

/** Hooks of the block that calls it. */
function useFreshState(): void {
  beforeEach(() => {
    emitter = new EventEmitter();
    clock = new ManualClock();
    stops = [];
    const stopAtOnce = (signal: string, exitCode: number) => void stops.push(`${signal} ${exitCode}`);
    stop = watchStopSignals({ emitter, clock, stopAtOnce });
  });
}

describe("watchStopSignals()", () => {
  useFreshState();

  it("requests a stop at the first signal", () => {
    expect(stop.requested.aborted).to.equal(false);
    emitter.emit("SIGTERM");
    expect(stop.requested.reason).to.equal("SIGTERM");
    expect(stops).to.deep.equal([]);
  });

  it("takes a signal within a second for the same one", async () => {
    emitter.emit("SIGINT");
    emitter.emit("SIGINT");
    await clock.advance(1_000);
    emitter.emit("SIGINT");
    expect(stops).to.deep.equal([]);
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    it(`stops at once with ${code} at a ${signal} more than a second later`, async () => {
      emitter.emit("SIGINT");
      await clock.advance(1_001);
      emitter.emit(signal);
      expect(stops).to.deep.equal([`${signal} ${code}`]);
    });
  }

  it("counts the second from the first signal, however many come", async () => {
    for (let at = 0; at < 3; at++) {
      emitter.emit("SIGINT");
      await clock.advance(600);
    }
    expect(stops).to.deep.equal(["SIGINT 130"]);
  });

  it("still catches signals after the command's end, and does nothing at them", async () => {
    stop.end();
    emitter.emit("SIGTERM");
    await clock.advance(1_001);
    emitter.emit("SIGTERM");
    expect(stop.requested.aborted).to.equal(false);
    expect(stops).to.deep.equal([]);
    expect(emitter.listenerCount("SIGTERM")).to.equal(1);
  });
});

describe("finishJob()", () => {
  useFreshState();

  let job: FakeJob;
  let lines: string[];
  let end: Promise<JobEnd>;
  beforeEach(() => {
    job = new FakeJob();
    lines = [];
    end = finishJob(job, { requested: stop.requested, drainTimeoutMs: 30_000, clock, log: listLog(lines) });
  });

  it("ends with 0 when the job is done by itself", async () => {
    job.end("DONE");
    expect(await end).to.deep.equal({ state: "DONE", exitCode: 0, problem: undefined });
    expect([job.calls, lines]).to.deep.equal([[], []]);
  });

  it("ends with 1 and the failure's message when the job fails", async () => {
    job.end("FAILED", new Error("the disk is gone"));
    expect(await end).to.deep.equal({ state: "FAILED", exitCode: 1, problem: "the disk is gone" });
  });

  it("ends with 1 when somebody else cancelled it", async () => {
    job.end("CANCELLED");
    expect(await end).to.deep.equal({
      state: "CANCELLED",
      exitCode: 1,
      problem: 'pipeline "user-events" ended CANCELLED',
    });
  });

  it("drains at a signal and ends with 0", async () => {
    emitter.emit("SIGTERM");
    expect(await end).to.deep.equal({ state: "DONE", exitCode: 0, problem: undefined });
    expect(job.calls).to.deep.equal(["drain"]);
    expect(lines).to.deep.equal(["info SIGTERM: draining, for 30 s at most; again to stop at once"]);
  });

  it("drains at once when the signal came before the job", async () => {
    emitter.emit("SIGINT");
    const early = new FakeJob();
    const options = { requested: stop.requested, drainTimeoutMs: 30_000, clock, log: listLog([]) };
    expect((await finishJob(early, options)).exitCode).to.equal(0);
    expect(early.calls).to.deep.equal(["drain"]);
  });

  it("ends with 1 when draining fails", async () => {
    job.endsBy.drain = false;
    emitter.emit("SIGTERM");
    await settle();
    job.end("FAILED", new Error("the disk is gone"));
    expect(await end).to.deep.equal({ state: "FAILED", exitCode: 1, problem: "the disk is gone" });
  });

  it("cancels a drain that takes longer than the timeout, and ends with 1", async () => {
    job.endsBy.drain = false;
    emitter.emit("SIGTERM");
    await settle();
    await clock.advance(29_999);
    expect(job.calls).to.deep.equal(["drain"]);
    await clock.advance(1);
    expect(job.calls).to.deep.equal(["drain", "cancel"]);
    expect(await end).to.deep.equal({
      state: "CANCELLED",
      exitCode: 1,
      problem:
        "draining took longer than 30 s (--drain-timeout): cancelled; the next run goes on from the last commit",
    });
  });

  it("leaves without a job that does not even cancel", async () => {
    job.endsBy = { drain: false, cancel: false };
    emitter.emit("SIGTERM");
    await settle();
    await clock.advance(30_000);
    await clock.advance(5_000);
    expect(await end).to.include({ state: "CANCELLING", exitCode: 1 });
  });
});
