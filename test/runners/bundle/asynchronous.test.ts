/** Asynchronous DoFns over both hosts: how many run at once, who waits for whom, and in which order. */
import { expect } from "chai";
import type { DoFn, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import { HOSTS } from "./hosts.js";
import { elements, fn, item, keyed, parDo, processorOf, runBundle } from "./stages.js";

/** Calls wait here until they are let go, by the value of their element. */
class Gate {
  readonly waiting = new Map<unknown, () => void>();
  readonly begun: unknown[] = [];
  mostAtOnce = 0;

  pass(value: unknown): Promise<void> {
    this.begun.push(value);
    return new Promise((resolve) => {
      this.waiting.set(value, resolve);
      this.mostAtOnce = Math.max(this.mostAtOnce, this.waiting.size);
    });
  }

  open(value: unknown): void {
    this.waiting.get(value)?.();
    this.waiting.delete(value);
  }

  /** Lets calls go, the last come first, until none comes any more. */
  async openAll(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) {
      for (const value of [...this.waiting.keys()].reverse()) this.open(value);
      await turn();
    }
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

for (const kind of HOSTS) {
  describe(`asynchronous steps of a BundleProcessor, ${kind.name}`, () => {
    it("waits for all elements before the bundle is finished", async () => {
      const host = kind.create();
      const gate = new Gate();
      const slow = fn<number>(async (value, context) => {
        await gate.pass(value);
        context.output(value, value);
      });
      const processor = await processorOf(host, parDo("Slow", slow));
      const scope = host.newScope();
      await processor.startBundle(scope);
      expect(processor.process(elements(1, 2, 3))).to.equal(undefined);
      const finished = processor.finishBundle();
      await turn();
      gate.open(3);
      gate.open(1);
      await turn();
      expect(scope.values("Slow")).to.deep.equal([3, 1]);
      gate.open(2);
      await finished;
      const emitted = scope.emitted.get("Slow")!;
      expect(emitted.map(({ value, timestampMs }) => [value, timestampMs])).to.deep.equal([
        [3, 3],
        [1, 1],
        [2, 2],
      ]);
    });

    it("works on 64 elements at once, unless the DoFn says otherwise", async () => {
      for (const [more, limit] of [
        [{}, 64],
        [{ concurrencyMax: 3 }, 3],
      ] as const) {
        const host = kind.create();
        const gate = new Gate();
        const slow = fn<number>((value) => gate.pass(value), more);
        const processor = await processorOf(host, parDo("Slow", slow));
        const done = runBundle(processor, host, [elements(...numbers(200))]);
        await gate.openAll();
        while (gate.begun.length < 200) await gate.openAll();
        await done;
        expect(gate.mostAtOnce).to.equal(limit);
        expect(gate.begun).to.deep.equal(numbers(200));
      }
    });

    it("makes process of a full processor wait", async () => {
      const host = kind.create();
      const gate = new Gate();
      const slow = fn<number>((value) => gate.pass(value), { concurrencyMax: 2 });
      const processor = await processorOf(host, parDo("Slow", slow));
      await processor.startBundle(host.newScope());
      expect(processor.process(elements(0, 1))).to.equal(undefined);
      let isDone = false;
      const waiting = Promise.resolve(processor.process(elements(2, 3))).then(() => {
        isDone = true;
      });
      await turn();
      expect(gate.begun).to.deep.equal([0, 1]);
      expect(processor.work().get("Slow")!.queueFill).to.equal(1);
      gate.open(0);
      await turn();
      expect(gate.begun).to.deep.equal([0, 1, 2]);
      expect(isDone).to.equal(false);
      await gate.openAll();
      await waiting;
      expect(gate.begun).to.deep.equal([0, 1, 2, 3]);
      await processor.finishBundle();
      expect(processor.work().get("Slow")!.queueFill).to.equal(0);
    });

    it("stops pulling from a generator while a step behind it is full", async () => {
      const host = kind.create();
      const gate = new Gate();
      let pulled = 0;
      const spread = fn<number>(function* () {
        for (let i = 0; i < 1000; i++) {
          pulled++;
          yield i;
        }
      });
      const slow = fn<number>((value) => gate.pass(value), { concurrencyMax: 4 });
      const processor = await processorOf(
        host,
        parDo("Spread", spread),
        parDo("Slow", slow, { input: "Spread" }),
      );
      const done = runBundle(processor, host, [elements(1)]);
      await turn();
      expect(pulled).to.equal(5);
      while (gate.begun.length < 1000) await gate.openAll();
      await done;
      expect(gate.begun).to.deep.equal(numbers(1000));
    });

    it("tells a call that emits much when there is room again", async () => {
      const host = kind.create();
      const gate = new Gate();
      const steps: string[] = [];
      const many = fn<number>(async (_value, context) => {
        steps.push(context.room() === undefined ? "room at first" : "no room at first");
        for (const value of [1, 2]) context.output(value);
        const room = context.room();
        steps.push(room === undefined ? "room" : "no room");
        await room;
        steps.push(`room after ${gate.begun.join(" and ")}`);
      });
      const slow = fn<number>((value) => gate.pass(value) as Promise<void>, { concurrencyMax: 1 });
      const processor = await processorOf(host, parDo("Many", many), parDo("Slow", slow, { input: "Many" }));
      await processor.startBundle(host.newScope());
      const processed = processor.process(elements(0));
      await turn();
      expect(steps).to.deep.equal(["room at first", "no room"]);
      gate.open(1);
      await turn();
      expect(steps.at(-1)).to.equal("room after 1 and 2");
      gate.open(2);
      await processed;
      await processor.finishBundle();
    });

    it("lets steps wait for one another only downwards", async () => {
      const host = kind.create();
      const turns = fn<number>(
        async function* (value) {
          await turn();
          yield value;
          yield value;
        },
        { concurrencyMax: 1 },
      );
      const steps = ["A", "B", "C"].map((path, i) =>
        parDo(path, turns, i === 0 ? {} : { input: "AB"[i - 1]! }),
      );
      const processor = await processorOf(host, ...steps);
      const scope = await runBundle(processor, host, [elements(...numbers(5))]);
      expect(scope.values("C")).to.have.lengthOf(40);
      expect(scope.values("C")).to.deep.equal(numbers(5).flatMap((n) => Array(8).fill(n)));
    });

    it("gives every asynchronous call a context of its own", async () => {
      const host = kind.create();
      const slow = fn<number>(async (value, context: ProcessContext) => {
        const before = context.timestampMs;
        await turn();
        return [[value, before, context.timestampMs]];
      });
      const stamp = fn<number>((value, context) => context.output(value, 10 * value));
      const processor = await processorOf(
        host,
        parDo("Stamp", stamp),
        parDo("Slow", slow, { input: "Stamp" }),
      );
      const scope = await runBundle(processor, host, [elements(1, 2, 3)]);
      expect(scope.values("Slow")).to.deep.equal([
        [1, 10, 10],
        [2, 20, 20],
        [3, 30, 30],
      ]);
    });

    it("finishes a step only when what runs in it has ended", async () => {
      const host = kind.create();
      const calls: string[] = [];
      const slow = (name: string): DoFn<number> => ({
        process: async (value) => {
          await turn();
          calls.push(`${name} ${value}`);
          return [value];
        },
        finishBundle: (context) => {
          calls.push(`${name} finish`);
          if (name === "a") context.output(9);
        },
      });
      const processor = await processorOf(host, parDo("A", slow("a")), parDo("B", slow("b"), { input: "A" }));
      const scope = await runBundle(processor, host, [elements(1)]);
      expect(calls).to.deep.equal(["a 1", "a finish", "b 1", "b 9", "b finish"]);
      expect(scope.values("B")).to.deep.equal([1, 9]);
    });

    it("runs the elements of a key one after the other, and keys beside each other", async () => {
      const host = kind.create();
      const gate = new Gate();
      class Running implements DoFn<{ key: string; value: number }> {
        readonly last = valueState<string>();
        async process({ key, value }: { key: string; value: number }, context: ProcessContext) {
          const before = context.state(this.last).read() ?? "";
          await gate.pass(`${key}${value}`);
          context.state(this.last).write(`${before}${value}`);
          return [`${context.key}:${before}${value}`];
        }
      }
      const processor = await processorOf(host, parDo("Running", new Running()));
      const keys = ["a", "b"].map((key) => ({ keyId: key, key, items: [1, 2, 3].map((n) => item(key, n)) }));
      const done = runBundle(processor, host, [{ kind: "keyed", root: "Running", keys }]);
      await turn();
      await turn();
      expect(gate.begun).to.deep.equal(["a1", "b1"]);
      await gate.openAll();
      const scope = await done;
      expect(gate.begun).to.deep.equal(["a1", "b1", "b2", "a2", "a3", "b3"]);
      expect(scope.values("Running")).to.deep.equal(["b:1", "a:1", "a:12", "b:12", "b:123", "a:123"]);
    });

    it("keeps the order of a key over several parts of a bundle", async () => {
      const host = kind.create();
      class Running implements DoFn<{ key: string; value: number }> {
        readonly last = valueState<string>();
        async process({ value }: { key: string; value: number }, context: ProcessContext) {
          for (let i = 0; i < 4 - value; i++) await turn();
          const text = `${context.state(this.last).read() ?? ""}${value}`;
          context.state(this.last).write(text);
          return [text];
        }
      }
      const processor = await processorOf(host, parDo("Running", new Running()));
      const parts = [1, 2, 3].map((n) => keyed("Running", "a", item("a", n)));
      const scope = await runBundle(processor, host, parts);
      expect(scope.values("Running")).to.deep.equal(["1", "12", "123"]);
    });

    it("limits how many keys are worked on at once", async () => {
      const host = kind.create();
      const gate = new Gate();
      class Slow implements DoFn<{ key: string; value: number }> {
        readonly concurrencyMax = 2;
        readonly last = valueState<string>();
        process = ({ key }: { key: string }) => gate.pass(key);
      }
      const processor = await processorOf(host, parDo("Slow", new Slow()));
      const keys = ["a", "b", "c", "d", "e"].map((key) => ({ keyId: key, key, items: [item(key, 1)] }));
      const done = runBundle(processor, host, [{ kind: "keyed", root: "Slow", keys }]);
      while (gate.begun.length < 5) await gate.openAll();
      await done;
      expect(gate.mostAtOnce).to.equal(2);
      expect(gate.begun).to.deep.equal(["a", "b", "c", "d", "e"]);
    });
  });
}
