/** Builds engine graphs for tests: each node makes a PCollection of its own name. */
import type { Window } from "../../../../runners/engine/element.js";
import type {
  EngineGraph,
  EngineNode,
  KeyedRoot,
  SideInput,
  StageRoot,
  TestStreamEvent,
} from "../../../../runners/engine/engine-graph.js";
import { GLOBAL_WINDOW_END_MS } from "../../../../runners/engine/window-expiry.js";

export const GLOBAL: Window = { id: "global", maxTimestampMs: GLOBAL_WINDOW_END_MS };

/** The window [n·size, (n+1)·size) of a time. */
export function fixed(sizeMs: number): (timestampMs: number) => Window {
  return (timestampMs) => {
    const start = Math.floor(timestampMs / sizeMs) * sizeMs;
    return { id: `[${start},${start + sizeMs})`, maxTimestampMs: start + sizeMs - 1 };
  };
}

/** Makes `values` from `key:value` texts too. */
export function parseValue(text: string): unknown {
  const colon = text.indexOf(":");
  return colon < 0 ? text : { key: text.slice(0, colon), value: text.slice(colon + 1) };
}

export function keyOf(value: unknown): string {
  return (value as { key: string }).key;
}

export interface SideOptions {
  readonly name: string;
  readonly from: string;
  readonly mapWindow?: (main: Window) => Window;
  readonly isTriggered?: boolean;
  readonly allowedLatenessMs?: number;
}

export interface StageOptions {
  readonly sides?: readonly SideOptions[];
  /** Of the input. */
  readonly allowedLatenessMs?: number;
  readonly outputs?: readonly string[];
}

export class GraphBuilder {
  readonly nodes: EngineNode[] = [];

  get graph(): EngineGraph {
    return { nodes: this.nodes };
  }

  /** A source whose elements and watermarks the test says. */
  source(id: string): this {
    return this.impulse(`${id}/impulse`).splittable(id, `${id}/impulse`);
  }

  impulse(id: string): this {
    this.nodes.push({ kind: "impulse", id, output: id, element: { value: "impulse", window: GLOBAL } });
    return this;
  }

  splittable(id: string, from: string, options: StageOptions = {}): this {
    return this.#stage(
      id,
      [{ id, input: from, kind: "splittable", sideInputs: sides(id, options) }],
      options,
    );
  }

  /** A stage with a root for each PCollection. */
  stage(id: string, from: string | readonly string[], options: StageOptions = {}): this {
    const inputs = typeof from === "string" ? [from] : from;
    const roots = inputs.map((input) => ({
      id: inputs.length === 1 ? id : `${id}/${input}`,
      input,
      kind: "elements" as const,
      sideInputs: sides(id, options),
      allowedLatenessMs: options.allowedLatenessMs ?? 0,
    }));
    return this.#stage(id, roots, options);
  }

  keyed(id: string, from: string, keyed: Partial<KeyedRoot> = {}, options: StageOptions = {}): this {
    const spec = {
      keyOf,
      allowedLatenessMs: 0,
      hasExpirationCallback: false,
      isTimeSorted: false,
      ...keyed,
    };
    return this.#stage(
      id,
      [{ id, input: from, kind: "keyed", sideInputs: sides(id, options), keyed: spec }],
      options,
    );
  }

  redistribute(id: string, from: string): this {
    this.nodes.push({ kind: "redistribute", id, input: from, output: id });
    return this;
  }

  groupByKey(id: string, from: string): this {
    this.nodes.push({
      kind: "groupByKey",
      id,
      input: from,
      output: id,
      keyId: String,
      strategy: {
        windowFn: { isMerging: false, merge: () => [] },
        trigger: { kind: "default" },
        accumulation: "discarding",
        timestampCombiner: "end-of-window",
        allowedLatenessMs: 0,
        closingBehavior: "emit-if-non-empty",
        onTimeBehavior: "fire-always",
      },
    });
    return this;
  }

  /** Its PCollections have the names of their tags. */
  testStream(id: string, tags: readonly string[], events: readonly TestStreamEvent[]): this {
    this.nodes.push({ kind: "testStream", id, outputs: new Map(tags.map((tag) => [tag, tag])), events });
    return this;
  }

  #stage(id: string, roots: readonly StageRoot[], { outputs }: StageOptions): this {
    this.nodes.push({ kind: "stage", id, roots, outputs: outputs ?? [id] });
    return this;
  }
}

function sides(step: string, { sides = [] }: StageOptions): SideInput[] {
  return sides.map(({ name, from, ...options }) => ({
    step,
    name,
    collection: from,
    mapWindow: (main) => main,
    isTriggered: false,
    allowedLatenessMs: 0,
    ...options,
  }));
}
