/** GroupByKey against a naive grouping of a whole batch, and what holds for every trigger, on random input. */
import { expect } from "chai";
import fc from "fast-check";
import {
  type Element,
  MAX_WATERMARK_MS,
  MIN_WATERMARK_MS,
  NO_FIRING,
} from "../../../../runners/engine/element.js";
import { createGroupByKey, type GroupByKey } from "../../../../runners/engine/group-by-key.js";
import type { GroupCombiner } from "../../../../runners/engine/group-combiner.js";
import { expiryMs } from "../../../../runners/engine/window-expiry.js";
import type { TriggerSpec, WindowingStrategy } from "../../../../runners/engine/windowing-strategy.js";
import { checkProperty } from "../../../support/check-property.js";
import { LIST_COMBINER } from "./list-combiner.js";
import { parseWindowFn, type TableWindowFn } from "./parse-strategy.js";

interface Input {
  readonly key: string;
  readonly value: number;
  readonly timestampMs: number;
}

const windowFns = ["global()", "fixed(00:10)", "sliding(00:10, 00:03)", "sessions(00:05)"];
/** Windows of a minute may be over before others of the minute come: those depend on the order of the elements. */
const anyWindowFn = fc.constantFrom(...windowFns, "same-minute(00:01)");
const timestampCombiner = fc.constantFrom<WindowingStrategy["timestampCombiner"][]>(
  "end-of-window",
  "earliest",
  "latest",
);
const inputs = fc
  .array(fc.tuple(fc.constantFrom("x", "y", "z"), fc.integer({ min: -60_000, max: 60_000 })), {
    maxLength: 60,
  })
  .map((tuples) => tuples.map(([key, timestampMs], value): Input => ({ key, timestampMs, value })));

const batch: WindowingStrategy = {
  windowFn: parseWindowFn("global()"),
  trigger: { kind: "default" },
  accumulation: "discarding",
  timestampCombiner: "end-of-window",
  allowedLatenessMs: 0,
  closingBehavior: "emit-if-non-empty",
  onTimeBehavior: "fire-always",
};

function operatorOf(strategy: WindowingStrategy, combiner?: GroupCombiner): GroupByKey {
  return createGroupByKey({
    combiner,
    kind: "groupByKey",
    id: "Group",
    input: "in",
    output: "out",
    strategy,
    keyId: (key) => key as string,
  });
}

function elementOf(fn: TableWindowFn, { key, value, timestampMs }: Input): Element {
  return { value: { key, value }, timestampMs, windows: fn.assign(timestampMs), pane: NO_FIRING };
}

function groupOf({ value, windows, timestampMs }: Element) {
  const { key, value: values } = value as { key: string; value: Iterable<number> };
  return { key, window: windows[0]!.id, values: [...values], timestampMs };
}

/** All at once, window by window: what must come out when nothing is late. */
function naiveGroups(name: string, combiner: WindowingStrategy["timestampCombiner"], all: readonly Input[]) {
  const fn = parseWindowFn(name);
  const groups: { key: string; window: string; values: number[]; timestampMs: number }[] = [];
  for (const key of new Set(all.map((input) => input.key))) {
    const ofKey = all.filter((input) => input.key === key);
    const windows = new Map(ofKey.flatMap(({ timestampMs }) => fn.assign(timestampMs).map((w) => [w.id, w])));
    const merged = new Map([...windows.values()].map((window) => [window.id, window]));
    if (fn.isMerging) {
      for (const { merged: into, from } of fn.merge([...windows.values()])) {
        for (const window of from) merged.set(window.id, into);
      }
    }
    for (const window of new Map([...merged.values()].map((w) => [w.id, w])).values()) {
      const inside = ofKey.filter((input) =>
        fn.assign(input.timestampMs).some((own) => merged.get(own.id)!.id === window.id),
      );
      const times = inside.map((input) => input.timestampMs);
      const timestampMs = {
        "end-of-window": window.maxTimestampMs,
        earliest: Math.min(...times),
        latest: Math.max(...times),
      }[combiner];
      groups.push({ key, window: window.id, values: inside.map((input) => input.value), timestampMs });
    }
  }
  return groups;
}

