/**
 * Property: whatever comes, in whatever order within the watermark and in whatever bundles, latest, top, mean,
 * groupIntoBatches and coGroupByKey give what a plain calculation over each window gives. A failure prints its seed;
 * FAST_CHECK_SEED=<seed> runs the same cases again.
 */
import { expect } from "chai";
import fc from "fast-check";
import { type CoGroups, coGroupByKey } from "../../transforms/co-group-by-key.js";
import { groupIntoBatches } from "../../transforms/group-into-batches.js";
import { latest } from "../../transforms/latest.js";
import { mean } from "../../transforms/mean.js";
import { P, type PCollection, type Root, withName } from "../../transforms/primitives/beam.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, globalWindows, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { top } from "../../transforms/top.js";
import { into } from "../model/support/into.js";
import { parDo } from "../model/support/local-do-fn.js";
import { collect, type ModelRun, runModel } from "../model/support/run-model.js";
import { kv, streamed } from "../model/support/sources.js";
import { checkAsyncProperty } from "../support/check-property.js";

const CASES = 150;

type Pair = KV<string, number>;
type OddAndEven = { odd: number; even: number };

interface Item {
  readonly key: string;
  /** Below 64, so that of two encodings the greater is that of the greater number. */
  readonly value: number;
  readonly timestampMs: number;
}

interface Case {
  /** Arrays of items that come together. */
  readonly bundles: readonly (readonly Item[])[];
  readonly windows: "global" | "fixed" | "sliding";
  readonly count: number;
  readonly batchSize: number;
}

const item: fc.Arbitrary<Item> = fc.record({
  key: fc.constantFrom("a", "b", "c"),
  value: fc.integer({ min: 0, max: 63 }),
  timestampMs: fc.integer({ min: 0, max: 45 }),
});

const cases: fc.Arbitrary<Case> = fc.record({
  bundles: fc.array(fc.array(item, { minLength: 1, maxLength: 6 }), { maxLength: 8 }),
  windows: fc.constantFrom("global", "fixed", "sliding"),
  count: fc.integer({ min: 1, max: 4 }),
  batchSize: fc.integer({ min: 1, max: 4 }),
});

const windowFns = {
  global: globalWindows(),
  fixed: fixedWindows(10),
  sliding: slidingWindows({ sizeMs: 20, periodMs: 10 }),
};

/** Ids of the windows of a time, calculated anew. */
function windowIdsOf(kind: Case["windows"], timestampMs: number): string[] {
  if (kind === "global") return [""];
  const start = Math.floor(timestampMs / 10) * 10;
  if (kind === "fixed") return [`${start}/${start + 10}`];
  return [`${start}/${start + 20}`, `${start - 10}/${start + 10}`];
}

/** The items of each window and key, by `window key`, in the order in which they come. */
function groupsOf({ bundles, windows }: Case): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const one of bundles.flat()) {
    for (const id of windowIdsOf(windows, one.timestampMs)) {
      const name = `${id} ${one.key}`;
      groups.set(name, [...(groups.get(name) ?? []), one]);
    }
  }
  return groups;
}

/** Bundle after bundle; in between the watermark is as far as what is still to come allows. */
function scriptOf({ bundles }: Case) {
  let script = testStream<Pair>();
  for (const [index, bundle] of bundles.entries()) {
    script = script.addElements(
      ...bundle.map(({ key, value, timestampMs }) => ({ value: kv(key, value), timestampMs })),
    );
    const left = bundles.slice(index + 1).flat();
    if (left.length > 0) script = script.advanceWatermarkTo(Math.min(...left.map((one) => one.timestampMs)));
  }
  return script.advanceWatermarkToInfinity();
}

