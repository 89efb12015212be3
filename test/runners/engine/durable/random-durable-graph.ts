/** A random graph whose steps do the same whatever the process: what they do follows from what they are given alone. */
import type { Element, Window } from "../../../../runners/engine/element.js";
import type {
  EngineGraph,
  EngineNode,
  GroupByKeyNode,
  TestStreamEvent,
} from "../../../../runners/engine/engine-graph.js";
import type { TriggerSpec, WindowingStrategy } from "../../../../runners/engine/windowing-strategy.js";
import type { Choice } from "../../../support/seeded-choice.js";
import { type Behaviour, elementOf, type KeyedContext, type SplittableContext } from "../core/fake-host.js";
import { fixed, GLOBAL, GraphBuilder } from "../core/graph-builder.js";
import { LIST_COMBINER } from "../windowing/list-combiner.js";

const KEYS = 5;
/** More than the record of a key takes in. */
const LARGE = "x".repeat(2_500);
const SIDE_LATENESS_MS = 15;

export interface RandomGraph {
  readonly graph: EngineGraph;
  readonly behaviours: Readonly<Record<string, Behaviour>>;
  /** Splittable roots. */
  readonly sources: readonly string[];
}

interface Pair {
  readonly key: string;
  readonly value: string;
}

/** Equal texts give equal numbers below `below`. */
function hash(text: string, below: number): number {
  let h = 2166136261;
  for (let at = 0; at < text.length; at++) h = Math.imul(h ^ text.charCodeAt(at), 16777619);
  return ((h ^ (h >>> 15)) >>> 0) % below;
}

export function randomGraph(choice: Choice): RandomGraph {
  return new Graphs(choice).build();
}

class Graphs {
  readonly #builder = new GraphBuilder();
  readonly #behaviours: Record<string, Behaviour> = {};
  readonly #sources: string[] = [];
  readonly #made: string[] = [];

  constructor(private readonly choice: Choice) {}

  build(): RandomGraph {
    const { choice } = this;
    const sources = choice.between(1, 2);
    for (let place = 0; place < sources; place++) this.#addSource(`In${place}`);
    if (choice.isHit(0.25)) this.#addTestStream();
    const nodes = choice.between(2, 7);
    for (let place = 0; place < nodes; place++) this.#addNode(`N${place}`);
    return { graph: this.#builder.graph, behaviours: this.#behaviours, sources: this.#sources };
  }

  #addNode(id: string): void {
    const { choice } = this;
    const from = choice.of(this.#made);
    const other = choice.of(this.#made);
    const kind = choice.between(0, 9);
    if (kind === 0) this.#builder.redistribute(id, from);
    else if (kind <= 3) this.#addKeyed(id, from, other);
    else if (kind <= 6) this.#addGrouping(id, from);
    else if (kind === 7) this.#addSideReader(id, from, other);
    else if (kind === 8) this.#addParts(id, from);
    else this.#addRewindowed(id, from === other ? [from] : [from, other]);
    this.#made.push(id);
  }

  /** What it emits with each step is written down before: its restriction is the number of the step. */
  #addSource(id: string): void {
    const { choice } = this;
    const windowOf = fixed(choice.between(5, 40));
    let watermarkMs = 0;
    let count = 0;
    const script = Array.from({ length: choice.between(2, 8) }, () => {
      const elements = Array.from({ length: choice.between(0, 6) }, () => {
        const timestampMs = watermarkMs + choice.between(-12, 30);
        const value = { key: `k${choice.between(1, KEYS)}`, value: `${id}e${count++}` };
        return elementOf(value, timestampMs, windowOf(timestampMs));
      });
      watermarkMs += choice.between(0, 15);
      return { elements, watermarkMs, waitMs: choice.between(0, 20) };
    });
    this.#builder.source(id);
    this.#sources.push(id);
    this.#made.push(id);
    this.#behaviours[id] = {
      restriction: ({ element, restriction, isTruncated }, { bundle, emit, rest }) => {
        const step = restriction === undefined ? 0 : (restriction.value as number);
        for (const emitted of script[step]!.elements) emit(emitted);
        if (isTruncated || step + 1 === script.length) return;
        const { watermarkMs, waitMs } = script[step]!;
        const resumeAtMs = bundle.processingTimeMs + waitMs;
        rest({ element, restriction: step + 1, watermarkState: { step }, watermarkMs, resumeAtMs });
      },
    };
  }