function sorted<T extends { key: string; window: string }>(groups: readonly T[]): readonly T[] {
  const name = ({ key, window }: T) => `${key} ${window}`;
  return [...groups].sort((a, b) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0));
}

/** Cuts into pieces of the given sizes, taken in turn. */
function cut<T>(items: readonly T[], sizes: readonly number[]): T[][] {
  const pieces: T[][] = [];
  for (let from = 0; from < items.length; ) {
    const size = sizes[pieces.length % sizes.length]!;
    pieces.push(items.slice(from, from + size));
    from += size;
  }
  return pieces;
}

const bundleSizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

describe("GroupByKey on random input", () => {
  it("with the default trigger gives the groups of the whole batch, in any order within the watermark", () => {
    const property = fc.property(
      fc.constantFrom(...windowFns),
      timestampCombiner,
      inputs,
      bundleSizes,
      (name, combiner, all, sizes) => {
        const fn = parseWindowFn(name);
        const operator = operatorOf({ ...batch, windowFn: fn, timestampCombiner: combiner });
        const panes: Element[] = [];
        const bundles = cut(all, sizes);
        bundles.forEach((bundle, i) => {
          // The watermark: nothing of this bundle or of those to come is earlier.
          const toCome = bundles.slice(i).flat();
          const inputWatermarkMs = Math.min(...toCome.map((input) => input.timestampMs));
          operator.add(
            bundle.map((input) => elementOf(fn, input)),
            { inputWatermarkMs, processingTimeMs: i },
          );
          panes.push(...operator.takeOutput());
        });
        operator.advance({ inputWatermarkMs: MAX_WATERMARK_MS, processingTimeMs: 0 });
        panes.push(...operator.takeOutput());

        expect(sorted(panes.map(groupOf))).to.eql(sorted(naiveGroups(name, combiner, all)));
        const once = { timing: "ON_TIME", isFirst: true, isLast: true, index: 0, nonSpeculativeIndex: 0 };
        for (const { pane } of panes) expect(pane).to.eql(once);
        expect(operator.droppedDueToLateness).to.equal(0);
        expect(operator.holdMs).to.equal(MAX_WATERMARK_MS);
      },
    );
    checkProperty(property, 500);
  });

  it("with any trigger emits each element once or counts it as dropped, and keeps order and hold of panes", () => {
    checkProperty(
      fc.property(scenario, (run) => {
        const { operator, panes, copies } = play(run, [run.steps.length]);
        const emitted = panes.flatMap(({ element }) => groupOf(element).values).length;
        const dropped = operator.droppedDueToLateness + operator.droppedDueToClosedWindow;
        expect(emitted + dropped).to.equal(copies);
        expect(operator.holdMs).to.equal(MAX_WATERMARK_MS);
        expect(operator.nextProcessingTimeMs).to.equal(undefined);
        expectPanesInOrder(panes.map(({ element }) => element));
        for (const { element, outputWatermarkMs } of panes) {
          const isLate = element.pane.timing === "LATE";
          const lastMs = isLate ? expiryMs(element.windows[0]!, run.allowedLatenessMs) : element.timestampMs;
          expect(outputWatermarkMs, `output watermark before pane ${JSON.stringify(element)}`).to.be.at.most(
            lastMs,
          );
        }
      }),
      1000,
    );
  });

  it("with any trigger groups the same values into panes however the elements are cut into bundles", () => {
    checkProperty(
      fc.property(scenario, bundleSizes, (run, sizes) => {
        // Not timing and empty panes: they follow the output watermark, which others can see between bundles.
        const shown = (sizesOfRun: readonly number[]) =>
          play(run, sizesOfRun).panes.flatMap(({ element }) => {
            const { key, window, values } = groupOf(element);
            return values.length === 0 ? [] : [`${key} ${window} ${values}`];
          });
        expect(shown(sizes).sort()).to.eql(shown([Number.MAX_SAFE_INTEGER]).sort());
      }),
      500,
    );
  });
});

