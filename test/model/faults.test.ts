/** Scenarios of what goes wrong: the run fails with the error, and nothing of the failed bundle counts. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import type { ElementContext, ProcessContext, SetupContext } from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { eventTimeTimer, type FiredTimer } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "./support/into.js";
import { mapping, parDo } from "./support/local-do-fn.js";
import { portableTarget } from "./support/portable-targets.js";
import { collect, runModel, runToFailure, startModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { at, elements, kv, streamed } from "./support/sources.js";

const fail = () => {
  throw new Error("it is broken");
};

const BROKEN = /it is broken/;

scenariosOf("faults", (it) => {
  it("an error in startBundle fails the run", ["faults", "lifecycle"], async () => {
    await runToFailure(
      (root) => elements(root, [1]).apply(parDo("Broken", () => ({ startBundle: fail, process() {} }))),
      BROKEN,
    );
  });

  it("an error in process fails the run", ["faults", "ParDo"], async () => {
    await runToFailure(
      (root) => elements(root, [1]).apply(parDo("Broken", () => ({ process: fail }))),
      BROKEN,
    );
  });

  it("an error in finishBundle fails the run", ["faults", "lifecycle"], async () => {
    await runToFailure(
      (root) => elements(root, [1]).apply(parDo("Broken", () => ({ process() {}, finishBundle: fail }))),
      BROKEN,
    );
  });

  it("a rejected promise of process fails the run", ["faults", "async DoFn"], async () => {
    await runToFailure(
      (root) =>
        elements(root, [1]).apply(
          parDo("Broken", () => ({
            async process() {
              await new Promise(setImmediate);
              fail();
            },
          })),
        ),
      BROKEN,
    );
  });

  it("an error in the midst of an async iterable fails the run", ["faults", "async DoFn"], async () => {
    await runToFailure(
      (root) =>
        elements(root, [1]).apply(
          parDo("Broken", () => ({
            async *process() {
              yield 1;
              fail();
            },
          })),
        ),
      BROKEN,
    );
  });

  it("an error in a timer's callback fails the run", ["faults", "event-time timers"], async () => {
    await runToFailure((root) => {
      const timer = eventTimeTimer();
      elements(root, [kv("a", 1)]).apply(
        parDo("Broken", () => ({
          timer,
          process: (_element: KV<string, number>, context: ProcessContext) => context.timer(timer).set(1),
          onTimer: (_timer: FiredTimer, _context: ElementContext) => fail(),
        })),
      );
    }, BROKEN);
  });

  it("an error in onWindowExpiration fails the run", ["faults", "on window expiration"], async () => {
    await runToFailure((root) => {
      const state = valueState<number>();
      elements(root, [kv("a", 1)]).apply(
        parDo("Broken", () => ({
          state,
          process: (_element: KV<string, number>, context: ProcessContext) => context.state(state).write(1),
          onWindowExpiration: fail,
        })),
      );
    }, BROKEN);
  });

  it("the error names its step", ["faults"], async () => {
    await runToFailure(
      (root) => elements(root, [1]).apply(parDo("TheBrokenStep", () => ({ process: fail }))),
      /TheBrokenStep/,
    );
  });

  it("elements behind the one that fails are not processed", ["faults", "ParDo"], async () => {
    const seen: number[] = [];
    await runToFailure(
      (root) =>
        elements(root, [1, 2, 3, 4]).apply(
          mapping("Broken", (element) => {
            seen.push(element);
            if (element === 2) fail();
          }),
        ),
      BROKEN,
    );
    expect(seen).to.deep.equal([1, 2]);
  });

  it("what comes behind a failed bundle is not processed", ["faults", "GroupByKey"], async () => {
    const seen: unknown[] = [];
    await runToFailure((root) => {
      const pairs = elements(root, [kv("a", 1), kv("a", 2)]).apply(
        mapping("Broken", (element) => {
          if (element.value === 2) fail();
          return element;
        }),
      );
      pairs
        .apply(withName("Group", groupByKey<string, number>()))
        .apply(mapping("See", (group) => seen.push(group)));
    }, BROKEN);
    expect(seen).to.deep.equal([]);
  });

  it(
    "a failed job says so, and what was before it failed stays as it was",
    ["faults", "TestStream"],
    async () => {
      const seen: number[] = [];
      const run = await startModel((root) =>
        streamed(
          root,
          testStream<number>()
            .addElements(at(0, 1))
            .addElements(at(1, 2))
            .addElements(at(2, 3))
            .advanceWatermarkToInfinity(),
        ).apply(
          mapping("Broken", (element) => {
            if (element === 2) fail();
            seen.push(element);
          }),
        ),
      );
      await run.result.waitUntilFinish();
      expect(run.state).to.equal("FAILED");
      // a job server may have played the next event before it noticed
      if (portableTarget === undefined) expect(seen).to.deep.equal([1]);
      else expect(seen).to.include(1).and.not.include(2);
    },
  );

  it("a key that no coder can carry is an error that tells where it is", ["faults", "coders"], async () => {
    await runToFailure(
      (root) =>
        elements(root, [1])
          .apply(mapping("Functions", () => kv({ inside: [1, () => 2] }, "a")))
          .apply(withName("Group", groupByKey<unknown, string>())),
      /inside/,
    );
  });

  it("a timestamp before the element's is passed on, not refused", ["timestamps", "ParDo"], async () => {
    const run = await runModel((root) =>
      elements(root, [5])
        .apply(
          parDo("Timestamp", () => ({
            process: (element: number, context: ProcessContext) => context.output(element, 1_000),
          })),
        )
        .apply(
          parDo("Back", () => ({
            process: (element, context: ProcessContext) => context.output(element, context.timestampMs - 10),
          })),
        )
        .apply(into("Window", fixedWindows(100)))
        .apply(collect("out")),
    );
    expect(run.collected("out").map(({ timestampMs, window }) => [timestampMs, window.id])).to.deep.equal([
      [990, "900/1000"],
    ]);
  });

  it("cancelling ends a job that would go on for ever", ["faults", "async DoFn"], async () => {
    let begun = () => {};
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const run = await startModel((root) =>
      elements(root, [1]).apply(
        parDo("Forever", () => {
          let signal: AbortSignal | undefined;
          return {
            setup(context: SetupContext) {
              signal = context.signal;
            },
            process: () =>
              new Promise<void>((_resolve, reject) => {
                signal?.addEventListener("abort", () => reject(new Error("abandoned")), { once: true });
                begun();
              }),
          };
        }),
      ),
    );
    await running;
    await run.result.cancel();
    expect(run.state).to.equal("CANCELLED");
  });
});
