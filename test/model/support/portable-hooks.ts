/** Mocha's root hooks of a run on a job server: nothing outlives its scenario, the server not the run. */
import { writeResults } from "./portable-results.js";
import { cancelJobs, stopTarget } from "./portable-target.js";

export const mochaHooks = {
  async afterEach(this: Mocha.Context): Promise<void> {
    this.timeout(90_000); // servers take their time to end a job
    await cancelJobs();
  },
  async afterAll(this: Mocha.Context): Promise<void> {
    this.timeout(60_000);
    await stopTarget();
    writeResults();
  },
};