  #addTestStream(): void {
    const { choice } = this;
    const windowOf = fixed(choice.between(5, 40));
    const events: TestStreamEvent[] = [];
    let watermarkMs = -20;
    for (let place = choice.between(1, 10); place > 0; place--) {
      const kind = choice.between(0, 2);
      if (kind === 0) {
        const timestampMs = watermarkMs + choice.between(-5, 20);
        const value = { key: `k${choice.between(1, KEYS)}`, value: `t${place}` };
        events.push({
          kind: "elements",
          tag: "Script",
          elements: [{ value, timestampMs, window: windowOf(timestampMs) }],
        });
      } else if (kind === 1) {
        watermarkMs += choice.between(1, 20);
        events.push({ kind: "watermark", tag: "Script", watermarkMs });
      } else events.push({ kind: "processing-time", advanceMs: choice.between(1, 30) });
    }
    this.#builder.testStream("Stream", ["Script"], events);
    this.#made.push("Script");
  }

  #addKeyed(id: string, from: string, other: string): void {
    const { choice } = this;
    const hasExpirationCallback = choice.isHit(0.5);
    const hasSide = choice.isHit(0.2);
    this.#builder.keyed(
      id,
      from,
      {
        hasExpirationCallback,
        isTimeSorted: choice.isHit(0.3),
        allowedLatenessMs: choice.of([0, 10, 1e9]),
      },
      hasSide ? { sides: [{ name: "s", from: other, allowedLatenessMs: SIDE_LATENESS_MS }] } : {},
    );
    this.#behaviours[id] = {
      keyed: {
        element: (element, context) => onElement(element, context),
        timer: (timer, context) => {
          context.log(`state ${stateOf(context)}`);
          const text = `${timer.family}${timer.tag}${context.key}${context.window.id}`;
          context.cells.bag("bag").append(`fired ${text}`);
          if (hash(text, 3) === 0) context.cells.bag("value").clear();
          if (timer.outputTimestampMs !== undefined) {
            context.emit(
              elementOf({ key: context.key, value: text }, timer.outputTimestampMs, context.window),
            );
          }
          if (hash(text, 4) === 0 && timer.tag.length < 4) {
            context.set(timer.family, timer.fireAtMs + 5, { tag: `${timer.tag}+`, domain: timer.domain });
          }
        },
        expiration: (context) => {
          context.log(`expired with ${stateOf(context)}`);
          const value = { key: context.key, value: "expired" };
          context.emit(elementOf(value, context.window.maxTimestampMs, context.window));
        },
      },
    };
  }

  #addGrouping(id: string, from: string): void {
    const { choice } = this;
    const gapMs = choice.between(2, 20);
    const windowFn = choice.isHit(0.5) ? sessions(gapMs, choice.isHit(0.5)) : UNMERGED;
    const strategy: WindowingStrategy = {
      windowFn,
      trigger: randomTrigger(choice, 2),
      accumulation: choice.of(["discarding", "accumulating"] as const),
      timestampCombiner: choice.of(["end-of-window", "earliest", "latest"] as const),
      allowedLatenessMs: choice.of([0, 10, 100]),
      closingBehavior: choice.of(["emit-always", "emit-if-non-empty"] as const),
      onTimeBehavior: choice.of(["fire-always", "fire-if-non-empty"] as const),
    };
    const input = `${id}/in`;
    this.#builder.stage(input, from);
    this.#behaviours[input] = {
      element: (element, { emit }) => {
        const pair = flat(element);
        const start = element.timestampMs;
        const windows = windowFn.isMerging ? [span(start, start + gapMs)] : element.windows;
        emit({ ...element, value: pair, windows });
      },
    };
    const node: GroupByKeyNode = {
      ...{ kind: "groupByKey", id, input, output: id, strategy },
      keyId: String,
      combiner: choice.isHit(0.5) ? LIST_COMBINER : undefined,
    };
    (this.#builder.nodes as EngineNode[]).push(node);
  }

  #addSideReader(id: string, from: string, other: string): void {
    const { choice } = this;
    const mapWindow = choice.isHit(0.3) ? () => GLOBAL : (main: Window) => main;
    const isTriggered = choice.isHit(0.5);
    const allowedLatenessMs = choice.of([0, 10]);
    this.#builder.stage(id, from, {
      allowedLatenessMs,
      sides: [{ name: "s", from: other, mapWindow, isTriggered, allowedLatenessMs: SIDE_LATENESS_MS }],
    });
    this.#behaviours[id] = {
      element: (element, { engine, emit, log }) => {
        const side = engine.sideInput(id, "s", mapWindow(element.windows[0]!));
        log(`reads ${JSON.stringify(side)}`);
        emit({ ...element, value: flat(element) });
      },
    };
  }

  /** A splittable step: each element in up to three parts, one after the other. */
  #addParts(id: string, from: string): void {
    const waitMs = this.choice.between(0, 10);
    this.#builder.splittable(id, from);
    this.#behaviours[id] = {
      restriction: ({ element, restriction, isTruncated }, context: SplittableContext) => {
        const part = restriction === undefined ? 0 : (restriction.value as number);
        const { key, value } = flat(element);
        context.emit({ ...element, value: { key, value: `${value}/${part}` } });
        if (isTruncated || part >= hash(value, 3)) return;
        const resumeAtMs = context.bundle.processingTimeMs + waitMs;
        const watermarkMs = element.timestampMs;
        context.rest({ element, restriction: part + 1, watermarkState: undefined, watermarkMs, resumeAtMs });
      },
    };
  }

  /** Puts elements into one or two other windows; with two inputs it is their union. */
  #addRewindowed(id: string, from: readonly string[]): void {
    const sizeMs = this.choice.between(5, 30);
    const isDouble = this.choice.isHit(0.5);
    this.#builder.stage(id, from);
    const behaviour: Behaviour = {
      element: (element, { emit }) => {
        const window = fixed(sizeMs)(element.timestampMs);
        const windows = isDouble ? [window, fixed(2 * sizeMs)(element.timestampMs)] : [window];
        emit({ ...element, value: flat(element), windows });
      },
    };
    for (const input of from) this.#behaviours[from.length === 1 ? id : `${id}/${input}`] = behaviour;
  }
}

