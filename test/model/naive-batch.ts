/**
 * What a random pipeline must give, worked out from all of its input at once: no streams, watermarks, triggers
 * or bundles, and nothing of the runner's code.
 */
import type { PlanElement, RandomPlan, SideStep, StatefulStep, Windows } from "./support/random-plan.js";

interface Timed {
  readonly key: string;
  readonly value: number;
  readonly timestampMs: number;
}

/** [start, end); the global window has neither. */
interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** The values of a key in a window, sorted. */
export interface NaiveGroup {
  readonly key: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly values: readonly number[];
}

const EVERYTHING: Span = { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY };

/** The groups behind the plan's grouping, as if there were one pane each. */
export function evaluateNaively(plan: RandomPlan): NaiveGroup[] {
  const input = plan.script.flatMap((event) => (event.kind === "elements" ? event.elements : []));
  const main = input.filter(({ kind }) => kind === "main");
  const side = input.filter(({ kind }) => kind === "side");
  const kept: readonly Timed[] = plan.stateful === undefined ? main : evaluateStateful(plan.stateful, main);
  const windowed = kept.flatMap((element) =>
    spansOf(plan.grouping.windows, element.timestampMs).map((span) => ({
      ...element,
      span,
      value:
        element.value + (plan.side === undefined ? 0 : 1000 * sideSum(plan.side, side, span, element.key)),
    })),
  );
  const keys = [...new Set(windowed.map(({ key }) => key))];
  return keys.flatMap((key) => {
    const ofKey = windowed.filter((element) => element.key === key);
    const spans = ofKey.map(({ span }) => span);
    const final = plan.grouping.windows.kind === "sessions" ? joined(spans) : distinct(spans);
    return final.map((span) => ({
      key,
      ...span,
      values: ofKey
        .filter((element) => span.startMs <= element.span.startMs && element.span.endMs <= span.endMs)
        .filter((element) => plan.grouping.windows.kind === "sessions" || isSame(span, element.span))
        .map(({ value }) => value)
        .sort((a, b) => a - b),
    }));
  });
}

function evaluateStateful(
  { kind, windows, slotMs, endMs }: StatefulStep,
  main: readonly PlanElement[],
): Timed[] {
  const cells = new Map<string, { key: string; lastMs: number; elements: PlanElement[] }>();
  for (const element of main) {
    for (const span of spansOf(windows, element.timestampMs)) {
      const id = `${element.key} ${span.startMs} ${span.endMs}`;
      const cell = cells.get(id) ?? {
        key: element.key,
        lastMs: Math.min(span.endMs - 1, endMs),
        elements: [],
      };
      cell.elements.push(element);
      cells.set(id, cell);
    }
  }
  return [...cells.values()].flatMap(({ key, lastMs, elements }) => {
    const values = elements.map(({ value }) => value);
    if (kind === "distinct") {
      return [...new Set(values)].map((value) => ({ key, value, timestampMs: lastMs }));
    }
    if (kind === "flush") return [{ key, value: total(values), timestampMs: lastMs }];
    const slots = [...new Set(elements.map(({ timestampMs }) => Math.floor(timestampMs / slotMs)))];
    return slots.map((slot) => ({
      key,
      value: total(
        elements.filter((one) => Math.floor(one.timestampMs / slotMs) === slot).map(({ value }) => value),
      ),
      timestampMs: Math.min((slot + 1) * slotMs, lastMs),
    }));
  });
}

/** The sum over the side input's window in which the main window ends. */
function sideSum({ kind, windows }: SideStep, side: readonly PlanElement[], main: Span, key: string): number {
  const isByKey = kind === "map" || kind === "multimap";
  const span = windows.kind === "global" ? EVERYTHING : firstSpanOf(windows, main.endMs - 1);
  if (span === undefined) return 0;
  return total(
    side
      .filter((element) => element.timestampMs >= span.startMs && element.timestampMs < span.endMs)
      .filter((element) => !isByKey || element.key === key)
      .map(({ value }) => value),
  );
}

/** Undefined behind the end of time, where no element is. */
function firstSpanOf(windows: Windows, timestampMs: number): Span | undefined {
  if (timestampMs === Number.POSITIVE_INFINITY) return undefined;
  return spansOf(windows, timestampMs).reduce((a, b) => (b.startMs < a.startMs ? b : a));
}

function spansOf(windows: Windows, timestampMs: number): Span[] {
  if (windows.kind === "global") return [EVERYTHING];
  if (windows.kind === "sessions") return [{ startMs: timestampMs, endMs: timestampMs + windows.gapMs }];
  const { sizeMs } = windows;
  const [periodMs, offsetMs] = windows.kind === "fixed" ? [sizeMs, windows.offsetMs] : [windows.periodMs, 0];
  const spans: Span[] = [];
  // Every start on the grid whose window could hold the time, tried one by one.
  const first = Math.floor((timestampMs - sizeMs - offsetMs) / periodMs) - 1;
  for (let number = first; number * periodMs + offsetMs <= timestampMs; number += 1) {
    const startMs = number * periodMs + offsetMs;
    if (timestampMs < startMs + sizeMs) spans.push({ startMs, endMs: startMs + sizeMs });
  }
  return spans;
}

/** Spans that overlap as one, those that only touch apart. */
function joined(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.startMs - b.startMs)) {
    const last = result.at(-1);
    if (last !== undefined && span.startMs < last.endMs) {
      result[result.length - 1] = { startMs: last.startMs, endMs: Math.max(last.endMs, span.endMs) };
    } else result.push(span);
  }
  return result;
}

function distinct(spans: readonly Span[]): Span[] {
  return spans.filter((span, index) => spans.findIndex((other) => isSame(span, other)) === index);
}

function isSame(a: Span, b: Span): boolean {
  return a.startMs === b.startMs && a.endMs === b.endMs;
}

function total(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