function build(root: Root, one: Case): void {
  const pairs = streamed(root, scriptOf(one)).apply(into<Pair>("Window", windowFns[one.windows]));
  pairs.apply(withName("Latest", latest.perKey<string, number>())).apply(collect("latest"));
  pairs.apply(withName("Largest", top.largestPerKey<string, number>(one.count))).apply(collect("largest"));
  pairs.apply(withName("Smallest", top.smallestPerKey<string, number>(one.count))).apply(collect("smallest"));
  pairs.apply(withName("Mean", mean.perKey<string>())).apply(collect("mean"));
  const batch = groupIntoBatches<string, number>({ batchSize: one.batchSize });
  pairs.apply(withName("Batch", batch)).apply(collect("batches"));
  const parity = (name: string, rest: number): PCollection<Pair> =>
    pairs.apply(
      parDo<Pair, Pair>(name, () => ({
        process: (pair, context) => void (pair.value % 2 === rest && context.output(pair)),
      })),
    );
  P({ odd: parity("Odd", 1), even: parity("Even", 0) })
    .apply(withName("Join", coGroupByKey<string, OddAndEven>()))
    .apply(collect("joined"));
}

/** The one value of each window and key. */
function byGroup(run: ModelRun, name: string): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const { value, window } of run.collected(name)) {
    const { key, value: inner } = value as KV<string, unknown>;
    expect(values.has(`${window.id} ${key}`), `${name} of ${window.id} ${key} twice`).to.equal(false);
    values.set(`${window.id} ${key}`, inner);
  }
  return values;
}

function expectEach(
  run: ModelRun,
  name: string,
  groups: ReadonlyMap<string, readonly Item[]>,
  resultOf: (items: readonly Item[]) => unknown,
): void {
  const expected = new Map([...groups].map(([group, items]) => [group, resultOf(items)]));
  expect(byGroup(run, name), name).to.deep.equal(expected);
}

const numbers = (items: readonly Item[]) => items.map(({ value }) => value);
const ascending = (items: readonly Item[]) => numbers(items).sort((a, b) => a - b);

function latestOf(items: readonly Item[]): number {
  const lastMs = Math.max(...items.map(({ timestampMs }) => timestampMs));
  return Math.max(...numbers(items.filter(({ timestampMs }) => timestampMs === lastMs)));
}

/** Batches are the group's items cut into pieces, in their order, each at its earliest time. */
function expectBatches(run: ModelRun, groups: ReadonlyMap<string, readonly Item[]>, size: number): void {
  const actual = new Map<string, unknown[]>();
  for (const { value, window, timestampMs } of run.collected("batches")) {
    const { key, value: values } = value as KV<string, number[]>;
    const name = `${window.id} ${key}`;
    actual.set(name, [...(actual.get(name) ?? []), { values, timestampMs }]);
  }
  const expected = [...groups].map(([group, items]) => {
    const pieces = [];
    for (let from = 0; from < items.length; from += size) {
      const piece = items.slice(from, from + size);
      pieces.push({
        values: numbers(piece),
        timestampMs: Math.min(...piece.map(({ timestampMs }) => timestampMs)),
      });
    }
    return [group, pieces] as const;
  });
  expect(actual, "batches").to.deep.equal(new Map(expected));
}

describe("latest, top, mean, groupIntoBatches, coGroupByKey: property", () => {
  it("give what a plain calculation gives, whatever comes in whatever order", async () => {
    await checkAsyncProperty(
      fc.asyncProperty(cases, async (one) => {
        const run = await runModel((root) => build(root, one));
        const groups = groupsOf(one);
        expectEach(run, "latest", groups, latestOf);
        expectEach(run, "largest", groups, (items) => ascending(items).reverse().slice(0, one.count));
        expectEach(run, "smallest", groups, (items) => ascending(items).slice(0, one.count));
        expectEach(run, "mean", groups, (items) => numbers(items).reduce((a, b) => a + b, 0) / items.length);
        expectBatches(run, groups, one.batchSize);
        for (const { value } of run.collected("joined")) {
          const { odd, even } = (value as KV<string, CoGroups<OddAndEven>>).value;
          odd.sort((a, b) => a - b);
          even.sort((a, b) => a - b);
        }
        expectEach(run, "joined", groups, (items) => ({
          odd: ascending(items).filter((value) => value % 2 === 1),
          even: ascending(items).filter((value) => value % 2 === 0),
        }));
      }),
      CASES,
    );
  });
});
