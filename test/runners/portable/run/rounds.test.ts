/** runRounds(): when a round begins, what is tried again and how often, and how it ends. */
import { expect } from "chai";
import { ROUND_RETRIES_MAX, type RoundVerdict, runRounds } from "../../../../runners/portable/run/rounds.js";
import { ManualClock } from "../../../support/manual-clock.js";

const INTERVAL_MS = 10_000;

/** Rounds of a test: each takes its time on the manual clock, and then does as it is told. */
class Bench {
  readonly clock = new ManualClock();
  readonly stop = new AbortController();
  readonly beganAtMs: number[] = [];
  readonly retries: string[] = [];
  /** What the next rounds come to, one after the other; then every round succeeds at once. */
  script: { readonly tookMs?: number; readonly fails?: RoundVerdict }[] = [];
  outcome = "";

  start(): Promise<void> {
    return runRounds({
      intervalMs: INTERVAL_MS,
      clock: this.clock,
      stop: this.stop.signal,
      round: async () => {
        this.beganAtMs.push(this.clock.monotonicMs());
        const { tookMs = 0, fails } = this.script.shift() ?? {};
        await this.clock.sleep(tookMs);
        if (fails !== undefined) throw Object.assign(new Error(`round ${this.beganAtMs.length}`), { fails });
      },
      judge: (error) => (error as { fails: RoundVerdict }).fails,
      onRetry: async (error, attempt, delayMs) =>
        void this.retries.push(`${(error as Error).message}: attempt ${attempt} in ${delayMs}`),
    }).then(
      () => this.#end("stopped"),
      (error: Error) => this.#end(error.message),
    );
  }

  #end(outcome: string): void {
    this.outcome = outcome;
  }

  /** Moves the clock on in steps of 500 ms. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 500) {
      await turn();
      this.clock.advance(500);
    }
    await turn();
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("runRounds()", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.stop.abort());

  it("begins one at each interval, and at once behind one that took longer", async () => {
    bench.script = [{ tookMs: 2_000 }, { tookMs: 25_000 }, {}];
    void bench.start();
    await bench.pass(50_000);
    expect(bench.beganAtMs).to.deep.equal([0, 10_000, 35_000, 45_000]);
  });

  it("tries a failed round again after a growing pause, so many times in a row", async () => {
    bench.script = Array.from({ length: ROUND_RETRIES_MAX + 1 }, () => ({ fails: "counted-retry" as const }));
    const ended = bench.start();
    await bench.pass(60_000);
    await ended;
    expect(bench.beganAtMs).to.deep.equal([0, 1_000, 3_000, 7_000, 15_000, 31_000]);
    expect(bench.retries[0]).to.equal("round 1: attempt 1 in 1000");
    expect(bench.retries.at(-1)).to.equal("round 5: attempt 5 in 16000");
    expect(bench.outcome).to.equal("round 6");
  });

  it("counts failures in a row alone", async () => {
    const fails = { fails: "counted-retry" as const };
    bench.script = [fails, fails, fails, {}, fails, fails, fails, fails, fails, {}];
    void bench.start();
    await bench.pass(200_000);
    expect(bench.retries.map((line) => line.split(": ")[1])).to.deep.equal([
      ...["attempt 1 in 1000", "attempt 2 in 2000", "attempt 3 in 4000"],
      ...[
        "attempt 1 in 1000",
        "attempt 2 in 2000",
        "attempt 3 in 4000",
        "attempt 4 in 8000",
        "attempt 5 in 16000",
      ],
    ]);
    expect(bench.outcome).to.equal("");
  });

  it("waits without limit, a minute at most, for what is away", async () => {
    bench.script = Array.from({ length: 12 }, () => ({ fails: "retry" as const }));
    void bench.start();
    await bench.pass(500_000);
    expect(bench.retries).to.have.length(12);
    expect(bench.retries.at(-1)).to.equal("round 12: attempt 12 in 60000");
    expect(bench.outcome).to.equal("");
  });

  it("does not try again what would fail again", async () => {
    bench.script = [{}, { fails: "end" }];
    await Promise.all([bench.start(), bench.pass(20_000)]);
    expect(bench.beganAtMs).to.deep.equal([0, 10_000]);
    expect(bench.outcome).to.equal("round 2");
  });

  it("lets the round under way come to its end when it is stopped", async () => {
    bench.script = [{ tookMs: 20_000 }];
    const ended = bench.start();
    await bench.pass(5_000);
    bench.stop.abort();
    await bench.pass(10_000);
    expect(bench.outcome, "under way").to.equal("");
    await bench.pass(5_000);
    await ended;
    expect(bench.outcome).to.equal("stopped");
    expect(bench.beganAtMs).to.deep.equal([0]);
  });

  it("ends at once when it is stopped between two rounds", async () => {
    const ended = bench.start();
    await bench.pass(1_000);
    bench.stop.abort();
    await ended;
    expect(bench.outcome).to.equal("stopped");
  });

  it("says what a round failed with that was not tried again because of the stop", async () => {
    bench.script = [{ tookMs: 5_000, fails: "counted-retry" }];
    const ended = bench.start();
    await bench.pass(1_000);
    bench.stop.abort();
    await bench.pass(5_000);
    await ended;
    expect(bench.outcome).to.equal("round 1");

    const other = new Bench();
    other.script = [{ fails: "counted-retry" }];
    const otherEnded = other.start();
    await turn();
    other.stop.abort();
    await otherEnded;
    expect(other.outcome, "stopped in the pause before it").to.equal("round 1");
  });
});
