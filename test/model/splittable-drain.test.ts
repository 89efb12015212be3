/** Scenarios of draining: what becomes of restrictions that are not done. */
import { expect } from "chai";
import { withName } from "../../transforms/primitives/beam.js";
import type { SplittableProcessContext } from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { splittable } from "./support/local-do-fn.js";
import type { OffsetRange } from "./support/offset-range.js";
import { collect, expectOutputs, expectPanes, startModel } from "./support/run-model.js";
import { scenariosOf } from "./support/scenarios.js";
import { elements, kv } from "./support/sources.js";
import { ManualTicksFn, type TicksFn } from "./support/ticks-fn.js";

/** Starts ticks that go on until the job drains; resolves once some are out. */
async function drainedTicks(create: (ticked: () => void) => TicksFn<number>) {
  let resolveTicked = () => {};
  const ticked = new Promise<void>((resolve) => {
    resolveTicked = resolve;
  });
  const run = await startModel((root) => {
    const ticks = elements(root, ["a"]).apply(
      splittable<string, KV<string, number>, OffsetRange, number, number>(
        "Ticks",
        () => create(resolveTicked),
        {
          bounded: false,
        },
      ),
    );
    ticks.apply(collect("ticks"));
    ticks
      .apply(withName("Window", windowInto<KV<string, number>>(fixedWindows(1_000_000))))
      .apply(withName("Group", groupByKey<string, number>()))
      .apply(collect("panes"));
  });
  await ticked;
  await run.result.drain();
  return run;
}

class EndlessTicksFn extends ManualTicksFn {
  readonly onTick: (timestampMs: number) => void;

  constructor(onTick: (timestampMs: number) => void) {
    super(Number.MAX_SAFE_INTEGER, 1);
    this.onTick = onTick;
  }

  override ticked(timestampMs: number, context: SplittableProcessContext<number>): void {
    super.ticked(timestampMs, context);
    this.onTick(timestampMs);
  }
}

/** Of its rest, three more ticks are done when the job drains. */
class TruncatingTicksFn extends EndlessTicksFn {
  truncateRestriction(_key: string, { from }: OffsetRange): OffsetRange {
    return { from, to: from + 3 };
  }
}

scenariosOf("splittable DoFns", (it) => {
  it(
    "draining cuts an unbounded restriction off and ends the open windows",
    ["drain", "unbounded splittable DoFn"],
    async () => {
      let ticks = 0;
      const run = await drainedTicks(
        (ticked) =>
          new EndlessTicksFn(() => {
            ticks += 1;
            if (ticks === 3) ticked();
          }),
      );
      expect(run.state).to.equal("DRAINED");
      const expected = Array.from({ length: ticks }, (_, tick) => tick);
      expect(ticks).to.be.at.least(3);
      expectOutputs(
        run,
        "ticks",
        expected.map((tick) => kv("a", tick)),
      );
      expectPanes(run, "panes", [{ value: kv("a", expected), timing: "ON_TIME" }]);
    },
  );

  it(
    "draining does the rest that a DoFn wants to be done",
    ["drain", "unbounded splittable DoFn"],
    async () => {
      let ticks = 0;
      const run = await drainedTicks(
        (ticked) =>
          new TruncatingTicksFn(() => {
            ticks += 1;
            if (ticks === 1) ticked();
          }),
      );
      expect(ticks).to.be.at.least(4);
      const expected = Array.from({ length: ticks }, (_, tick) => tick);
      expectPanes(run, "panes", [{ value: kv("a", expected), timing: "ON_TIME" }]);
    },
  );

  it(
    "a bounded restriction is done to its end when the job drains",
    ["drain", "bounded splittable DoFn", "self-checkpoint"],
    async () => {
      let resolveTicked = () => {};
      const ticked = new Promise<void>((resolve) => {
        resolveTicked = resolve;
      });
      class TellingFn extends ManualTicksFn {
        override ticked(timestampMs: number, context: SplittableProcessContext<number>): void {
          super.ticked(timestampMs, context);
          resolveTicked();
        }
      }
      const run = await startModel((root) =>
        elements(root, ["a"])
          .apply(
            splittable<string, KV<string, number>, OffsetRange, number, number>(
              "Ticks",
              () => new TellingFn(20, 1),
              {
                bounded: true,
              },
            ),
          )
          .apply(collect("out")),
      );
      await ticked;
      await run.result.drain();
      expectOutputs(
        run,
        "out",
        Array.from({ length: 20 }, (_, tick) => kv("a", tick)),
      );
    },
  );
});
