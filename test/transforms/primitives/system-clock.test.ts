/** The real clock, without measuring time. */
import { getEventListeners } from "node:events";
import { expect } from "chai";
import { systemClock } from "../../../transforms/primitives/system-clock.js";

describe("systemClock", () => {
  it("ends a sleep when its signal fires, however long it was", async () => {
    const stop = new AbortController();
    const sleeping = systemClock.sleep(1e15, stop.signal);
    stop.abort();
    await sleeping;
    await systemClock.sleep(1e15, stop.signal);
  });

  it("takes its listener back from the signal", async () => {
    const { signal } = new AbortController();
    await systemClock.sleep(0, signal);
    await systemClock.sleep(-1, signal);
    expect(getEventListeners(signal, "abort")).to.have.length(0);
  });
});
