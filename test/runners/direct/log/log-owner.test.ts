/** One run owns a commit log: who is let in, who is refused by name, and what a run can do that was taken over. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import path from "node:path";
import { expect } from "chai";
import type { CommitLog } from "../../../../runners/direct/log/commit-log.js";
import { LogOfOthersError } from "../../../../runners/direct/log/log-errors.js";
import { ownerName } from "../../../../runners/direct/log/log-files.js";
import { self } from "../../../../runners/run/process-holder.js";
import { FencedError, PipelineLockedError } from "../../../../runners/run/run-start.js";
import { ManualClock } from "../../../support/manual-clock.js";
import { Choice, chooseSeed } from "../../../support/seeded-choice.js";
import {
  CountedState,
  commit,
  failure,
  newFolder,
  openLog,
  PIPELINE,
  removeFolders,
  Said,
  textsOf,
} from "./log-scene.js";

/** Runs that take a log from each other at the same time. */
const TAKERS = 5;
const ROUNDS = Number(process.env["MILLRACE_LOG_ROUNDS"] ?? 20);

describe("the owner of a commit log", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await newFolder();
  });
  after(removeFolders);

  async function writeOwner(run: number, holder: object, more: object = {}): Promise<void> {
    const owner = { pipeline: PIPELINE, runId: "x", holder, hasLeft: false, ...more };
    await writeFile(path.join(folder, ownerName(run)), JSON.stringify(owner));
  }

  /** What comes of a start while it waits for as long as it may. */
  async function waitInVain(said = new Said()): Promise<Error> {
    const clock = new ManualClock();
    const refused = failure(openLog(folder, { clock, log: said }));
    for (let waited = 0; waited < 15_000; waited += 5_000) {
      await clock.asleep();
      clock.advance(5_000);
    }
    return refused;
  }

  it("is waited for while its process lives, and named when it does not leave within 15 s", async () => {
    const log = await openLog(folder);
    const said = new Said();
    const error = await waitInVain(said);
    const who = `process ${process.pid} on host ${hostname()}, started ${new Date(self().startedAtMs).toISOString().slice(0, 17)}`;
    expect(error).instanceOf(PipelineLockedError).property("code", "MILLRACE_LOCKED");
    expect(error.message).contain(`pipeline "test" is run in ${folder} by ${who}`);
    expect(error.message).contain("waited 15 s. Stop it, or start with `takeover`");
    expect(said.lines).length(1);
    expect(said.lines[0]).contain(`info waiting for pipeline "test" in ${folder}, held by ${who}`);
    await log.close();
  });

  it("lets the next one in as soon as it has left, in the same process", async () => {
    const first = await openLog(folder);
    const state = new CountedState();
    await commit(first, state);
    const clock = new ManualClock();
    const next = openLog(folder, { clock });
    await clock.asleep();
    await first.close();
    clock.advance(100);
    const second = await next;
    expect(second.state).deep.include({ epoch: 1, watermarkMs: 10 });
    expect(second.state.runId).not.equal(first.state.runId);
    await second.close();
  });

  it("is put out when its process is dead, has been another one since, or takeover says so", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await new Promise((resolve) => child.once("close", resolve));
    await writeOwner(1, { ...self(), pid: child.pid });
    await (await openLog(folder)).close();
    await writeOwner(3, { ...self(), startedAtMs: self().startedAtMs - 3_600_000 });
    await (await openLog(folder)).close();
    await writeOwner(5, self());
    const said = new Said();
    await (await openLog(folder, { takeover: true, log: said })).close();
    expect(said.lines).length(1);
    expect(said.lines[0]).match(/^warn taking pipeline "test" in .* over from process \d+ on host /);
  });

  it("is put out when its process is dead and nobody has buried it", async () => {
    const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 30"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [said] = (await once(parent.stdout, "data")) as [Buffer];
    await writeOwner(1, { ...self(), pid: Number(said.toString()), startedAtMs: Date.now() });
    const log = await openLog(folder);
    expect(await readdir(folder)).contain(ownerName(2));
    await log.close();
    parent.kill("SIGKILL");
  });

  it("on another host, or in a file that cannot be read, stays until takeover says so", async () => {
    await writeOwner(1, { host: "elsewhere", pid: 1, startedAtMs: 0 });
    expect((await waitInVain()).message).contain(
      "process 1 on host elsewhere, started 1970-01-01T00:00:00.000Z",
    );
    for (const text of ["", "null", "{}", '{"pipeline":"other"}']) {
      await writeFile(path.join(folder, ownerName(1)), text);
      expect((await waitInVain()).message).contain(
        `somebody whom ${path.join(folder, ownerName(1))} does not name`,
      );
    }
    await (await openLog(folder, { takeover: true })).close();
    expect(await readdir(folder)).contain(ownerName(2));
  });

  it("of another pipeline is not disturbed, not by a takeover either", async () => {
    const log = await openLog(folder);
    const state = new CountedState();
    const before = await failure(openLog(folder, { pipeline: "other", takeover: true }));
    expect(before).instanceOf(LogOfOthersError);
    expect(before.message).contain(`${ownerName(1)} is of the commit log of pipeline "test", not of "other"`);
    await commit(log, state);
    const after = await failure(openLog(folder, { pipeline: "other", takeover: true }));
    expect(after).instanceOf(LogOfOthersError);
    await commit(log, state);
    await log.close();
    expect(await readdir(folder)).deep.equal(["run-0000000001-epoch-000000000000001.log", ownerName(1)]);
  });

  it("that was taken over commits nothing, and leaves also while it has nothing to commit", async () => {
    const clock = new ManualClock();
    const first = await openLog(folder, { clock });
    const state = new CountedState();
    await commit(first, state);
    const broken = new Promise<unknown>((resolve) => first.whenBroken(resolve));
    const second = await openLog(folder, { takeover: true });
    clock.advance(1_000);
    expect(await broken).instanceOf(FencedError);
    const error = await failure(commit(first, state, "fenced"));
    expect(error).instanceOf(FencedError).property("code", "MILLRACE_FENCED");
    expect(error.message).equal(
      `pipeline "test" was taken over in ${folder}: its run is no longer ${first.state.runId}`,
    );
    expect((await failure(commit(first, state, "again"))).message).contain("the run has ended");
    await first.close();
    await commit(second, new CountedState(second.restored));
    await second.close();
    const third = await openLog(folder);
    expect(textsOf(third.restored)).deep.equal(["e1", "e2"]);
    await third.close();
  });

  it("that was taken over and comes back at its snapshot commits nothing, and takes nothing away", async () => {
    const first = await openLog(folder, { snapshotEpochs: 2 });
    const state = new CountedState();
    await commit(first, state);
    await commit(first, state);
    const second = await openLog(folder, { takeover: true });
    expect(await failure(commit(first, state, "fenced"))).instanceOf(FencedError);
    await first.close();
    const read = new CountedState(second.restored);
    expect(textsOf(read.records)).deep.equal(["e1", "e2"]);
    await commit(second, read);
    await second.close();
    expect((await readdir(folder)).sort()).deep.equal([
      "run-0000000002-epoch-000000000000003.log",
      ownerName(2),
    ]);
    expect(JSON.parse(await readFile(path.join(folder, ownerName(2)), "utf8"))).property("hasLeft", true);
  });

  it("that was taken over twice is not misled by a file that has its number again", async () => {
    const first = await openLog(folder);
    const state = new CountedState();
    await commit(first, state);
    for (let n = 0; n < 2; n++) {
      const next = await openLog(folder, { takeover: true });
      await commit(next, new CountedState(next.restored));
      await next.close();
    }
    expect((await readdir(folder)).filter((name) => name.endsWith(".json"))).deep.equal([ownerName(3)]);
    // By somebody who had counted before the others came.
    await writeOwner(1, self());
    expect(await failure(commit(first, state, "fenced"))).instanceOf(FencedError);
    await first.close();
  });

  it("changes hands among many at the same time, and no commit is lost that was said to be one", async function () {
    this.timeout(600_000);
    const seed = chooseSeed();
    const choice = new Choice(seed);
    let commits = 0;
    let fenced = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const place = await newFolder();
      const told = new Map<number, string>();
      const takeTurns = async (name: string) => {
        for (let turn = 0; turn < 4; turn++) {
          const snapshotEpochs = choice.between(1, 4);
          const log = await openLog(place, { takeover: true, snapshotEpochs }).catch(ignoreFenced);
          if (log === undefined) continue;
          const state = new CountedState(log.restored);
          try {
            for (let n = choice.between(1, 6); n > 0; n--) {
              const epoch = log.state.epoch + 1;
              await commit(log, state, `${name}${turn}.`);
              expect(told.get(epoch), `epoch ${epoch}, MILLRACE_SEED=${seed}`).equal(undefined);
              told.set(epoch, `${name}${turn}.${epoch}`);
            }
          } catch (error) {
            if (!(error instanceof FencedError)) throw error;
            fenced += 1;
          } finally {
            await log.close();
          }
        }
      };
      await Promise.all(Array.from({ length: TAKERS }, (_, n) => takeTurns("abcdefgh"[n]!)));
      const last = await openLog(place);
      const texts = textsOf(last.restored);
      expect(texts, `MILLRACE_SEED=${seed}, round ${round}`).include.members([...told.values()]);
      expect(texts.map((text) => Number(text.split(".")[1])).sort((a, b) => a - b)).deep.equal(
        Array.from({ length: last.state.epoch }, (_, n) => n + 1),
      );
      await last.close();
      commits += told.size;
    }
    expect(commits, "commits").above(ROUNDS);
    expect(fenced, "fenced runs").above(ROUNDS);
  });
});

function ignoreFenced(error: unknown): CommitLog | undefined {
  if (error instanceof FencedError) return undefined;
  throw error;
}
