/** The graph that an engine runs: nodes between PCollections, everything of the proto already resolved. */
import type { Window } from "./element.js";
import type { GroupCombiner } from "./group-combiner.js";
import type { WindowingStrategy } from "./windowing-strategy.js";

export interface EngineGraph {
  /** Producers before consumers. Ids of nodes and PCollections are unique and stable. */
  readonly nodes: readonly EngineNode[];
}

export type EngineNode = ImpulseNode | StageNode | GroupByKeyNode | RedistributeNode | TestStreamNode;

/** One empty element at the minimum timestamp in the global window, once. */
export interface ImpulseNode {
  readonly kind: "impulse";
  readonly id: string;
  readonly output: string;
  /** The impulse's element: value and window. */
  readonly element: { readonly value: unknown; readonly window: Window };
}

/** A fused stage; its bundles are run by the host. */
export interface StageNode {
  readonly kind: "stage";
  readonly id: string;
  readonly roots: readonly StageRoot[];
  /** PCollections that others read. */
  readonly outputs: readonly string[];
}

/** Where elements enter a stage. */
export interface StageRoot {
  /** Unique in the stage: the step's path, or the PCollection's id. */
  readonly id: string;
  readonly input: string;
  readonly kind: "elements" | "keyed" | "splittable";
  readonly sideInputs: readonly SideInput[];
  /** Of the input: side inputs are kept for elements that come so late. As that of a stateful step, or 0, unless given. */
  readonly allowedLatenessMs?: number;
  /** Of a stateful step. */
  readonly keyed?: KeyedRoot;
}

export interface KeyedRoot {
  /** The canonical form of an element's key: equal exactly where the keys' encodings are. */
  keyOf(value: unknown): string;
  /** A window's state and timers are gone when the watermark is more than this behind its end. */
  readonly allowedLatenessMs: number;
  readonly hasExpirationCallback: boolean;
  /** Elements of a key are held until the watermark (minus nothing) passes them, and come in order of time. */
  readonly isTimeSorted: boolean;
}

/** A PCollection whose contents for a window must be there before an element of that window runs. */
export interface SideInput {
  /** Path of the reading step, and the local name of the input there. */
  readonly step: string;
  readonly name: string;
  readonly collection: string;
  /** From a main window to the side input's. */
  mapWindow(main: Window): Window;
  /** Its trigger may fire before the window's end: it is ready with its first element, also before the watermark. */
  readonly isTriggered: boolean;
  /** Of the PCollection. */
  readonly allowedLatenessMs: number;
}

/** Groups `{ key, value }` by key and window; emits `{ key, value: Iterable }` panes, or `{ key, value: accumulator }`. */
export interface GroupByKeyNode {
  readonly kind: "groupByKey";
  readonly id: string;
  readonly input: string;
  readonly output: string;
  readonly strategy: WindowingStrategy;
  /** Given where values are combined as they come. */
  readonly combiner?: GroupCombiner | undefined;
  /** The canonical form of a key: equal exactly where the keys' encodings are. */
  keyId(key: unknown): string;
}

/** Reshuffle: hands its input on; nothing is fused across it. */
export interface RedistributeNode {
  readonly kind: "redistribute";
  readonly id: string;
  readonly input: string;
  readonly output: string;
}

/** A source that tests script. One a graph; processing time is then the script's, not the clock's. */
export interface TestStreamNode {
  readonly kind: "testStream";
  readonly id: string;
  /** PCollections by tag. */
  readonly outputs: ReadonlyMap<string, string>;
  readonly events: readonly TestStreamEvent[];
}

export type TestStreamEvent =
  | {
      readonly kind: "elements";
      readonly tag: string;
      readonly elements: readonly {
        readonly value: unknown;
        readonly timestampMs: number;
        readonly window: Window;
      }[];
    }
  | { readonly kind: "watermark"; readonly tag: string; readonly watermarkMs: number }
  | { readonly kind: "processing-time"; readonly advanceMs: number };
