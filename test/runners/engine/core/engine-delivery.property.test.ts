/** Random graphs, inputs and bundles: each element comes once to each consumer, and time does not go back. */
import { assert } from "chai";
import fc from "fast-check";
import { Engine } from "../../../../runners/engine/engine.js";
import type { EngineGraph } from "../../../../runners/engine/engine-graph.js";
import { checkProperty } from "../../../support/check-property.js";
import { Choice } from "../../../support/seeded-choice.js";
import { type Behaviour, elementOf, FakeHost } from "./fake-host.js";
import { fixed, GraphBuilder } from "./graph-builder.js";

const KEYS = 3;
const ROUNDS = 6;

/** Nodes of any kind behind one to three sources, each reading one or two earlier PCollections. */
function randomGraph(choice: Choice): EngineGraph {
  const builder = new GraphBuilder();
  const made: string[] = [];
  for (let place = 0; place < choice.between(1, 3); place++) {
    builder.source(`In${place}`);
    made.push(`In${place}`);
  }
  for (let place = 0; place < choice.between(1, 8); place++) {
    const id = `N${place}`;
    const from = choice.of(made);
    const other = choice.of(made);
    const kind = choice.between(0, 5);
    if (kind === 0) builder.redistribute(id, from);
    else if (kind === 1) builder.keyed(id, from, { allowedLatenessMs: 1e9 });
    else if (kind === 2) builder.keyed(id, from, { isTimeSorted: true, allowedLatenessMs: 1e9 });
    else if (kind === 3)
      builder.stage(id, from, { sides: [{ name: "s", from: other, allowedLatenessMs: 1e9 }] });
    else if (kind === 4 && from !== other) builder.stage(id, [from, other]);
    else builder.stage(id, from);
    made.push(id);
  }
  return builder.graph;
}

/** What each PCollection holds in the end, by the graph alone. */
function expectedContents(graph: EngineGraph, sources: ReadonlyMap<string, readonly string[]>) {
  const contents = new Map<string, readonly string[]>(sources);
  for (const node of graph.nodes) {
    if (node.kind === "redistribute") contents.set(node.output, contents.get(node.input)!);
    if (node.kind !== "stage" || contents.has(node.id)) continue;
    contents.set(
      node.id,
      node.roots.flatMap(({ input }) => contents.get(input)!),
    );
  }
  return contents;
}

class RandomRun {
  readonly #choice: Choice;
  readonly #graph: EngineGraph;
  readonly #engine: Engine;
  readonly #host: FakeHost;
  readonly #emitted = new Map<string, string[]>();
  /** What each root was given. */
  readonly #seen = new Map<string, string[]>();
  readonly #watermarks = new Map<string, number>();
  #elements = 0;
  #fired = 0;
  #set = 0;

  constructor(seed: number) {
    this.#choice = new Choice(seed);
    this.#graph = randomGraph(this.#choice);
    this.#engine = new Engine(this.#graph, { processingTimeMs: 0 });
    const behaviours: Record<string, Behaviour> = {};
    const outputs = new Map<string, readonly string[]>();
    for (const node of this.#graph.nodes) {
      if (node.kind !== "stage") continue;
      outputs.set(node.id, node.outputs);
      for (const { id } of node.roots) {
        this.#seen.set(id, []);
        behaviours[id] = node.id.startsWith("In") ? this.#source(id) : this.#step(id);
      }
    }
    this.#host = new FakeHost(this.#engine, behaviours, outputs);
  }

  check(): void {
    for (let round = 0; round < ROUNDS; round++) {
      this.#settle();
      this.#engine.advanceProcessingTime((round + 1) * 10);
      for (const id of this.#emitted.keys()) if (this.#choice.isHit(0.7)) this.#engine.resume(id, id);
    }
    this.#engine.drain();
    this.#settle();
    assert.isTrue(this.#engine.isDone);
    assert.equal(this.#fired, this.#set);
    const contents = expectedContents(this.#graph, this.#emitted);
    for (const node of this.#graph.nodes) {
      if (node.kind !== "stage" || node.id.startsWith("In")) continue;
      for (const { id, input } of node.roots) {
        assert.deepEqual(this.#seen.get(id)!.sort(), [...contents.get(input)!].sort(), `elements of ${id}`);
      }
    }
  }

  #settle(): void {
    for (;;) {
      const bundle = this.#engine.nextBundle({ elementsMax: this.#choice.between(1, 5) });
      if (bundle === undefined) return;
      this.#engine.apply(bundle, this.#host.run(bundle));
      for (const node of this.#graph.nodes) {
        if ("output" in node) this.#checkWatermark(node.output);
        else if (node.kind === "stage") for (const id of node.outputs) this.#checkWatermark(id);
      }
    }
  }

  #checkWatermark(id: string): void {
    const watermarkMs = this.#engine.watermark(id);
    assert.isAtLeast(watermarkMs, this.#watermarks.get(id) ?? watermarkMs, `watermark of ${id}`);
    this.#watermarks.set(id, watermarkMs);
  }

  /** Emits a few elements a round, some behind its watermark. */
  #source(id: string): Behaviour {
    const choice = this.#choice;
    const emitted: string[] = [];
    this.#emitted.set(id, emitted);
    let watermarkMs = 0;
    return {
      isSilent: true,
      restriction: ({ element, isTruncated }, { emit, rest }) => {
        for (let count = choice.between(0, 6); count > 0; count--) {
          const timestampMs = watermarkMs + choice.between(-5, 30);
          const value = { key: `k${choice.between(1, KEYS)}`, value: `e${this.#elements++}` };
          emitted.push(value.value);
          emit(elementOf(value, timestampMs, fixed(20)(timestampMs)));
        }
        watermarkMs += choice.between(0, 15);
        const resumeAtMs = choice.isHit(0.5) ? Number.POSITIVE_INFINITY : choice.between(0, 60);
        if (!isTruncated) rest({ element, restriction: 0, watermarkState: 0, watermarkMs, resumeAtMs });
      },
    };
  }

  /** Hands on what it gets; a keyed one sets a timer of its own for some elements. */
  #step(id: string): Behaviour {
    const seen = this.#seen.get(id)!;
    const note = (value: unknown) => seen.push((value as { value: string }).value);
    return {
      isSilent: true,
      element: (element, { emit }) => {
        note(element.value);
        emit(element);
      },
      keyed: {
        element: (element, { emit, set }) => {
          note(element.value);
          emit(element);
          if (!this.#choice.isHit(0.5)) return;
          this.#set++;
          const tag = String(this.#set);
          if (this.#choice.isHit(0.5))
            set("e", element.timestampMs + 3, { tag, outputTimestampMs: element.timestampMs });
          else set("p", 55, { tag, domain: "processing-time", outputTimestampMs: element.timestampMs });
        },
        timer: () => {
          this.#fired++;
        },
      },
    };
  }
}

describe("Engine: delivery (property)", () => {
  it("gives every element once to each consumer, and no watermark goes back", () => {
    checkProperty(
      fc.property(fc.integer(), (seed) => new RandomRun(seed).check()),
      500,
    );
  });
});
