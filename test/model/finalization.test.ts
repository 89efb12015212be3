/** Scenarios of bundle finalization: what runs once a bundle's commit is known, and never before. */
import { expect } from "chai";
import type {
  DoFn,
  FinishBundleContext,
  ProcessContext,
  ProcessContinuation,
  SplittableDoFn,
} from "../../transforms/primitives/do-fn.js";
import { iterableSideInput } from "../../transforms/primitives/side-input-spec.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { eventTimeTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { parDo, splittable } from "./support/local-do-fn.js";
import { type OffsetRange, OffsetRangeTracker } from "./support/offset-range.js";
import { collect, expectOutputs, runModel, runToFailure } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, kv, streamed } from "./support/sources.js";

const FINALIZES = { requestsFinalization: true } as const;

/** Logs each element, the end of its bundle, and the bundle's finalization. */
class FinalizingFn implements DoFn<unknown> {
  readonly log: string[];

  constructor(log: string[]) {
    this.log = log;
  }

  process(element: unknown, context: ProcessContext): void {
    this.log.push(`element ${element}`);
    context.afterCommit(() => void this.log.push(`final ${element}`));
    context.output(element);
  }

  finishBundle(_context: FinishBundleContext): void {
    this.log.push("finish");
  }
}

scenariosOf("bundle finalization", (it) => {
  it("callbacks run once, in order, after the bundle has finished", ["bundle finalization"], async () => {
    const log: string[] = [];
    const run = await runModel((root) =>
      elements(root, [1, 2, 3])
        .apply(parDo("Finalize", () => new FinalizingFn(log), FINALIZES))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [1, 2, 3]);
    expect(log.filter((line) => line !== "finish")).to.deep.equal([
      "element 1",
      "element 2",
      "element 3",
      "final 1",
      "final 2",
      "final 3",
    ]);
    expect(log.indexOf("finish")).to.be.within(3, log.indexOf("final 1") - 1);
  });

  it("a callback may be asynchronous, and the job ends behind it", ["bundle finalization"], async () => {
    const log: string[] = [];
    await runModel((root) =>
      elements(root, [1, 2]).apply(
        parDo(
          "Finalize",
          () => ({
            process: (element: number, context: ProcessContext) =>
              context.afterCommit(async () => {
                log.push(`begin ${element}`);
                await new Promise(setImmediate);
                log.push(`end ${element}`);
              }),
          }),
          FINALIZES,
        ),
      ),
    );
    expect(log).to.deep.equal(["begin 1", "end 1", "begin 2", "end 2"]);
  });

  it("a callback of finishBundle runs too", ["bundle finalization", "lifecycle"], async () => {
    const log: string[] = [];
    await runModel((root) =>
      elements(root, [1]).apply(
        parDo(
          "Finalize",
          () => ({
            process() {},
            finishBundle: (context: FinishBundleContext) => context.afterCommit(() => void log.push("final")),
          }),
          FINALIZES,
        ),
      ),
    );
    expect(log.length).to.be.at.least(1);
    expect(new Set(log)).to.deep.equal(new Set(["final"]));
  });

  it("each bundle of a stream has its own callbacks", ["bundle finalization", "TestStream"], async () => {
    const log: string[] = [];
    await runModel((root) =>
      streamed(
        root,
        testStream<string>().addElements(at(0, "a")).addElements(at(1, "b")).advanceWatermarkToInfinity(),
      ).apply(parDo("Finalize", () => new FinalizingFn(log), FINALIZES)),
    );
    expect(log.filter((line) => line.startsWith("final"))).to.deep.equal(["final a", "final b"]);
    for (const name of ["a", "b"]) {
      expect(log.indexOf(`final ${name}`)).to.be.greaterThan(log.indexOf(`element ${name}`));
    }
  });

  it("a stateful DoFn may finalize its bundles", ["bundle finalization", "value state"], async () => {
    const finalized: string[] = [];
    const run = await runModel((root) => {
      const count = valueState<number>();
      elements(root, [kv("a", 1), kv("a", 2), kv("b", 3)])
        .apply(
          parDo(
            "Finalize",
            () => ({
              count,
              process({ key }: KV<string, number>, context: ProcessContext) {
                const now = (context.state(count).read() ?? 0) + 1;
                context.state(count).write(now);
                context.afterCommit(() => void finalized.push(`${key} ${now}`));
                context.output(kv(key, now));
              },
            }),
            FINALIZES,
          ),
        )
        .apply(collect("out"));
    });
    expectOutputs(run, "out", [kv("a", 1), kv("a", 2), kv("b", 1)]);
    expect(finalized.sort()).to.deep.equal(["a 1", "a 2", "b 1"]);
  });

  it("a timer's callback may finalize its bundle", ["bundle finalization", "event-time timers"], async () => {
    const finalized: string[] = [];
    await runModel((root) => {
      const timer = eventTimeTimer();
      elements(root, [kv("a", 1)]).apply(
        parDo(
          "Finalize",
          () => ({
            timer,
            process: (_element: KV<string, number>, context: ProcessContext) => context.timer(timer).set(5),
            onTimer: (_timer, context) =>
              context.afterCommit(() => void finalized.push(`timer ${context.key}`)),
          }),
          FINALIZES,
        ),
      );
    });
    expect(finalized).to.deep.equal(["timer a"]);
  });

  it(
    "a DoFn with a side input may finalize its bundles",
    ["bundle finalization", "iterable side input"],
    async () => {
      const finalized: number[] = [];
      await runModel((root) => {
        const side = iterableSideInput<number>();
        const numbers = elements(root, [10, 20], "Side");
        elements(root, [1, 2]).apply(
          parDo(
            "Finalize",
            () => ({
              side,
              process(element: number, context: ProcessContext) {
                const sum = [...context.sideInput(side)].reduce((a, b) => a + b, element);
                context.afterCommit(() => void finalized.push(sum));
              },
            }),
            { ...FINALIZES, sideInputs: { side: numbers } },
          ),
        );
      });
      expect(finalized.sort()).to.deep.equal([31, 32]);
    },
  );

  it(
    "each checkpoint of a splittable DoFn is finalized",
    ["bundle finalization", "bounded splittable DoFn", "self-checkpoint"],
    async () => {
      const finalized: number[] = [];
      const fn: SplittableDoFn<string, OffsetRange, number> = {
        initialRestriction: () => ({ from: 0, to: 4 }),
        createTracker: (range) => new OffsetRangeTracker(range),
        process(_element, tracker, context): ProcessContinuation {
          const { from } = tracker.currentRestriction();
          if (!tracker.tryClaim(from)) return { resume: false };
          context.afterCommit(() => void finalized.push(from));
          return { resume: true, delayMs: 0 };
        },
      };
      await runModel((root) =>
        elements(root, ["x"]).apply(splittable("Finalize", () => fn, { bounded: true, ...FINALIZES })),
      );
      expect(finalized).to.deep.equal([0, 1, 2, 3]);
    },
  );

  it("the callbacks of a bundle that fails never run", ["bundle finalization", "faults"], async () => {
    const finalized: number[] = [];
    await runToFailure(
      (root) =>
        elements(root, [1, 2, 3]).apply(
          parDo(
            "Finalize",
            () => ({
              process(element: number, context: ProcessContext) {
                context.afterCommit(() => void finalized.push(element));
                if (element === 3) throw new Error("the third element is bad");
              },
            }),
            FINALIZES,
          ),
        ),
      /the third element is bad/,
    );
    expect(finalized).to.deep.equal([]);
  });
});
