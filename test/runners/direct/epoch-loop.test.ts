/** The epoch loop over a scripted engine: the order of bundles, commits, drains and ends. */
import { expect } from "chai";
import type { ActiveRestriction } from "../../../runners/bundle/host.js";
import type { Committer } from "../../../runners/direct/epoch.js";
import type { EpochTransaction } from "../../../transforms/primitives/do-fn.js";
import { bundle, element, elements, residual, restriction, ScriptedRun } from "./scripted-engine.js";

const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** A restriction that counts how often it was told to stop. */
function active(root: string): ActiveRestriction & { stops: number } {
  const one = {
    root,
    stops: 0,
    checkpoint: () => {
      one.stops += 1;
    },
    split: () => undefined,
    progress: () => undefined,
  };
  return one as ActiveRestriction & { stops: number };
}

describe("EpochLoop", () => {
  let run: ScriptedRun;
  beforeEach(() => {
    run = new ScriptedRun();
  });

  it("finishes a bundle before it is applied, and runs what that makes ready in the same epoch", async () => {
    run.engine.ready = [elements("A", 1)];
    run.engine.onApply = ({ stage }) => {
      if (stage === "A") run.engine.ready.push(elements("B", 2));
    };
    await run.loop([{ id: "A" }, { id: "B" }]).run();
    expect(run.events).to.deep.equal([
      ...["start A", "process A", "finish A", "apply A 1"],
      ...["start B", "process B", "finish B", "apply B 2"],
      "committed 1",
    ]);
  });

  it("gives the engine what a bundle emitted, also while it finished", async () => {
    const first = elements("A", 1);
    run.engine.ready = [first];
    const [early, late] = [element("a"), element("b")];
    run.scripts.set("A", (_, scope) => scope.emit("out", early));
    run.finishes.set("A", (scope) => scope.emit("out", late));
    await run.loop([{ id: "A" }]).run();
    expect(run.engine.results.get(first.id)?.outputs).to.deep.equal(new Map([["out", [early, late]]]));
  });

  it("lets one bundle of a leaf stage take in all of an epoch, and finish last", async () => {
    run.engine.ready = [elements("Sink", 1), elements("A", 2), elements("Sink", 3)];
    await run.loop([{ id: "A" }, { id: "Sink", isLeaf: true }]).run();
    expect(run.events).to.deep.equal([
      ...["start Sink", "process Sink", "apply Sink 1"],
      ...["start A", "process A", "finish A", "apply A 2"],
      ...["process Sink", "apply Sink 3", "finish Sink", "committed 1"],
    ]);
  });

  describe("under a transaction", () => {
    const transaction = {} as EpochTransaction;
    const transactional = () => {
      const begin: Committer["begin"] = (metrics, earlier) => {
        const epoch = run.committer.begin(metrics, earlier);
        return Object.assign(epoch, { transaction: async () => transaction });
      };
      return { committer: Object.assign(Object.create(run.committer), { hasTransactions: true, begin }) };
    };

    it("lets a stage that writes nothing run its timers in the epoch of its elements", async () => {
      run.engine.ready = [restriction("Read", 0)];
      run.engine.onApply = ({ stage, inputs: [input] }) => {
        if (stage !== "Read" || input?.kind !== "restrictions") return;
        const at = input.work[0]?.restriction?.value as number;
        run.engine.ready.push(elements("Keyed", 1), elements("Keyed", 2));
        if (at < 2) run.engine.ready.push(restriction("Read", at + 1));
      };
      await run.loop([{ id: "Read" }, { id: "Keyed" }], transactional()).run();
      const epoch = ["apply Read", "apply Keyed", "apply Keyed"];
      const names = run.events.filter((event) => /^(apply|committed)/.test(event));
      expect(names.map((event) => event.replace(/ \d+$/, ""))).to.deep.equal([
        ...[...epoch, "committed"],
        ...[...epoch, "committed"],
        ...[...epoch, "committed"],
      ]);
    });

    it("lets a stage that has asked for it go on in the next epoch", async () => {
      run.engine.ready = [elements("Write", 1), elements("Write", 2)];
      run.finishes.set("Write", async (scope) => void (await scope.transaction()));
      await run.loop([{ id: "Write" }], transactional()).run();
      expect(run.events.filter((event) => /^(apply|committed)/.test(event))).to.deep.equal([
        ...["apply Write 1", "committed 1"],
        ...["apply Write 2", "committed 2"],
      ]);
    });

    it("ends an epoch although a stage always makes itself ready", async () => {
      let left = 40;
      run.engine.ready = [elements("Loop", left)];
      run.engine.onApply = () => void (left-- > 0 && run.engine.ready.push(elements("Loop", left)));
      await run.loop([{ id: "Loop" }], transactional()).run();
      const commits = run.events.flatMap((event, place) => (event.startsWith("committed") ? [place] : []));
      expect(commits, "16 bundles an epoch").to.have.length(3);
    });
  });

  for (const once of [false, true]) {
    it(`goes on with what is ready in another epoch where one is full${once ? ", also once" : ""}`, async () => {
      const many = () =>
        bundle("A", { kind: "elements", elements: new Array(500_000).fill(element(0)) } as never);
      run.engine.ready = [many(), many(), elements("A", 1)];
      const ends: string[] = [];
      run.engine.onApply = ({ inputs: [input] }) => {
        ends.push(`applied ${input?.kind === "elements" ? input.elements.length : input?.kind}`);
      };
      const onCommit = ({ epoch }: { epoch: number }) => void ends.push(`committed ${epoch}`);
      await run.loop([{ id: "A" }], { once, onCommit }).run();
      expect(ends).to.deep.equal([
        ...["applied 500000", "committed 1"],
        ...["applied 500000", "committed 2"],
        ...["applied 1", "committed 3"],
      ]);
    });
  }

  it("puts a source's next bundle into the next epoch, other stages' bundles before it", async () => {
    run.engine.ready = [restriction("Read", 0), restriction("Read", 1), elements("B", 2)];
    await run.loop([{ id: "Read" }, { id: "B" }]).run();
    expect(run.events.filter((event) => /^(apply|committed)/.test(event))).to.deep.equal([
      "apply Read 0",
      "apply B 2",
      "committed 1",
      "apply Read 1",
      "committed 2",
    ]);
  });

  it("reads the next epoch while one commits, and commits in order", async () => {
    const opens: (() => void)[] = [];
    run.finishes.set("Read", () => new Promise<void>((resolve) => opens.push(resolve)));
    run.engine.ready = [restriction("Read", 0)];
    run.engine.onApply = (_, { residuals }) => {
      for (const { restriction: value } of residuals) run.engine.ready.push(restriction("Read", value));
    };
    let next = 1;
    run.scripts.set("Read", (_, scope) => {
      if (next < 3) scope.addResidual(residual("Read", next++));
    });
    const running = run.loop([{ id: "Read", isLeaf: true }], { epochsInFlight: 2 }).run();
    await settle();
    expect(run.events).to.deep.equal([
      ...["start Read", "process Read", "apply Read 0"],
      ...["start Read", "process Read", "apply Read 1"],
    ]);
    opens[1]?.();
    await settle();
    expect(run.events).not.to.include("committed 1");
    opens[0]?.();
    await settle();
    expect(run.events.slice(6)).to.deep.equal([
      ...["finish Read", "finish Read", "committed 1"],
      ...["start Read", "committed 2", "process Read", "apply Read 2"],
    ]);
    opens[2]?.();
    await running;
    expect(run.events.slice(-2)).to.deep.equal(["finish Read", "committed 3"]);
  });

  it("tells a source to stop once it has emitted bundleRecordsMax elements", async () => {
    run.engine.ready = [restriction("Read", undefined)];
    const source = active("Read");
    const stopsAfter: number[] = [];
    run.scripts.set("Read", (_, scope) => {
      const end = scope.beginRestriction(source);
      for (let n = 1; n <= 3; n++) {
        scope.sourceEmitted(n);
        stopsAfter.push(source.stops);
      }
      end();
      scope.sourceEmitted(4);
    });
    await run.loop([{ id: "Read" }], { bundleRecordsMax: 2 }).run();
    expect(stopsAfter).to.deep.equal([0, 1, 2]);
    expect(source.stops).to.equal(2);
  });

  it("drains: stops what is read, drains the engine, and lets what is truncated come to its end", async () => {
    const source = active("Read");
    const stops: number[] = [];
    run.engine.ready = [restriction("Read", 0)];
    run.engine.onDrain = () => void run.engine.ready.push(restriction("Read", 1, true));
    run.engine.onApply = () => {
      run.engine.nextWakeUpMs = run.events.includes("drain") ? undefined : run.nowMs + 1_000_000;
    };
    run.scripts.set("Read", async (_, scope) => {
      const end = scope.beginRestriction(source);
      if (stops.length === 0) {
        run.drain.abort();
        await settle();
      }
      stops.push(source.stops);
      end();
    });
    await run.loop([{ id: "Read" }]).run();
    expect(stops).to.deep.equal([1, 1]);
    expect(run.events.filter((event) => !/^(start|process|finish)/.test(event))).to.deep.equal([
      ...["apply Read 0", "committed 1", "drain", "apply Read 1", "committed 2"],
    ]);
  });

  it("sleeps until the engine wants to go on, and is woken by what a residual brings along", async () => {
    let wake: () => void = () => undefined;
    const wakeUp = new Promise<void>((resolve) => {
      wake = resolve;
    });
    run.scripts.set("Read", (_, scope) => {
      if (run.events.includes("apply Read 0")) return;
      scope.addResidual(residual("Read", 1, { resumeAtMs: run.nowMs + 500 }), wakeUp);
    });
    run.engine.ready = [restriction("Read", 0)];
    run.engine.onApply = (_, { residuals }) => {
      run.engine.nextWakeUpMs = residuals[0]?.resumeAtMs;
    };
    run.engine.onResume = () => void run.engine.ready.push(restriction("Read", 1));
    const running = run.loop([{ id: "Read" }]).run();
    await run.clock.asleep();
    wake();
    await running;
    expect(run.events).to.include.members(["resume Read", "apply Read 1", "committed 2"]);
    expect(run.clock.monotonicMs()).to.equal(0);
  });

  it("goes on when the time comes for which the engine waits", async () => {
    const dueMs = run.nowMs + 500;
    run.engine.nextWakeUpMs = dueMs;
    run.engine.onAdvance = (nowMs) => {
      if (nowMs < dueMs) return;
      run.engine.nextWakeUpMs = undefined;
      run.engine.ready = [elements("A", "timer")];
    };
    const running = run.loop([{ id: "A" }]).run();
    await run.clock.asleep();
    run.clock.advance(499);
    expect(run.events).to.deep.equal([]);
    run.clock.advance(1);
    await running;
    expect(run.events).to.include("apply A timer");
  });

  it("ends with the unbounded source's wait when it runs once, and holds the watermark of one that has ended", async () => {
    const first = restriction("Read", undefined);
    run.engine.ready = [first];
    run.engine.onApply = (_, { residuals }) => {
      run.engine.nextWakeUpMs = residuals[0]?.resumeAtMs;
    };
    await run.loop([{ id: "Read", unboundedRoots: new Set(["Read"]) }], { once: true }).run();
    const [parked] = run.engine.results.get(first.id)?.residuals ?? [];
    expect(parked).to.include({ root: "Read", watermarkMs: 0, resumeAtMs: Number.POSITIVE_INFINITY });
  });

  it("waits for a bounded source also when it runs once", async () => {
    run.engine.ready = [restriction("Read", undefined)];
    run.scripts.set("Read", (_, scope) => {
      if (run.engine.results.size === 0)
        scope.addResidual(residual("Read", 1, { resumeAtMs: run.nowMs + 5 }));
    });
    run.engine.onApply = (_, { residuals }) => {
      run.engine.nextWakeUpMs = residuals[0]?.resumeAtMs;
    };
    run.engine.onAdvance = (nowMs) => {
      if (nowMs < (run.engine.nextWakeUpMs ?? Number.POSITIVE_INFINITY)) return;
      run.engine.nextWakeUpMs = undefined;
      run.engine.ready = [restriction("Read", 1)];
    };
    const running = run.loop([{ id: "Read" }], { once: true }).run();
    await run.clock.asleep();
    run.clock.advance(5);
    await running;
    expect(run.events).to.include("apply Read 1");
  });

  it("applies nothing of a bundle that failed, and rejects with its error", async () => {
    run.engine.ready = [elements("A", 1), elements("B", 2)];
    run.finishes.set("A", () => {
      throw new Error("no");
    });
    const loop = run.loop([{ id: "A" }, { id: "B" }]);
    const error = await loop.run().catch((thrown: unknown) => thrown);
    await loop.teardown();
    expect((error as Error).message).to.equal("no");
    expect(run.events).to.deep.equal(["start A", "process A", "teardown A", "teardown B"]);
  });

  it("calls back after the commit, in order, and counts metrics as committed before", async () => {
    run.engine.ready = [elements("A", 1)];
    run.scripts.set("A", (_, scope) => {
      scope.metrics("A").counter("c").inc();
      const { committed } = run.metrics.results().counters[0] as { committed: unknown };
      scope.afterCommit(() => {
        const [counter] = run.metrics.results().counters;
        run.events.push(`after ${committed} ${counter?.committed}`);
      });
    });
    await run.loop([{ id: "A" }]).run();
    expect(run.events.slice(-2)).to.deep.equal(["after undefined 1", "committed 1"]);
  });

  it("tells what the engine counts as metrics, each count once", async () => {
    run.engine.ready = [elements("A", 1)];
    run.engine.onApply = () => {
      run.engine.counters.set("GBK\tdroppedDueToLateness", 2);
      if (run.engine.results.size === 1) run.engine.ready = [elements("A", 2)];
      else run.engine.counters.set("GBK\tdroppedDueToLateness", 5);
    };
    await run.loop([{ id: "A" }]).run();
    expect(run.metrics.results().counters).to.deep.equal([
      { step: "GBK", name: "droppedDueToLateness", attempted: 5, committed: 5 },
    ]);
  });

  it("does not feed impulses again to a pipeline that has committed", async () => {
    run.committer.state.epoch = 3;
    run.engine.ready = [elements("A", "impulse")];
    await run.loop([{ id: "A", impulseRoots: new Set(["A"]) }]).run();
    expect(run.events).to.deep.equal(["start A", "finish A", "apply A impulse", "committed 4"]);
  });

  it("is told when the job is cancelled while it sleeps", async () => {
    run.engine.nextWakeUpMs = run.nowMs + 1_000;
    const running = run.loop([]).run();
    await run.clock.asleep();
    run.cancel.abort(new Error("cancelled"));
    const error = await running.catch((thrown: unknown) => thrown);
    expect((error as Error).message).to.equal("cancelled");
  });

  for (const [what, script] of [
    ["process", () => run.scripts.set("A", () => new Promise(() => undefined))],
    ["finishBundle", () => run.finishes.set("A", () => new Promise(() => undefined))],
  ] as const) {
    it(`leaves a ${what} behind that goes on for two seconds after the cancel`, async () => {
      run.engine.ready = [elements("A", 1)];
      script();
      const loop = run.loop([{ id: "A" }]);
      const running = loop.run().catch((thrown: unknown) => thrown);
      await settle();
      run.cancel.abort(new Error("cancelled"));
      await run.clock.asleep();
      run.clock.advance(2_000);
      expect(((await running) as Error).message).to.equal("cancelled");
      expect(run.engine.results.size).to.equal(0);
    });
  }

  for (const what of ["setup", "teardown"] as const) {
    it(`leaves a ${what} behind that goes on for two seconds after the cancel, and says of which stage`, async () => {
      const forever = () => new Promise<never>(() => undefined);
      run.engine.nextWakeUpMs = run.nowMs + 3_600_000;
      const idle = {
        startBundle: async () => {},
        process() {},
        finishBundle: async () => {},
        progress: () => [],
        work: () => new Map(),
      };
      const loop = run.loop([{ id: "A" }], {
        createProcessor: async () => (what === "setup" ? forever() : { ...idle, teardown: forever }),
      });
      const running = loop.run().catch((thrown: unknown) => thrown);
      await settle();
      run.cancel.abort(new Error("cancelled"));
      await settle();
      if (what === "setup") run.clock.advance(2_000);
      expect(((await running) as Error).message).to.equal("cancelled");
      const tornDown = loop.teardown();
      await settle();
      run.clock.advance(2_000);
      const errors = (await tornDown) as Error[];
      expect(errors.map(({ message }) => message)).to.deep.equal([
        "A did not end within 2000 ms of the cancel: left behind",
      ]);
    });
  }

  it("tears down what was set up only after the cancel", async () => {
    let setUp = (): void => undefined;
    const torn: string[] = [];
    const late = new Promise<void>((resolve) => (setUp = resolve));
    const loop = run.loop([{ id: "A" }, { id: "B" }], {
      createProcessor: async (id) => {
        await late;
        const teardown = async () => {
          torn.push(id);
          return [];
        };
        return {
          startBundle: async () => {},
          process() {},
          finishBundle: async () => {},
          progress: () => [],
          work: () => new Map(),
          teardown,
        };
      },
    });
    const running = loop.run().catch((thrown: unknown) => thrown);
    run.cancel.abort(new Error("cancelled"));
    await settle();
    run.clock.advance(2_000);
    await running;
    const tornDown = loop.teardown();
    setUp();
    expect(await tornDown).to.deep.equal([]);
    expect(torn).to.deep.equal(["A"]);
  });

  it("remembers a wake-up once that a source brings along each time", async () => {
    let listeners = 0;
    const wake = {
      // biome-ignore lint/suspicious/noThenProperty: it stands for a promise, and counts who listens
      then: () => {
        listeners += 1;
      },
    } as unknown as Promise<void>;
    let left = 5;
    run.engine.ready = [restriction("Read", left)];
    run.scripts.set("Read", (_, scope) => {
      left -= 1;
      if (left > 0) scope.addResidual(residual("Read", left), wake);
    });
    run.engine.onApply = (_, { residuals }) => {
      for (const { restriction: value } of residuals) run.engine.ready.push(restriction("Read", value));
    };
    await run.loop([{ id: "Read" }]).run();
    expect([run.engine.results.size, listeners]).to.deep.equal([5, 1]);
  });

  it("checkpoints an asynchronous source each second, so that what it has emitted goes on", async () => {
    const source = active("Read");
    let end = (): void => undefined;
    run.engine.ready = [restriction("Read", 0)];
    run.scripts.set("Read", async (_, scope) => {
      const ended = scope.beginRestriction(source);
      await new Promise<void>((resolve) => (end = resolve));
      ended();
    });
    const running = run.loop([{ id: "Read" }]).run();
    for (const stops of [1, 2]) {
      await run.clock.asleep();
      run.clock.advance(1_000);
      await settle();
      expect(source.stops).to.equal(stops);
    }
    end();
    await running;
    run.clock.advance(1_000);
    expect(source.stops).to.equal(2);
  });

  it("takes everything that is ready into a transaction, however much it is", async () => {
    const many = new Array<unknown>(600_000).fill(0);
    for (const hasTransactions of [false, true]) {
      run = new ScriptedRun();
      run.engine.ready = [elements("A", 1), elements("A", 2)];
      Object.assign(run.engine.ready[0]!.inputs[0]!, { elements: many });
      run.engine.nextWakeUpMs = run.nowMs;
      run.engine.onApply = () => {
        if (run.engine.ready.length === 0) run.engine.nextWakeUpMs = undefined;
      };
      Object.assign(run.committer, { hasTransactions });
      await run.loop([{ id: "A", isLeaf: true }]).run();
      const commits = run.events.filter((event) => event.startsWith("committed"));
      expect(commits).to.have.length(hasTransactions ? 1 : 2);
    }
  });

  it("says so when nothing is ready, nothing ever will be, and the graph is not done", async () => {
    Object.defineProperty(run.engine, "isDone", { value: false });
    const error = await run
      .loop([])
      .run()
      .catch((thrown: unknown) => thrown);
    expect((error as Error).message).to.match(/^nothing of the graph is ready/);
  });
});
