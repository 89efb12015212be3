/** SIGTERM while a backlog is worked off: exit 0, and the next run goes on where this one ended. */

import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { expectExact } from "../support/oracle.js";
import { createWorkspace, PipelineProcess, runOnce, type Workspace } from "../support/pipeline-process.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { ShopInput } from "../support/shop-input.js";

const STOPS = 6;
const ENDS = 5;
/** Node itself needs about this long to come to the program's first line. */
const NODE_START_MS = 300;
const STOP_MS_MAX = 5_000;

describe("crash: SIGTERM", function () {
  this.timeout(120_000);
  const seed = chooseSeed();
  let workspace: Workspace;

  afterEach(() => workspace.remove());

  it(`at ${STOPS} random moments of a backlog: exit 0 each time, then exact (MILLRACE_SEED=${seed})`, async () => {
    const choice = new Choice(seed);
    workspace = await createWorkspace();
    const input = new ShopInput({ choice, directory: workspace.inputDir, recordsPerFile: 1_000 });
    await input.writeBacklog(30);
    for (let n = 0; n < STOPS; n++) {
      const runner = new PipelineProcess(workspace, { flags: ["--once"] });
      if (n % 3 === 0) await sleep(NODE_START_MS + choice.between(0, 500));
      else await runner.untilFirstCommit();
      await sleep(choice.between(0, 150));
      const stoppedAtMs = Date.now();
      runner.signal("SIGTERM");
      expect(await runner.exited, runner.log).deep.equal({ code: 0, signal: null });
      expect(Date.now() - stoppedAtMs, "ms until it left").below(STOP_MS_MAX);
      expect(runner.errors, runner.log).deep.equal([]);
    }
    await runOnce(workspace);
    await expectExact(workspace, input.files);
  });

  it("signals without a pause after the last word: exit 0", async () => {
    workspace = await createWorkspace();
    await new ShopInput({
      choice: new Choice(seed),
      directory: workspace.inputDir,
      recordsPerFile: 10,
    }).writeBacklog(1);
    for (let n = 0; n < ENDS; n++) {
      const runner = new PipelineProcess(workspace, { flags: ["--once"] });
      await runner.untilEnd();
      while (!runner.hasExited) {
        runner.signal("SIGTERM");
        await setImmediate();
      }
      expect(await runner.exited, runner.log).deep.equal({ code: 0, signal: null });
    }
  });
});