function flat({ value }: Element): Pair {
  if (typeof value === "string") return { key: "k1", value };
  const { key, value: inner } = value as { key: string; value: unknown };
  if (typeof inner === "string") return { key, value: inner.slice(0, 60) };
  return { key, value: [...(inner as Iterable<unknown>)].join("+").slice(0, 60) };
}

function onElement(element: Element, context: KeyedContext): void {
  const { cells, window } = context;
  const { value } = flat(element);
  context.log(`state ${stateOf(context)}`);
  const kind = hash(value, 8);
  const large = value + (hash(value, 6) === 0 ? LARGE : "");
  cells.bag("value").set([value]);
  if (kind !== 1) cells.bag("bag").append(large);
  else cells.bag("bag").clear();
  const map = cells.multimap("map");
  const mapKey = String(hash(value, 4));
  if (kind === 2) map.remove(mapKey);
  else if (kind === 3) map.clear();
  else map.put(mapKey, mapKey, [large]);
  if (kind === 4) cells.bag("value").clear();
  if (kind === 5 && hash(value, 16) < 8) {
    for (const bag of ["value", "bag"]) cells.bag(bag).clear();
    map.clear();
  }
  const limitMs = Math.min(element.timestampMs + hash(value, 25), window.maxTimestampMs);
  const outputTimestampMs = kind % 2 === 0 ? ("none" as const) : element.timestampMs;
  const tag = String(hash(value, 2));
  if (kind <= 3) context.set("e", Math.max(limitMs, element.timestampMs), { tag, outputTimestampMs });
  else if (kind <= 5) {
    const atMs = context.bundle.processingTimeMs + hash(value, 40);
    context.set("p", atMs, { tag, domain: "processing-time", outputTimestampMs });
  } else if (kind === 6) context.clear("e", tag);
  else context.clear("p", tag);
  context.emit({ ...element, value: flat(element), windows: [window] });
}

function stateOf({ cells }: KeyedContext): string {
  return JSON.stringify([
    cells.bag("value").values(),
    cells.bag("bag").values(),
    [...cells.multimap("map").entries()],
  ]).replaceAll(LARGE, "…");
}

const UNMERGED: WindowingStrategy["windowFn"] = { isMerging: false, merge: () => [] };

interface Span extends Window {
  readonly start: number;
}

function span(start: number, end: number): Span {
  return { id: `${start}/${end}`, maxTimestampMs: end - 1, start };
}

function sessions(_gapMs: number, isOrdered: boolean): WindowingStrategy["windowFn"] {
  return {
    isMerging: true,
    ...(isOrdered ? { startMsOf: (window: Window) => (window as Span).start } : {}),
    merge: (windows) => {
      const sorted = [...(windows as readonly Span[])].sort((a, b) => a.start - b.start);
      const groups: Span[][] = [];
      let endMs = Number.NEGATIVE_INFINITY;
      for (const window of sorted) {
        if (window.start <= endMs) groups.at(-1)!.push(window);
        else groups.push([window]);
        endMs = Math.max(endMs, window.maxTimestampMs);
      }
      return groups
        .filter((from) => from.length > 1)
        .map((from) => {
          const end = Math.max(...from.map(({ maxTimestampMs }) => maxTimestampMs)) + 1;
          return { merged: span(from[0]!.start, end), from };
        });
    },
  };
}

function randomTrigger(choice: Choice, depth: number): TriggerSpec {
  const part = () => randomTrigger(choice, depth - 1);
  const kind = choice.between(0, depth > 0 ? 11 : 5);
  switch (kind) {
    case 0:
      return { kind: "default" };
    case 1:
      return { kind: "after-count", count: choice.between(1, 4) };
    case 2:
      return {
        kind: "after-processing-time",
        transforms: [{ kind: "delay", delayMs: choice.between(0, 30) }],
      };
    case 3:
      return { kind: "after-end-of-window" };
    case 4:
      return { kind: "always" };
    case 5:
      return choice.isHit(0.3) ? { kind: "never" } : { kind: "default" };
    case 6:
      return { kind: "after-end-of-window", early: part(), late: part() };
    case 7:
      return { kind: "repeat", of: part() };
    case 8:
      return { kind: "after-each", of: [part(), part()] };
    case 9:
      return { kind: "after-first", of: [part(), part()] };
    case 10:
      return { kind: "after-all", of: [part(), part()] };
    default:
      return { kind: "or-finally", main: part(), finally: part() };
  }
}
