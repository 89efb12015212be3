/** `kill -9` while a backlog is worked off: whatever the moment, every event is there once. */

import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { FAILPOINTS } from "../../transforms/primitives/failpoint.js";
import { expectExact } from "../support/oracle.js";
import { createWorkspace, PipelineProcess, runOnce, type Workspace } from "../support/pipeline-process.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { ShopInput } from "../support/shop-input.js";

/** How many times to kill at random moments: 20, or 100 by `npm run test:crash`. */
const KILLS = Number(process.env["MILLRACE_KILLS"] ?? 20);
const ROUNDS_OF_FAILPOINTS = Math.ceil(KILLS / 20);
const RECORDS_PER_FILE = 1_000;
const FILES = 30;
/** A run through the whole backlog takes longer than this from its first commit. */
const WORK_MS = 400;
/** In which a process does little more than start. */
const START_MS = 800;
const MS_PER_KILL_MAX = 30_000;

describe("crash: kill -9", function () {
  this.timeout(KILLS * MS_PER_KILL_MAX);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  let workspace: Workspace;
  let input: ShopInput;

  async function newBacklog(): Promise<void> {
    workspace = await createWorkspace();
    input = new ShopInput({ choice, directory: workspace.inputDir, recordsPerFile: RECORDS_PER_FILE });
    await input.writeBacklog(FILES);
  }

  async function finishAndCheck(): Promise<void> {
    await runOnce(workspace);
    await expectExact(workspace, input.files);
    await workspace.remove();
  }

  afterEach(() => workspace.remove());

  it(`at ${KILLS} random moments: each event and dead letter once (MILLRACE_SEED=${seed})`, async () => {
    let kills = 0;
    while (kills < KILLS) {
      await newBacklog();
      for (let isDone = false; !isDone && kills < KILLS; ) {
        const child = new PipelineProcess(workspace, { flags: ["--once"] });
        if (choice.isHit(0.2)) {
          await sleep(choice.between(0, START_MS));
        } else {
          await child.untilFirstCommit();
          await sleep(choice.between(0, WORK_MS));
        }
        const { code, signal } = await child.kill();
        isDone = signal !== "SIGKILL";
        if (isDone) expect(code, child.log).equal(0);
        else kills += 1;
      }
      await finishAndCheck();
    }
  });

  it(`at every failpoint, in any order: each event and dead letter once (MILLRACE_SEED=${seed})`, async () => {
    for (let round = 0; round < ROUNDS_OF_FAILPOINTS; round++) {
      await newBacklog();
      for (const name of choice.shuffled(FAILPOINTS)) {
        const env = { MILLRACE_FAILPOINT: `${name}:${choice.between(1, 3)}` };
        const child = new PipelineProcess(workspace, { flags: ["--once"], env });
        const exit = await child.exited;
        expect(exit, `${env.MILLRACE_FAILPOINT}\n${child.log}`).deep.equal({ code: null, signal: "SIGKILL" });
      }
      await finishAndCheck();
    }
  });
});
