/** A random pipeline as plain data: what it does, what comes in, and the order in which it comes. All from one seed. */
import { Choice } from "../../support/seeded-choice.js";

export type Windows =
  | { readonly kind: "global" }
  | { readonly kind: "fixed"; readonly sizeMs: number; readonly offsetMs: number }
  | { readonly kind: "sliding"; readonly sizeMs: number; readonly periodMs: number }
  | { readonly kind: "sessions"; readonly gapMs: number };

export interface PlanElement {
  readonly kind: "main" | "side";
  readonly key: string;
  readonly value: number;
  readonly timestampMs: number;
}

/** Each gives the same whatever the order of a window's elements. */
export interface StatefulStep {
  /**
   * `distinct` emits a value once a window, `flush` a window's sum by a timer at its end, `slots` the sum of
   * each slot of time by a timer at the slot's end. Windows' ends are cut at `endMs`.
   */
  readonly kind: "distinct" | "flush" | "slots";
  readonly windows: Windows;
  readonly slotMs: number;
  readonly endMs: number;
}

/** Adds 1,000 times the sum of the side input: all of a window's, or those of the element's key. */
export interface SideStep {
  readonly kind: "iterable" | "singleton" | "multimap" | "map";
  readonly windows: Windows;
}

export const triggerKinds = [
  "default",
  "watermark",
  "early count",
  "early delay",
  "early and late count",
  "count",
  "delay",
  "count or delay",
  "count and delay",
  "each",
  "count until end",
  "never",
] as const;

export interface Grouping {
  readonly kind: "group" | "sum";
  readonly windows: Windows;
  readonly trigger: {
    readonly kind: (typeof triggerKinds)[number];
    readonly count: number;
    readonly delayMs: number;
  };
  readonly accumulation: "discarding" | "accumulating";
  readonly timestampCombiner: "end-of-window" | "earliest" | "latest";
  readonly allowedLatenessMs: number;
}

export type ScriptEvent =
  | { readonly kind: "elements"; readonly elements: readonly PlanElement[] }
  | { readonly kind: "watermark"; readonly watermarkMs: number }
  | { readonly kind: "processing-time"; readonly advanceMs: number };

export interface RandomPlan {
  readonly stateful: StatefulStep | undefined;
  readonly side: SideStep | undefined;
  readonly grouping: Grouping;
  readonly hasReshuffle: boolean;
  readonly hasFlatten: boolean;
  /** No element comes behind the watermark. */
  readonly script: readonly ScriptEvent[];
}

const FROM_MS = -60;
const TO_MS = 180;

/** Equal seeds give equal plans. */
export function randomPlan(seed: number): RandomPlan {
  const choice = new Choice(seed);
  return {
    stateful: choice.isHit(0.5) ? randomStateful(choice) : undefined,
    side: choice.isHit(0.5) ? randomSide(choice) : undefined,
    grouping: randomGrouping(choice),
    hasReshuffle: choice.isHit(0.25),
    hasFlatten: choice.isHit(0.25),
    script: randomScript(choice, randomElements(choice)),
  };
}

function randomStateful(choice: Choice): StatefulStep {
  return {
    kind: choice.of(["distinct", "flush", "slots"] as const),
    windows: randomWindows(choice, false),
    slotMs: choice.between(1, 40),
    endMs: TO_MS + choice.between(0, 50),
  };
}

function randomSide(choice: Choice): SideStep {
  return {
    kind: choice.of(["iterable", "singleton", "multimap", "map"] as const),
    windows: randomWindows(choice, false),
  };
}

function randomGrouping(choice: Choice): Grouping {
  return {
    kind: choice.of(["group", "sum"] as const),
    windows: randomWindows(choice, true),
    trigger: {
      kind: choice.of(triggerKinds),
      count: choice.between(1, 4),
      delayMs: choice.between(1, 100),
    },
    accumulation: choice.of(["discarding", "accumulating"] as const),
    timestampCombiner: choice.of(["end-of-window", "earliest", "latest"] as const),
    allowedLatenessMs: choice.of([0, 0, 15]),
  };
}

function randomWindows(choice: Choice, mayMerge: boolean): Windows {
  const kind = choice.of(mayMerge ? KINDS : KINDS.slice(0, -1));
  switch (kind) {
    case "global":
      return { kind };
    case "fixed": {
      const sizeMs = choice.between(1, 80);
      return { kind, sizeMs, offsetMs: choice.between(0, sizeMs - 1) };
    }
    case "sliding": {
      const periodMs = choice.between(5, 40);
      return { kind, periodMs, sizeMs: periodMs * choice.between(1, 3) + choice.between(0, 3) };
    }
    case "sessions":
      return { kind, gapMs: choice.between(1, 30) };
  }
}

const KINDS = ["global", "fixed", "sliding", "sessions"] as const;

function randomElements(choice: Choice): PlanElement[] {
  const keys = ["a", "b", "c", "d"].slice(0, choice.between(1, 4));
  return Array.from({ length: choice.between(1, 40) }, () => ({
    kind: choice.isHit(0.75) ? "main" : "side",
    key: choice.of(keys),
    value: choice.between(0, 9),
    timestampMs: choice.between(FROM_MS, TO_MS),
  }));
}

/** Bundles in any order; the watermark stays at or before what is still to come. */
function randomScript(choice: Choice, elements: readonly PlanElement[]): ScriptEvent[] {
  const script: ScriptEvent[] = [];
  // How far behind its event time an element may come differs from plan to plan.
  const disorderMs = choice.of([0, 10, 50, TO_MS - FROM_MS]);
  const ranked = elements
    .map((element) => ({ element, rank: element.timestampMs + choice.next() * disorderMs }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ element }) => element);
  let watermarkMs = FROM_MS - choice.between(0, 20);
  for (let next = 0; next < ranked.length; ) {
    const bundle = ranked.slice(next, next + choice.between(1, 5));
    next += bundle.length;
    script.push({ kind: "elements", elements: bundle });
    const limitMs = Math.min(TO_MS, ...ranked.slice(next).map(({ timestampMs }) => timestampMs));
    if (choice.isHit(0.5) && limitMs > watermarkMs) {
      watermarkMs = choice.isHit(0.5) ? limitMs : choice.between(watermarkMs + 1, limitMs);
      script.push({ kind: "watermark", watermarkMs });
    }
    if (choice.isHit(0.3)) script.push({ kind: "processing-time", advanceMs: choice.between(1, 80) });
  }
  return script;
}
