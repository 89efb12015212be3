/** A short soak on Prism: the program itself, with the client killed in the midst. */
import { expect } from "chai";
import { startBenchServer } from "../bench/bench-server.js";
import { runSoak } from "../soak/run-soak.js";

const SEED = 20_261_131;

describe("npm run soak", () => {
  it("finds the same rows and counts in rounds on Prism as on the direct runner", async function () {
    this.timeout(180_000);
    const flags = ["--runner=prism", "--interval=2s"];
    const soak = await runSoak(await startBenchServer(), { flags, seconds: 20, rate: 300, seed: SEED });
    expect(soak.differences).to.deep.equal([]);
    expect(soak.result.records).to.equal(6_000);
    expect(soak.landings.missing).to.deep.equal([]);
    expect(soak.jobs, "before and behind the kill").to.be.at.least(2);
  });
});
