/** Processing time, when the wall clock behaves and when it does not. */
import { expect } from "chai";
import { ProcessingClock } from "../../../runners/direct/processing-clock.js";

describe("ProcessingClock", () => {
  const clock = { wallMs: 1_000, ms: 0 };
  const processing = () =>
    new ProcessingClock({
      now: () => clock.wallMs,
      monotonicMs: () => clock.ms,
      sleep: async () => undefined,
    });
  const advance = (wallMs: number, ms: number) => {
    clock.wallMs += wallMs;
    clock.ms += ms;
  };

  it("follows the wall clock forward, also when it is set forward", () => {
    const time = processing();
    const startMs = time.now();
    advance(10, 10);
    expect(time.now() - startMs).to.equal(10);
    advance(3_600_000, 1);
    expect(time.now() - startMs).to.equal(3_600_010);
  });

  it("goes on where it was after the wall clock was set back, until that has caught up", () => {
    const time = processing();
    const startMs = time.now();
    advance(-5_000, 10);
    expect(time.now() - startMs).to.equal(10);
    advance(20, 20);
    expect(time.now() - startMs).to.equal(30);
    advance(7_000, 7_000);
    expect(time.now() - startMs).to.equal(7_030);
    advance(6_000, 10);
    expect(time.now() - startMs).to.equal(8_020);
  });

  it("never goes back by the little by which clocks are adjusted", () => {
    const time = processing();
    const startMs = time.now();
    advance(-3, 1);
    expect(time.now() - startMs).to.equal(0);
    advance(4, 4);
    expect(time.now() - startMs).to.equal(1);
  });
});
