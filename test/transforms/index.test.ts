/** `millrace/transforms` as whoever writes a pipeline of their own meets it: what the SDK lacks, from the package's name. */
import { expect } from "chai";
import { directRunner } from "millrace/runners";
import {
  assertThat,
  count,
  create,
  type DoFn,
  deduplicatePerKey,
  type ElementContext,
  eventTimeTimer,
  type FiredTimer,
  fixedWindows,
  type KV,
  latest,
  type ProcessContext,
  registerDoFn,
  registeredParDo,
  valueState,
  windowInto,
} from "millrace/transforms";
import { withName } from "../../transforms/primitives/beam.js";

/** Sums the values of a key and window, and gives the sum at the window's end. */
class SumFn implements DoFn<KV<string, number>> {
  readonly sum = valueState<number>();
  readonly end = eventTimeTimer();

  process({ value }: KV<string, number>, context: ProcessContext): void {
    const sum = context.state(this.sum);
    sum.write((sum.read() ?? 0) + value);
    context.timer(this.end).set(context.window.maxTimestampMs);
  }
  onTimer(_timer: FiredTimer, context: ElementContext): void {
    context.output([context.key, context.window.id, context.state(this.sum).read()]);
  }
}
const SUM = registerDoFn("sum@transforms-index", () => new SumFn());

const seen: unknown[] = [];
const KEEP = registerDoFn("keep@transforms-index", () => ({
  process: (element: unknown) => void seen.push(element),
}));

describe("millrace/transforms", () => {
  it("makes a pipeline with windows, state and timers", async () => {
    const pairs = [
      { key: "a", value: 1 },
      { key: "b", value: 2 },
      { key: "a", value: 4 },
      { key: "a", value: 8 },
    ];
    await directRunner().run((root) =>
      root
        .apply(withName("Pairs", create(pairs, { timestampMs: [0, 5, 9, 10] })))
        .apply(withName("Window", windowInto<KV<string, number>>(fixedWindows(10))))
        .apply(withName("Sum", registeredParDo<KV<string, number>, unknown>(SUM, null)))
        .apply(withName("Keep", registeredParDo(KEEP, null))),
    );
    expect(seen).to.have.deep.members([
      ["a", "0/10", 5],
      ["b", "0/10", 2],
      ["a", "10/20", 8],
    ]);
  });

  it("has Beam's composites, whose assertions the pipeline checks itself", async () => {
    const pairs = ["b", "a", "b"].map((key, value) => ({ key, value }));
    const result = await directRunner().run((root) => {
      const input = root.apply(
        withName("Pairs", create<KV<string, number>>(pairs, { timestampMs: [1, 2, 3] })),
      );
      const last = input.apply(withName("Latest", latest.perKey<string, number>()));
      assertThat(last).containsInAnyOrder([
        { key: "a", value: 1 },
        { key: "b", value: 2 },
      ]);
      const horizon = { timeDomain: "event-time", durationMs: 10 } as const;
      const firsts = input.apply(withName("First", deduplicatePerKey<string, number>({ horizon })));
      assertThat(firsts.apply(withName("Count", count.globally()))).containsInAnyOrder([2]);
    });
    expect((await result.counters())["assertions_passed"]).to.equal(2);
  });
});
