/** Processing time, when the wall clock behaves and when it does not. */
import { expect } from "chai";
import { ProcessingClock } from "../../../runners/direct/processing-clock.js";

describe("ProcessingClock", () => {
  const clock = { wallMs: 1_000, ms: 0 };
  const processing = () =>
    new ProcessingClock({ now: () => clock.wallMs, monotonicMs: () => clock.ms, sleep: async () => undefined });
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

  it("goes on at the monotonic clock's pace after the wall clock was set back, until that has caught up", () => {
    const time = processing();
    const startMs = time.now();
    advance(-50, 10);
    expect(time.now() - startMs).to.equal(10);
    advance(20, 20);
    expect(time.now() - startMs).to.equal(30);
    advance(100, 100);
    expect(time.now() - startMs).to.equal(130);
  });
});