describe("GroupByKey that combines on random input", () => {
  it("gives the panes of one that does not, each value once, however accumulators are changed and merged", () => {
    const accumulations = fc.constantFrom("discarding" as const, "accumulating" as const);
    checkProperty(
      fc.property(scenario, bundleSizes, accumulations, (run, sizes, accumulation) => {
        const shown = (combiner?: GroupCombiner) => {
          const played = play(run, sizes, parseWindowFn(run.windowFn), { accumulation, combiner });
          const { operator, panes } = played;
          const { droppedDueToLateness, droppedDueToClosedWindow } = operator;
          return {
            dropped: [droppedDueToLateness, droppedDueToClosedWindow],
            panes: panes.map(({ element, outputWatermarkMs }) => {
              const { values, ...group } = groupOf(element);
              // Of merged windows, accumulators come one behind the other.
              return {
                ...group,
                ...element.pane,
                outputWatermarkMs,
                values: values.sort((a, b) => a - b),
              };
            }),
          };
        };
        expect(shown(LIST_COMBINER)).to.eql(shown());
      }),
      1000,
    );
  });
});

describe("GroupByKey with sessions on random input", () => {
  it("gives the same panes whether it looks at all open sessions of a key or at neighbours alone", () => {
    checkProperty(
      fc.property(scenario, bundleSizes, (drawn, sizes) => {
        const run = { ...drawn, windowFn: "sessions(00:02)" };
        const all = { ...parseWindowFn(run.windowFn), startMsOf: undefined };
        const shown = (fn?: TableWindowFn) =>
          play(run, sizes, fn).panes.map(({ element }) => ({ ...groupOf(element), ...element.pane }));
        expect(shown()).to.eql(shown(all));
      }),
      500,
    );
  });
});

/** A number of elements at one state of watermark and clock. */
interface Step {
  readonly elements: readonly (readonly [key: string, offsetMs: number])[];
  readonly watermarkStepMs: number;
  readonly clockStepMs: number;
}

const scenario = fc.record({
  windowFn: anyWindowFn,
  timestampCombiner,
  trigger: fc.letrec<{ trigger: TriggerSpec }>((tie) => {
    const of = tie("trigger");
    const several = fc.array(of, { minLength: 1, maxLength: 3 });
    const leaf = fc.oneof(
      fc.constantFrom<TriggerSpec[]>({ kind: "default" }, { kind: "never" }, { kind: "after-end-of-window" }),
      fc.integer({ min: 1, max: 4 }).map((count): TriggerSpec => ({ kind: "after-count", count })),
      fc.integer({ min: 0, max: 5000 }).map(
        (delayMs): TriggerSpec => ({
          kind: "after-processing-time",
          transforms: [{ kind: "delay", delayMs }],
        }),
      ),
    );
    return {
      trigger: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        leaf,
        of.map((repeated): TriggerSpec => ({ kind: "repeat", of: repeated })),
        fc.tuple(of, of).map(([early, late]): TriggerSpec => ({ kind: "after-end-of-window", early, late })),
        of.map((early): TriggerSpec => ({ kind: "after-end-of-window", early })),
        several.map((all): TriggerSpec => ({ kind: "after-each", of: all })),
        several.map((all): TriggerSpec => ({ kind: "after-first", of: all })),
        several.map((all): TriggerSpec => ({ kind: "after-all", of: all })),
        fc.tuple(of, of).map(([main, until]): TriggerSpec => ({ kind: "or-finally", main, finally: until })),
      ),
    };
  }).trigger,
  allowedLatenessMs: fc.constantFrom(0, 5000, 60_000),
  closingBehavior: fc.constantFrom<WindowingStrategy["closingBehavior"][]>(
    "emit-always",
    "emit-if-non-empty",
  ),
  onTimeBehavior: fc.constantFrom<WindowingStrategy["onTimeBehavior"][]>("fire-always", "fire-if-non-empty"),
  steps: fc.array(
    fc.record<Step>({
      elements: fc.array(fc.tuple(fc.constantFrom("x", "y"), fc.integer({ min: -20_000, max: 20_000 })), {
        maxLength: 6,
      }),
      watermarkStepMs: fc.integer({ min: 0, max: 8000 }),
      clockStepMs: fc.integer({ min: 0, max: 4000 }),
    }),
    { maxLength: 12 },
  ),
});

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

