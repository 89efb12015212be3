/** ParDo without state over both hosts: outputs, windows, fan-out, the life of a DoFn. */
import { expect } from "chai";
import { BundleProcessor } from "../../../runners/bundle/bundle-processor.js";
import type {
  DoFn,
  FinishBundleContext,
  ProcessContext,
  SetupContext,
} from "../../../transforms/primitives/do-fn.js";
import { GLOBAL_WINDOW_END_MS } from "../../../transforms/primitives/timestamp-bounds.js";
import { GLOBAL_WINDOW, NO_FIRING } from "../../../transforms/primitives/window.js";
import { HOSTS } from "./hosts.js";
import {
  element,
  elements,
  failureOf,
  fn,
  parDo,
  processorOf,
  runBundle,
  stageOf,
  window,
} from "./stages.js";

const double = fn<number>((value, context) => context.output(2 * value));

for (const kind of HOSTS) {
  describe(`ParDo of a BundleProcessor, ${kind.name}`, () => {
    it("passes elements through fused steps in order", async () => {
      const host = kind.create();
      const increment = fn<number>((value, context) => context.output(value + 1));
      const processor = await processorOf(
        host,
        parDo("Double", double),
        parDo("Increment", increment, { input: "Double" }),
      );
      const scope = await runBundle(processor, host, [elements(1, 2, 3)]);
      expect(scope.values("Increment")).to.deep.equal([3, 5, 7]);
      expect([...scope.emitted.keys()]).to.deep.equal(["Increment"]);
    });

    it("tells a DoFn which of its outputs are read, here or in another stage", async () => {
      const host = kind.create();
      const told: unknown[] = [];
      const tell = (context: ProcessContext | FinishBundleContext) =>
        void told.push(["here", "elsewhere", "nowhere"].map((tag) => context.isRead(tag)));
      const asking: DoFn = { process: (_element, context) => tell(context), finishBundle: tell };
      const outputs = { here: "Asking.here", elsewhere: "Asking.elsewhere", nowhere: "Asking.nowhere" };
      const steps = [parDo("Asking", asking, { outputs }), parDo("Double", double, { input: "Asking.here" })];
      const processor = await BundleProcessor.create(stageOf(steps, ["Asking.elsewhere"]), host);
      await runBundle(processor, host, [elements(1)]);
      expect(told).to.deep.equal([
        [true, true, false],
        [true, true, false],
      ]);
      const unknown = fn((_value, context) => void context.isRead("other"));
      const failing = await processorOf(host, parDo("Unknown", unknown));
      const failure = await failureOf(runBundle(failing, host, [elements(1)]));
      expect(failure.message).to.equal(
        'step "Unknown" failed in process: step "Unknown" has no output "other" (it has main)',
      );
    });

    it("keeps event time, windows and pane of the element", async () => {
      const host = kind.create();
      const processor = await processorOf(host, parDo("Double", double));
      const pane = {
        timing: "LATE",
        isFirst: false,
        isLast: true,
        index: 3,
        nonSpeculativeIndex: 1,
      } as const;
      const windows = [window(0), window(10)];
      const input = { value: 4, timestampMs: 5, windows, pane };
      const scope = await runBundle(processor, host, [{ kind: "elements", root: "in", elements: [input] }]);
      expect(scope.emitted.get("Double")).to.deep.equal([{ value: 8, timestampMs: 5, windows, pane }]);
    });

    for (const [what, outputs] of [
      ["an array", (value: number) => [value, -value]],
      ["a promise of an array", async (value: number) => [value, -value]],
      [
        "a generator",
        function* (value: number) {
          yield value;
          yield -value;
        },
      ],
      [
        "an async generator",
        async function* (value: number) {
          yield value;
          await Promise.resolve();
          yield -value;
        },
      ],
    ] as const) {
      it(`emits what ${what} holds to the main output`, async () => {
        const host = kind.create();
        const processor = await processorOf(host, parDo("Step", fn<number>(outputs)));
        const scope = await runBundle(processor, host, [elements(7)]);
        expect(scope.values("Step")).to.deep.equal([7, -7]);
      });
    }

    it("emits nothing for nothing, and for a promise of nothing", async () => {
      const host = kind.create();
      const nothing = parDo(
        "Nothing",
        fn(() => undefined),
      );
      const later = parDo(
        "Later",
        fn(async () => undefined),
      );
      const processor = await processorOf(host, nothing, later);
      const scope = await runBundle(processor, host, [elements(1)]);
      expect([...scope.emitted]).to.deep.equal([]);
    });

    it("refuses a result that is no collection of outputs", async () => {
      const host = kind.create();
      const processor = await processorOf(host, parDo("Step", fn((() => 7) as never)));
      const error = await failureOf(runBundle(processor, host, [elements(1)]));
      expect(error.message).to.equal(
        'step "Step" failed in process: it must return nothing, an iterable or a promise of one, got number',
      );
    });

    it("emits to tags, and names the ones there are when a tag is unknown", async () => {
      const host = kind.create();
      const sort = fn<number>((value, context) =>
        context.outputTo(value < 0 ? "negative" : value === 0 ? "zero" : "positive", value, value),
      );
      const outputs = { positive: "P", negative: "N" };
      const processor = await processorOf(host, parDo("Sort", sort, { outputs }));
      const scope = await runBundle(processor, host, [elements(3, -4)]);
      expect(scope.values("P")).to.deep.equal([3]);
      expect(scope.emitted.get("N")!.map(({ timestampMs }) => timestampMs)).to.deep.equal([-4]);
      const error = await failureOf(runBundle(processor, host, [elements(0)]));
      expect(error.message).to.equal(
        'step "Sort" failed in process: step "Sort" has no output "zero" (it has positive, negative)',
      );
    });

    it("refuses an event time that is none", async () => {
      const host = kind.create();
      const processor = await processorOf(
        host,
        parDo(
          "Step",
          fn((_, context) => context.output(1, Number.NaN)),
        ),
      );
      const error = await failureOf(runBundle(processor, host, [elements(1)]));
      expect(error.message).to.contain("an event time must be a number of ms").and.to.contain("got NaN");
    });

    it("gives each element to all consumers, and to other stages", async () => {
      const host = kind.create();
      const steps = ["A", "B", "C"].map((path) => parDo(path, double, { input: "First" }));
      const stage = stageOf([parDo("First", double), ...steps], ["First", "A", "B", "C"]);
      const processor = await BundleProcessor.create(stage, host);
      const scope = await runBundle(processor, host, [elements(1)]);
      expect([...scope.emitted.keys()].map((id) => [id, scope.values(id)])).to.deep.equal([
        ["A", [4]],
        ["B", [4]],
        ["C", [4]],
        ["First", [2]],
      ]);
    });

    it("counts an input that a flatten has twice twice", async () => {
      const host = kind.create();
      const flatten = {
        kind: "flatten",
        path: "Flatten",
        transform: undefined as never,
        inputs: ["in", "in", "other"],
        output: "all",
      } as const;
      const processor = await processorOf(host, flatten, parDo("Double", double, { input: "all" }));
      const other = { kind: "elements", root: "other", elements: [element(5)] } as const;
      const scope = await runBundle(processor, host, [elements(1), other]);
      expect(scope.values("Double")).to.deep.equal([2, 2, 10]);
    });

    it("calls a DoFn that observes windows once for each window", async () => {
      const host = kind.create();
      const observe = fn<string>(
        (value, context) => context.output(`${value} ${context.window.id} ${context.windows.length}`),
        { observesWindows: true },
      );
      const processor = await processorOf(host, parDo("Observe", observe));
      const input = element("a", { windows: [window(0), window(5)] });
      const scope = await runBundle(processor, host, [{ kind: "elements", root: "in", elements: [input] }]);
      expect(
        scope.emitted.get("Observe")!.map(({ value, windows }) => [value, windows.map(({ id }) => id)]),
      ).to.deep.equal([
        ["a 0/10 1", ["0/10"]],
        ["a 5/15 1", ["5/15"]],
      ]);
    });

    it("calls any other once for all, and refuses it the window then", async () => {
      const host = kind.create();
      const seen: number[] = [];
      const count = fn((_, context) => {
        seen.push(context.windows.length);
        return [context.window.id];
      });
      const processor = await processorOf(host, parDo("Count", count));
      const input = element("a", { windows: [window(0), window(5)] });
      const error = await failureOf(
        runBundle(processor, host, [{ kind: "elements", root: "in", elements: [input] }]),
      );
      expect(seen).to.deep.equal([2]);
      expect(error.message).to.contain("the element is in 2 windows: set observesWindows");
    });

    it("emits into the windows that a DoFn chooses, and drops what is in none", async () => {
      const host = kind.create();
      const assign = fn<number>((value, context) =>
        context.outputWindowed("main", {
          value,
          timestampMs: value,
          windows: value < 0 ? [] : [window(0), window(5)],
          pane: NO_FIRING,
        }),
      );
      const processor = await processorOf(host, parDo("Assign", assign));
      const scope = await runBundle(processor, host, [elements(7, -1)]);
      expect(scope.emitted.get("Assign")).to.deep.equal([
        { value: 7, timestampMs: 7, windows: [window(0), window(5)], pane: NO_FIRING },
      ]);
    });

    it("lives through setup, bundles and teardown, producers first", async () => {
      const host = kind.create();
      const calls: string[] = [];
      const telling = (name: string): DoFn => ({
        setup: (context: SetupContext) => void calls.push(`${name} setup ${context.step}`),
        startBundle: () => void calls.push(`${name} startBundle`),
        process: (value) => {
          calls.push(`${name} process`);
          return [value];
        },
        finishBundle: async () => void calls.push(`${name} finishBundle`),
        teardown: () => void calls.push(`${name} teardown`),
      });
      const processor = await processorOf(
        host,
        parDo("A", telling("a")),
        parDo("B", telling("b"), { input: "A" }),
      );
      await runBundle(processor, host, [elements(1)]);
      await runBundle(processor, host, []);
      expect(await processor.teardown()).to.deep.equal([]);
      expect(calls).to.deep.equal([
        "a setup A",
        "b setup B",
        ...["a startBundle", "b startBundle", "a process", "b process", "a finishBundle", "b finishBundle"],
        ...["a startBundle", "b startBundle", "a finishBundle", "b finishBundle"],
        ...["a teardown", "b teardown"],
      ]);
    });

    it("passes on what finishBundle emits before the consumers finish", async () => {
      const host = kind.create();
      class Batch implements DoFn<number> {
        #batch: number[] = [];
        process(value: number): void {
          this.#batch.push(value);
        }
        async finishBundle(context: FinishBundleContext): Promise<void> {
          context.output(this.#batch);
          context.outputWindowed("main", {
            value: [],
            timestampMs: 3,
            windows: [window(0)],
            pane: NO_FIRING,
          });
          this.#batch = [];
          expect((await context.transaction()).epoch).to.equal(1);
        }
      }
      const outer = parDo("Outer", new Batch(), { input: "Inner" });
      const processor = await processorOf(host, parDo("Inner", new Batch()), outer);
      const scope = await runBundle(processor, host, [elements(1, 2)]);
      const first = { timestampMs: GLOBAL_WINDOW_END_MS, windows: [GLOBAL_WINDOW], pane: NO_FIRING };
      expect(scope.emitted.get("Outer")).to.deep.equal([
        { value: [[1, 2], []], ...first },
        { value: [], timestampMs: 3, windows: [window(0)], pane: NO_FIRING },
      ]);
    });

    it("counts metrics, the ledger and callbacks in the bundle's scope", async () => {
      const host = kind.create();
      const count: DoFn = {
        startBundle: ({ metrics }) => metrics.gauge("bundles").set(1),
        process: (_value, { metrics, ledger, afterCommit }: ProcessContext) => {
          metrics.counter("seen").inc();
          metrics.distribution("sizes").update(7);
          ledger.add(3, "records_read");
          expect(afterCommit).to.be.a("function");
        },
        finishBundle: (context) => context.afterCommit(() => undefined),
      };
      const processor = await processorOf(host, parDo("Count", count));
      for (let bundle = 0; bundle < 2; bundle++) {
        const scope = await runBundle(processor, host, [elements(1)]);
        expect(scope.counted).to.deep.equal([
          "Count.bundles set 1",
          "Count.seen inc 1",
          "Count.sizes update 7",
        ]);
        expect(scope.ledgered).to.deep.equal(["3 records_read 1"]);
        expect(scope.callbacks).to.have.lengthOf(1);
      }
    });

    it("creates no promise for a synchronous graph", async () => {
      const host = kind.create();
      const steps = [
        parDo("A", double),
        parDo(
          "B",
          fn<number>((v) => [v]),
          { input: "A" },
        ),
      ];
      const processor = await processorOf(host, ...steps);
      await processor.startBundle(host.newScope());
      expect(processor.process(elements(1, 2, 3))).to.equal(undefined);
      await processor.finishBundle();
    });

    it("reuses one context for calls that are over, and leaves it to one that is not", async () => {
      const host = kind.create();
      const contexts: ProcessContext[] = [];
      const keep = fn<number>((value, context) => {
        contexts.push(context);
        return value === 3 ? Promise.resolve([value]) : undefined;
      });
      const processor = await processorOf(host, parDo("Keep", keep));
      await runBundle(processor, host, [elements(1, 2, 3, 4, 5)]);
      expect(contexts[0]).to.equal(contexts[2]);
      expect(contexts[3]).not.to.equal(contexts[2]);
      expect(contexts[3]).to.equal(contexts[4]);
    });

    it("refuses a root that the stage does not have", async () => {
      const host = kind.create();
      const processor = await processorOf(host, parDo("Double", double));
      const input = { kind: "elements", root: "nowhere", elements: [] } as const;
      expect((await failureOf(runBundle(processor, host, [input]))).message).to.equal(
        'stage "Double" has no root "nowhere" (it has in)',
      );
    });
  });
}
