/** Splittable DoFns over both hosts: restrictions begun, checkpointed, split, resumed, truncated, and their watermarks. */
import { expect } from "chai";
import type { ActiveRestriction } from "../../../runners/bundle/host.js";
import type { Residual } from "../../../runners/engine/bundle.js";
import type { ReadProgress, SplittableDoFn } from "../../../transforms/primitives/do-fn.js";
import { iterableSideInput } from "../../../transforms/primitives/side-input-spec.js";
import { MIN_TIMESTAMP_MS } from "../../../transforms/primitives/timestamp-bounds.js";
import {
  manualWatermarkEstimator,
  monotonicWatermarkEstimator,
} from "../../../transforms/primitives/watermark-estimator.js";
import { HOSTS, type HostOptions } from "./hosts.js";
import { Counting, type CountingOptions, type Range, RangeTracker } from "./offset-range.js";
import { failureOf, fn, parDo, processorOf, restriction, runBundle, window } from "./stages.js";
import type { TestScope } from "./test-scope.js";

type Fn = SplittableDoFn<string, Range, number, number>;

for (const kind of HOSTS) {
  describe(`splittable DoFns of a BundleProcessor, ${kind.name}`, () => {
    /** Runs an element, or what is left of it, at 100 ms of the clock. */
    async function run(
      doFn: Fn,
      work: Parameters<typeof restriction>[2] = {},
      prepare: (scope: TestScope) => void = () => undefined,
      options: HostOptions = {},
    ): Promise<TestScope> {
      const host = kind.create(options);
      const processor = await processorOf(host, parDo("S", doFn));
      return await runBundle(processor, host, [restriction("S", "abcde", work)], (scope) => {
        scope.nowMs = 100;
        prepare(scope);
      });
    }

    const begun = (from: number, to: number, watermarkState: unknown = undefined) => ({
      restriction: { value: [from, to], watermarkState },
    });
    const leftOf = ({ residuals }: TestScope) =>
      residuals.map(({ restriction, resumeAtMs }) => [...(restriction as Range), resumeAtMs]);

    it("works on the initial restriction of a new element to its end", async () => {
      const scope = await run(new Counting());
      expect(scope.values("S")).to.deep.equal(["abcde:0", "abcde:1", "abcde:2", "abcde:3", "abcde:4"]);
      expect(scope.sourceTimes).to.deep.equal([0, 1, 2, 3, 4]);
      expect(scope.residuals).to.deep.equal([]);
      expect([scope.begun, scope.ended]).to.deep.equal([1, 1]);
    });

    it("works on what was left of a restriction", async () => {
      const scope = await run(new Counting(), begun(3, 5));
      expect(scope.values("S")).to.deep.equal(["abcde:3", "abcde:4"]);
    });

    it("works on the first part of a split restriction, and leaves the others for later bundles", async () => {
      const splitRestriction = () => [[0, 2] as const, [2, 3] as const, [3, 5] as const];
      const scope = await run(new Counting({}, { splitRestriction }));
      expect(scope.values("S")).to.deep.equal(["abcde:0", "abcde:1"]);
      expect(leftOf(scope)).to.deep.equal([
        [2, 3, 100],
        [3, 5, 100],
      ]);
    });

    it("leaves an element whose restriction is split into nothing", async () => {
      const scope = await run(new Counting({}, { splitRestriction: () => [] }));
      expect([scope.values("S"), scope.residuals, scope.begun]).to.deep.equal([[], [], 0]);
    });

    for (const isAsync of [false, true]) {
      const how = isAsync ? "a promise" : "a call";
      it(`puts off what ${how} asks to be resumed, until the delay is over or it is woken`, async () => {
        const wake = Promise.resolve();
        const scope = await run(new Counting({ atOnce: 2, delayMs: 30, wake, isAsync }), { timestampMs: 7 });
        expect(scope.values("S")).to.deep.equal(["abcde:0", "abcde:1"]);
        expect(scope.residuals).to.deep.equal([
          {
            root: "S",
            element: { ...scope.residuals[0]!.element, value: "abcde", timestampMs: 7 },
            restriction: [2, 5],
            watermarkState: undefined,
            watermarkMs: 7,
            resumeAtMs: 130,
            wake,
          },
        ]);
      });

      it(`stops ${how} when its host checkpoints`, async () => {
        const scope = await run(new Counting({ isAsync }), {}, (each) => {
          each.onSourceEmitted = () => each.sourceTimes.length >= 3 && each.active!.checkpoint();
        });
        expect(scope.values("S")).to.deep.equal(["abcde:0", "abcde:1", "abcde:2"]);
        expect(leftOf(scope)).to.deep.equal([[3, 5, 100]]);
      });
    }

    it("begins no other restriction once a step behind it has failed", async () => {
      const host = kind.create();
      const begun: string[] = [];
      const doFn = Object.assign(new Counting({ isAsync: true }), {
        initialRestriction: (element: string): Range => {
          begun.push(element);
          return [0, 1];
        },
      });
      const failing = fn(async () => {
        throw new Error("boom");
      });
      const processor = await processorOf(host, parDo("S", doFn), parDo("F", failing, { input: "S" }));
      const work = ["a", "b", "c"].flatMap((value) => {
        const input = restriction("S", value);
        return input.kind === "restrictions" ? input.work : [];
      });
      const error = await failureOf(runBundle(processor, host, [{ kind: "restrictions", root: "S", work }]));
      expect(error.message).to.equal('step "F" failed in process: boom');
      expect(begun).to.deep.equal(["a"]);
    });

    it("fails when there is more to do, by process, and nothing that its tracker splits off", async () => {
      const doFn: Fn = new Counting({ atOnce: 2 });
      const createTracker = (range: Range) =>
        Object.assign(new RangeTracker(range), { trySplit: () => undefined });
      const error = await failureOf(run(Object.assign(doFn, { createTracker })));
      expect(error.message).to.equal('step "S" failed in process: 2 to 5 was not claimed');
    });

    it("counts over any number of checkpoints each number once", async () => {
      const host = kind.create();
      const processor = await processorOf(host, parDo("S", new Counting({ atOnce: 3 })));
      const seen: unknown[] = [];
      let left: Residual | undefined;
      let work = restriction("S", "0123456789");
      do {
        const scope = await runBundle(processor, host, [work], (each) => {
          each.onSourceEmitted = () => each.sourceTimes.length === 2 && each.active!.checkpoint();
        });
        seen.push(...scope.values("S"));
        left = scope.residuals[0];
        if (left === undefined) break;
        const { restriction: value, watermarkState } = left;
        work = restriction("S", left.element.value, { restriction: { value, watermarkState } });
      } while (left !== undefined);
      expect(seen).to.deep.equal([..."0123456789"].map((digit) => `0123456789:${digit}`));
    });

    it("checkpoints nothing when nothing is left, and nothing twice", async () => {
      const scope = await run(new Counting(), {}, (each) => {
        each.onSourceEmitted = () => {
          if (each.sourceTimes.length < 5) return;
          each.active!.checkpoint();
          each.active!.checkpoint();
        };
      });
      expect(scope.values("S")).to.have.lengthOf(5);
      expect(scope.residuals).to.deep.equal([]);
    });

    it("does nothing more with a restriction after its end", async () => {
      let kept: ActiveRestriction | undefined;
      const scope = await run(new Counting({ atOnce: 2 }), {}, (each) => {
        each.onSourceEmitted = () => {
          kept = each.active;
        };
      });
      kept!.checkpoint();
      expect([kept!.split(0.5), kept!.progress()]).to.deep.equal([undefined, undefined]);
      expect(scope.residuals).to.have.lengthOf(1);
    });

    it("splits what is left while it is worked on, the host keeping the rest", async () => {
      const splits: unknown[] = [];
      const scope = await run(new Counting(), {}, (each) => {
        each.onSourceEmitted = () => {
          if (each.sourceTimes.length !== 1) return;
          splits.push(each.active!.progress());
          const split = each.active!.split(0.5);
          splits.push(split?.primary, split?.residual.restriction, each.active!.progress());
        };
      });
      expect(splits).to.deep.equal([
        { completed: 1, remaining: 4 },
        [0, 3],
        [3, 5],
        { completed: 1, remaining: 2 },
      ]);
      expect(scope.values("S")).to.deep.equal(["abcde:0", "abcde:1", "abcde:2"]);
      expect(scope.residuals).to.deep.equal([]);
    });

    it("refuses a process that says it is done when it is not", async () => {
      const lazy = { process: () => ({ resume: false }) as const };
      const error = await failureOf(run(new Counting({}, lazy)));
      expect(error.message).to.equal('step "S" failed in process: 0 to 5 was not claimed');
    });

    it("names step and method of what fails", async () => {
      const boom = () => {
        throw new Error("boom");
      };
      for (const [more, message] of [
        [{ initialRestriction: boom }, 'step "S" failed in splitting its restriction: boom'],
        [{ createTracker: boom }, 'step "S" failed in createTracker: boom'],
        [{ process: boom }, 'step "S" failed in process: boom'],
        [{ process: async () => boom() }, 'step "S" failed in process: boom'],
      ] as [Partial<Fn>, string][]) {
        expect((await failureOf(run(new Counting({}, more)))).message).to.equal(message);
      }
    });

    it("ends the restriction also when process fails", async () => {
      const host = kind.create();
      const fails = { process: async () => Promise.reject(new Error("boom")) };
      const processor = await processorOf(host, parDo("S", new Counting({}, fails)));
      const scope = host.newScope();
      await processor.startBundle(scope);
      await failureOf((async () => processor.process(restriction("S", "abc")))());
      expect([scope.begun, scope.ended, scope.active, scope.residuals]).to.deep.equal([1, 1, undefined, []]);
    });

    describe("watermarks", () => {
      const estimating = (options: CountingOptions = {}, more: Partial<Fn> = {}) =>
        new Counting(options, {
          initialWatermarkState: (_element, _range, timestampMs) => timestampMs,
          createWatermarkEstimator: (state) => monotonicWatermarkEstimator(state),
          ...more,
        });
      const watermarkOf = ({ residuals }: TestScope) =>
        residuals.map(({ watermarkMs, watermarkState }) => [watermarkMs, watermarkState]);

      it("are the element's time without an estimator", async () => {
        const scope = await run(new Counting({ atOnce: 2 }), { timestampMs: MIN_TIMESTAMP_MS });
        expect(watermarkOf(scope)).to.deep.equal([[MIN_TIMESTAMP_MS, undefined]]);
      });

      it("follow the outputs that the estimator is told of, and travel with the residual", async () => {
        const first = await run(estimating({ atOnce: 3 }), { timestampMs: -1 });
        expect(watermarkOf(first)).to.deep.equal([[2, 2]]);
        const second = await run(estimating({ atOnce: 1 }), begun(3, 5, 2));
        expect(watermarkOf(second)).to.deep.equal([[3, 3]]);
      });

      it("of parts that wait are those of their initial state", async () => {
        const splitRestriction = () => [[0, 2] as const, [2, 5] as const];
        const initialWatermarkState = (_element: string, [from]: Range) => 10 * from;
        const scope = await run(estimating({}, { splitRestriction, initialWatermarkState }));
        expect(watermarkOf(scope)).to.deep.equal([[20, 20]]);
      });

      it("are those of the split, whatever comes after it", async () => {
        const manual = { createWatermarkEstimator: (state: number) => manualWatermarkEstimator(state) };
        const afterOutput: CountingOptions["afterOutput"] = (context, position) => {
          const estimator = context.watermarkEstimator as ReturnType<typeof manualWatermarkEstimator>;
          estimator.setWatermark(position === 1 ? 1000 : position);
        };
        const scope = await run(estimating({ afterOutput }, manual), { timestampMs: -5 }, (each) => {
          each.onSourceEmitted = () => each.sourceTimes.length === 2 && each.active!.checkpoint();
        });
        expect(watermarkOf(scope)).to.deep.equal([[0, 0]]);
      });

      it("are those of the end when process asks to be resumed", async () => {
        const afterOutput: CountingOptions["afterOutput"] = (context, position) =>
          (context.watermarkEstimator as ReturnType<typeof manualWatermarkEstimator>).setWatermark(position);
        const manual = { createWatermarkEstimator: (state: number) => manualWatermarkEstimator(state) };
        const scope = await run(
          estimating({ afterOutput, atOnce: 2 }, manual),
          { timestampMs: -5 },
          (each) => {
            each.onSourceEmitted = () => each.sourceTimes.length === 2 && each.active!.checkpoint();
          },
        );
        expect(watermarkOf(scope)).to.deep.equal([[1, 1]]);
        expect(leftOf(scope)).to.deep.equal([[2, 5, 100]]);
      });

      it("must not go back", async () => {
        let nowMs = 50;
        const createWatermarkEstimator = () => ({ currentWatermarkMs: () => nowMs, state: () => nowMs });
        const afterOutput = () => {
          nowMs -= 10;
        };
        const error = await failureOf(
          run(estimating({ afterOutput, atOnce: 1 }, { createWatermarkEstimator })),
        );
        expect(error.message).to.equal('step "S" failed in process: its watermark must not go back: 50 → 40');
      });

      it("are refused to a DoFn that makes no estimator", async () => {
        const afterOutput: CountingOptions["afterOutput"] = (context) => context.watermarkEstimator;
        const error = await failureOf(run(new Counting({ afterOutput })));
        expect(error.message).to.equal(
          'step "S" failed in process: the DoFn has no createWatermarkEstimator',
        );
      });
    });

    describe("truncation", () => {
      const drained = { isTruncated: true };
      const facts = (isBounded: boolean) => ({ facts: { allowedLatenessMs: 0, isBounded } });
      const quiet = () => undefined;

      it("does the rest that the DoFn still wants", async () => {
        const truncateRestriction = (_element: string, [from]: Range): Range => [from, from + 2];
        const scope = await run(new Counting({}, { truncateRestriction }), { ...begun(1, 5), ...drained });
        expect(scope.values("S")).to.deep.equal(["abcde:1", "abcde:2"]);
      });

      it("drops what the DoFn does not want", async () => {
        const scope = await run(new Counting({}, { truncateRestriction: () => undefined }), drained);
        expect([scope.values("S"), scope.residuals, scope.begun]).to.deep.equal([[], [], 0]);
      });

      it("does all of a bounded one by default, and nothing of an unbounded one", async () => {
        const bounded = await run(new Counting(), { ...begun(3, 5), ...drained }, quiet, facts(true));
        expect(bounded.values("S")).to.deep.equal(["abcde:3", "abcde:4"]);
        const unbounded = await run(new Counting(), drained, quiet, facts(false));
        expect(unbounded.values("S")).to.deep.equal([]);
      });

      it("refuses to guess", async () => {
        const error = await failureOf(run(new Counting(), drained));
        expect(error.message).to.contain("its host does not say whether it is bounded");
      });
    });

    it("works on each window of an element by itself where the DoFn observes windows", async () => {
      const afterOutput: CountingOptions["afterOutput"] = (context) =>
        context.outputTo("main", context.window.id);
      const doFn = new Counting({ atOnce: 1, afterOutput }, { observesWindows: true });
      const scope = await run(doFn, { windows: [window(0), window(5)] });
      expect(scope.values("S")).to.deep.equal(["abcde:0", "0/10", "abcde:0", "5/15"]);
      expect(scope.residuals.map(({ element }) => element.windows)).to.deep.equal([[window(0)], [window(5)]]);
    });

    it("reads side inputs", async () => {
      const side = iterableSideInput<string>();
      const afterOutput: CountingOptions["afterOutput"] = (context) =>
        context.output([...context.sideInput(side)].join());
      const doFn = new Counting({ afterOutput });
      Object.assign(doFn, { side });
      const scope = await run(doFn, begun(4, 5), () => undefined, {
        sideInputs: { "S/side": { "": ["x", "y"] } },
      });
      expect(scope.values("S")).to.deep.equal(["abcde:4", "x,y"]);
    });

    it("works on restrictions in turn, also when each takes time", async () => {
      const host = kind.create();
      const processor = await processorOf(host, parDo("S", new Counting({ isAsync: true })));
      const scope = await runBundle(processor, host, [restriction("S", "ab"), restriction("S", "xyz")]);
      expect(scope.values("S")).to.deep.equal(["ab:0", "ab:1", "xyz:0", "xyz:1", "xyz:2"]);
      expect([scope.begun, scope.ended]).to.deep.equal([2, 2]);
    });

    it("tells how far the sources are", async () => {
      const host = kind.create();
      const read = { description: "numbers", records: 3 } as ReadProgress;
      const telling = parDo("S", new Counting({}, { progress: () => read }));
      const processor = await processorOf(host, telling, parDo("T", new Counting()));
      expect(processor.progress()).to.deep.equal([read]);
    });
  });
}
