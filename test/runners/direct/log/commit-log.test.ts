/** A commit log goes on where its last commit ended, keeps what it needs and no more, and refuses what does not fit. */
import { appendFile, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect } from "chai";
import { LogDamagedError } from "../../../../runners/direct/log/log-errors.js";
import { ownerName } from "../../../../runners/direct/log/log-files.js";
import { StateShapeError } from "../../../../runners/graph/state-shape.js";
import {
  CountedState,
  commit,
  failure,
  newFolder,
  openLog,
  removeFolders,
  Said,
  SHAPE,
  segmentsOf,
  textsOf,
} from "./log-scene.js";

describe("CommitLog", () => {
  let folder: string;
  beforeEach(async () => {
    folder = path.join(await newFolder(), "made", "here");
  });
  after(removeFolders);

  /** Commits so many epochs in a run of its own. */
  async function run(commits: number, snapshotEpochs = 100): Promise<void> {
    const log = await openLog(folder, { snapshotEpochs });
    const state = new CountedState(log.restored);
    for (let n = 0; n < commits; n++) await commit(log, state);
    await log.close();
  }

  async function restored(said = new Said()): Promise<{ epoch: number; texts: string[] }> {
    const log = await openLog(folder, { log: said });
    const found = { epoch: log.state.epoch, texts: textsOf(log.restored) };
    await log.close();
    return found;
  }

  it("begins with nothing, and changes nothing before its first commit", async () => {
    expect(await restored()).deep.equal({ epoch: 0, texts: [] });
    expect(await segmentsOf(folder)).deep.equal([]);
    await run(3);
    const [segment] = await segmentsOf(folder);
    const before = await readFile(path.join(folder, segment!));
    expect(await restored()).deep.equal({ epoch: 3, texts: ["e1", "e2", "e3"] });
    expect(await segmentsOf(folder)).deep.equal([segment]);
    expect(await readFile(path.join(folder, segment!))).deep.equal(before);
  });

  it("begins a segment with each run's first commit and each snapshot, and removes what came before", async () => {
    await run(2);
    expect(await segmentsOf(folder)).deep.equal(["run-0000000001-epoch-000000000000001.log"]);
    await run(5, 4);
    expect(await segmentsOf(folder)).deep.equal(["run-0000000002-epoch-000000000000007.log"]);
    expect((await readdir(folder)).filter((name) => name.endsWith(".json"))).deep.equal([ownerName(2)]);
    expect(await restored()).deep.equal({ epoch: 7, texts: ["e1", "e2", "e3", "e4", "e5", "e6", "e7"] });
  });

  it("goes on before a torn commit, and says which file and how much of it", async () => {
    await run(3);
    const file = path.join(folder, (await segmentsOf(folder))[0]!);
    const { size } = await stat(file);
    await truncate(file, size - 5);
    const said = new Said();
    expect(await restored(said)).deep.equal({ epoch: 2, texts: ["e1", "e2"] });
    expect(said.lines).length(1);
    expect(said.lines[0]).match(
      /^warn .*epoch-000000000000001\.log ends in \d+ bytes, from byte \d+ on, of a commit that was never finished: the pipeline goes on from epoch 2$/,
    );
    await run(1);
    expect(await restored()).deep.equal({ epoch: 3, texts: ["e1", "e2", "e3"] });
  });

  it("passes over files that a crash has left half-written, and over those of others, and removes the former", async () => {
    await run(2);
    const drafts = ["run-0000000001-epoch-000000000000002.log.tmp", "run-0000000001.owner.json.1234.tmp"];
    for (const name of [...drafts, "notes.txt"]) await writeFile(path.join(folder, name), "half");
    expect(await restored()).deep.equal({ epoch: 2, texts: ["e1", "e2"] });
    await run(1);
    const names = await readdir(folder);
    expect(names).contain("notes.txt");
    expect(names).not.include.members(drafts);
    expect(names.filter((name) => name.endsWith(".tmp"))).deep.equal([]);
  });

  it("reads the newest segment where a crash has left older ones, whole or not", async () => {
    await run(2);
    const older = await segmentsOf(folder);
    const bytes = await readFile(path.join(folder, older[0]!));
    await run(2);
    await writeFile(path.join(folder, older[0]!), bytes);
    await appendFile(path.join(folder, older[0]!), "of a run that was taken over");
    expect(await restored()).deep.equal({ epoch: 4, texts: ["e1", "e2", "e3", "e4"] });
  });

  it("is refused where it is damaged, every time, and left as it is", async () => {
    await run(3);
    const file = path.join(folder, (await segmentsOf(folder))[0]!);
    const bytes = await readFile(file);
    bytes[40]! ^= 1;
    await writeFile(file, bytes);
    for (const takeover of [false, true]) {
      const error = await failure(openLog(folder, { takeover }));
      expect(error).instanceOf(LogDamagedError);
      expect(error.message).contain(`the commit log is damaged at byte 0 of ${file}`);
    }
    expect(await readFile(file)).deep.equal(bytes);
    bytes[40]! ^= 1;
    await writeFile(file, bytes);
    expect(await restored()).deep.equal({ epoch: 3, texts: ["e1", "e2", "e3"] });
  });

  it("is refused where its state has another shape or format, and open to the one that it has", async () => {
    await run(2);
    const shape = { Step: { 'state "sum"': "bag of varint" }, New: { elements: "bytes" } };
    const error = await failure(openLog(folder, { shape }));
    expect(error).instanceOf(StateShapeError);
    expect(error.message).contain('state "sum" of "Step": was value of varint, is bag of varint');
    expect(await restored()).deep.equal({ epoch: 2, texts: ["e1", "e2"] });
    const grown = await openLog(folder, { shape: { ...SHAPE, New: { elements: "bytes" } } });
    expect(textsOf(grown.restored)).deep.equal(["e1", "e2"]);
    await grown.close();
  });

  it("ends with its first failure: what is appended behind it could not be trusted", async () => {
    const log = await openLog(folder);
    const state = new CountedState();
    await commit(log, state);
    const failing = { hasChanges: true, takeSnapshot: () => [], takeDelta: () => fail("no coder for this") };
    const facts = {
      epoch: 2,
      atMs: 0,
      counts: log.state.totals,
      totals: log.state.totals,
      watermarkMs: null,
    };
    expect((await failure(log.commit(facts, failing))).message).equal("no coder for this");
    expect((await failure(log.commit(facts, state))).message).contain("the run has ended");
    await log.close();
    expect(await restored()).deep.equal({ epoch: 1, texts: ["e1"] });
  });
});

function fail(message: string): never {
  throw new Error(message);
}
