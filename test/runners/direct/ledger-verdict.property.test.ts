/** judge(): whatever is committed, replayed, confirmed, crashed and lost on either side, its verdict is what is true. */
import { expect } from "chai";
import { judge, type LedgerVerdict } from "../../../runners/direct/replay/ledger-verdict.js";
import type { EpochMark } from "../../../sql/sink-outbox.js";
import { Choice, chooseSeed } from "../../support/seeded-choice.js";

const SCENARIOS = 1_000;
const STEPS = 60;
const CHAIN = "chain";

interface Entry extends EpochMark {
  readonly chain: string;
  readonly after: EpochMark | undefined;
}

/** The coordinating database; the other one is the entries that it has applied. */
interface Here {
  readonly commits: readonly EpochMark[];
  readonly head: EpochMark | undefined;
  readonly log: readonly Entry[];
}

class World {
  here: Here = { commits: [], head: undefined, log: [] };
  there: readonly Entry[] = [];
  ledger: EpochMark | undefined;
  readonly verdicts = new Set<LedgerVerdict>();
  /** Entries that the run has found there, of which it takes the next one to be removed. */
  #confirmed = 0;
  #runs = 1;
  hasLost = false;

  commit(hasRows: boolean): void {
    const mark = { epoch: (this.here.commits.at(-1)?.epoch ?? 0) + 1, runId: `r${this.#runs}` };
    const { commits, head, log } = this.here;
    const kept = log.filter(({ epoch }) => epoch > this.#confirmed);
    const entry = { ...mark, chain: CHAIN, after: head };
    this.here = {
      commits: [...commits, mark],
      head: hasRows ? mark : head,
      log: hasRows ? [...kept, entry] : kept,
    };
  }

  /** Whoever runs the pipeline from now on knows only what the databases know. */
  restart(): void {
    this.#runs += 1;
    this.#confirmed = 0;
  }

  /** @returns false when nobody can go on by himself */
  async replay(): Promise<boolean> {
    const entry = this.here.log.find(({ epoch }) => epoch > this.#confirmed);
    if (entry === undefined) return true;
    const verdict = await this.verdictOf(entry);
    this.verdicts.add(verdict);
    this.expectTrue(entry, verdict);
    if (verdict === "lost-there" || verdict === "others") return false;
    // written over: what was lost comes again from here on
    if (verdict === "lost-here") this.there = this.there.slice(0, this.#standOf(entry.after));
    if (verdict !== "applied") {
      this.there = [...this.there, entry];
      this.ledger = entry;
    }
    this.#confirmed = entry.epoch;
    return true;
  }

  /** How many are there up to this one. */
  #standOf(mark: EpochMark | undefined): number {
    const at = mark === undefined ? 0 : this.there.findIndex((one) => isSame(one, mark)) + 1;
    expect(mark === undefined || at > 0, "an epoch between was left out").to.equal(true);
    return at;
  }

  verdictOf(entry: Entry): Promise<LedgerVerdict> {
    const { commits, log } = this.here;
    return judge(
      entry,
      { chain: CHAIN, mark: this.ledger },
      {
        isLogged: async (mark) => log.some((one) => isSame(one, mark)),
        runOfCommit: async (epoch) => commits.find((one) => one.epoch === epoch)?.runId,
      },
    );
  }

  expectTrue(entry: Entry, verdict: LedgerVerdict): void {
    const isThere = this.there.some((one) => isSame(one, entry));
    const last = this.there.at(-1);
    if (verdict === "apply") {
      expect(isThere, "applied twice").to.equal(false);
      expect(last === undefined ? undefined : [last.epoch, last.runId]).to.deep.equal(
        entry.after && [entry.after.epoch, entry.after.runId],
      );
    }
    if (verdict === "applied") expect(isThere, "passed over, and not there").to.equal(true);
    if (verdict === "lost-here") {
      expect(this.hasLost, "nothing was lost").to.equal(true);
      // unless the log has an epoch again that was confirmed before, and that another run has come after since
      const isKnown = this.here.commits.some((one) => last !== undefined && isSame(one, last));
      expect(isKnown, "lost, and known").to.equal(false);
    }
    if (verdict === "lost-there") {
      expect(this.hasLost, "nothing was lost").to.equal(true);
      expect(entry.after).to.not.equal(undefined);
    }
  }
}

const isSame = (a: EpochMark, b: EpochMark) => a.epoch === b.epoch && a.runId === b.runId;

describe("judge(), random histories", () => {
  const seed = chooseSeed();

  it(`applies each epoch once and in order, over crashes and fenced runs (MILLRACE_SEED=${seed})`, async () => {
    const choice = new Choice(seed);
    for (let scenario = 0; scenario < SCENARIOS; scenario++) {
      const world = new World();
      const all: Entry[] = [];
      for (let step = 0; step < STEPS; step++) {
        if (choice.isHit(0.5)) {
          world.commit(choice.isHit(0.7));
          const entry = world.here.log.at(-1);
          if (entry !== undefined && all.at(-1)?.epoch !== entry.epoch) all.push(entry);
        } else if (choice.isHit(0.8)) expect(await world.replay()).to.equal(true);
        else world.restart();
        // a fenced run that is late asks for an entry that it read long ago
        const late = all.length > 0 && choice.isHit(0.3) ? choice.of(all) : undefined;
        if (
          late !== undefined &&
          world.there.some((one) => isSame(one, late)) &&
          late.runId === world.ledger?.runId
        ) {
          expect(await world.verdictOf(late)).to.equal("applied");
        }
      }
      while (world.there.length < all.length) expect(await world.replay()).to.equal(true);
      expect(world.there).to.deep.equal(all);
      expect([...world.verdicts]).to.not.include.members(["lost-here"]);
    }
  });

  it(`tells what either side has lost, and never calls there what is not (MILLRACE_SEED=${seed})`, async () => {
    const choice = new Choice(seed);
    const seen = new Set<LedgerVerdict>();
    for (let scenario = 0; scenario < SCENARIOS; scenario++) {
      const world = new World();
      let keptHere = world.here;
      let keptThere = { there: world.there, ledger: world.ledger };
      const losesHere = choice.isHit(0.5);
      for (let step = 0; step < STEPS; step++) {
        const dice = choice.next();
        if (dice < 0.4) world.commit(choice.isHit(0.7));
        else if (dice < 0.85) {
          if (!(await world.replay())) break;
        } else if (dice < 0.9) world.restart();
        else if (dice < 0.95) {
          keptHere = world.here;
          keptThere = { there: world.there, ledger: world.ledger };
        } else {
          if (losesHere) world.here = keptHere;
          else Object.assign(world, keptThere);
          world.hasLost = true;
          world.restart();
        }
      }
      for (const verdict of world.verdicts) seen.add(verdict);
    }
    expect([...seen]).to.have.members(["apply", "applied", "lost-here", "lost-there"]);
  });
});