interface Emitted {
  readonly element: Element;
  /** What others could see before it came. */
  readonly outputWatermarkMs: number;
}

interface Grouping {
  readonly accumulation: WindowingStrategy["accumulation"];
  readonly combiner: GroupCombiner | undefined;
}

/** Plays a scenario, every step's elements cut into bundles. Ends with the watermark at its maximum. */
function play(
  run: Scenario,
  sizes: readonly number[],
  fn = parseWindowFn(run.windowFn),
  { accumulation, combiner }: Grouping = { accumulation: "discarding", combiner: undefined },
) {
  const { trigger, timestampCombiner, allowedLatenessMs, closingBehavior, onTimeBehavior } = run;
  const strategy = { trigger, timestampCombiner, allowedLatenessMs, closingBehavior, onTimeBehavior };
  const operator = operatorOf({ ...strategy, windowFn: fn, accumulation }, combiner);
  const panes: Emitted[] = [];
  let outputWatermarkMs = MIN_WATERMARK_MS;
  let value = 0;
  let copies = 0;
  const times = { inputWatermarkMs: -30_000, processingTimeMs: 0 };
  const take = () => {
    panes.push(...operator.takeOutput().map((element) => ({ element, outputWatermarkMs })));
    outputWatermarkMs = Math.max(outputWatermarkMs, Math.min(times.inputWatermarkMs, operator.holdMs));
  };
  for (const step of run.steps) {
    times.inputWatermarkMs += step.watermarkStepMs;
    times.processingTimeMs += step.clockStepMs;
    operator.advance(times);
    take();
    const elements = step.elements.map(([key, offsetMs]) =>
      elementOf(fn, { key, value: value++, timestampMs: times.inputWatermarkMs + offsetMs }),
    );
    copies += elements.reduce((sum, element) => sum + element.windows.length, 0);
    for (const bundle of cut(elements, sizes)) {
      operator.add(bundle, times);
      take();
    }
  }
  times.inputWatermarkMs = MAX_WATERMARK_MS;
  operator.advance(times);
  take();
  return { operator, panes, copies };
}

/** Of each key and window: numbered on from 0, EARLY before ON_TIME before LATE, nothing behind the last. */
function expectPanesInOrder(panes: readonly Element[]): void {
  const lastOf = new Map<string, Element["pane"]>();
  const order = ["EARLY", "ON_TIME", "LATE"];
  for (const element of panes) {
    const { key, window } = groupOf(element);
    const name = `${key} ${window}`;
    const last = lastOf.get(name);
    const { pane } = element;
    // A window that merged away, or expired, or closed, may come again with panes of its own.
    if (last !== undefined && !pane.isFirst) {
      expect(pane.index, name).to.equal(last.index + 1);
      expect(last.isLast, name).to.equal(false);
      expect(order.indexOf(pane.timing), name).to.be.at.least(order.indexOf(last.timing));
      if (pane.timing === "ON_TIME") expect(last.timing, name).to.equal("EARLY");
      const next = pane.timing === "EARLY" ? -1 : last.nonSpeculativeIndex + 1;
      expect(pane.nonSpeculativeIndex, name).to.equal(next);
    } else {
      expect(pane.index, name).to.equal(0);
      expect(pane.nonSpeculativeIndex, name).to.equal(pane.timing === "EARLY" ? -1 : 0);
    }
    lastOf.set(name, pane);
  }
}
