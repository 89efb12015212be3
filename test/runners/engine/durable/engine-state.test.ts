/** What of an engine's state is kept, case by case: restrictions, drains, graphs that have changed. */
import { expect } from "chai";
import type { BundleResult, Residual } from "../../../../runners/engine/bundle.js";
import { applyDelta } from "../../../../runners/engine/durable/state-record.js";
import { Engine } from "../../../../runners/engine/engine.js";
import type { EngineGraph } from "../../../../runners/engine/engine-graph.js";
import { GraphBuilder } from "../core/graph-builder.js";
import { jsonCodec } from "./json-codec.js";

const GRAPH = new GraphBuilder().source("In").keyed("Keep", "In").graph;

/** An engine that may be restored any number of times. */
class Restorable {
  readonly records = new Map<string, Uint8Array>();
  engine: Engine;

  constructor(
    readonly graph: EngineGraph = GRAPH,
    readonly restoring: readonly string[] = [],
  ) {
    this.engine = this.#start(graph);
  }

  save(): void {
    applyDelta(this.records, this.engine.durable!.takeDelta());
  }

  restore(graph = this.graph): Engine {
    this.save();
    this.engine = this.#start(graph);
    return this.engine;
  }

  /** Runs the next bundle, which is one of restrictions; tells what it was given. */
  poll(left: Partial<Residual> | undefined): unknown {
    const bundle = this.engine.nextBundle()!;
    const [input] = bundle.inputs;
    if (input?.kind !== "restrictions") throw new Error(`expected restrictions, got ${input?.kind}`);
    const { element, restriction } = input.work[0]!;
    const rest = {
      ...{ root: "In", element, restriction: 0, watermarkState: null },
      ...{ watermarkMs: 0, resumeAtMs: 0 },
      ...left,
    };
    const result: BundleResult = {
      outputs: new Map(),
      timers: [],
      residuals: left === undefined ? [] : [rest],
    };
    this.engine.apply(bundle, result);
    return restriction?.value;
  }

  #start(graph: EngineGraph): Engine {
    const restored = Array.from(this.records, ([key, value]) => ({ key, value }));
    return new Engine(graph, {
      processingTimeMs: 0,
      durable: { codec: jsonCodec(this.restoring), restored },
    });
  }
}

describe("Engine.durable", () => {
  it("is not there unless asked for", () => {
    expect(new Engine(GRAPH, { processingTimeMs: 0 }).durable).to.equal(undefined);
  });

  it("keeps a residual with its restriction, and the impulse is not given again", () => {
    const run = new Restorable();
    run.poll({ restriction: 7 });
    run.restore();
    expect(run.poll(undefined)).to.equal(7);
    expect(run.engine.nextBundle()).to.equal(undefined);
  });

  it("lets a residual go on at once that waited for somebody who is gone", () => {
    const run = new Restorable();
    run.poll({ restriction: 7, resumeAtMs: Number.POSITIVE_INFINITY });
    expect(run.engine.nextBundle()).to.equal(undefined);
    run.restore();
    expect(run.poll(undefined)).to.equal(7);
  });

  it("begins anew with the element of a step that restores its position, once for all its residuals", () => {
    const run = new Restorable(GRAPH, ["In"]);
    run.poll({ restriction: 7, watermarkMs: 50 });
    run.restore();
    expect(run.engine.watermark("In")).to.equal(50);
    expect(run.poll({ restriction: 8, watermarkMs: 40 })).to.equal(undefined);
    expect(run.engine.watermark("In")).to.equal(50);
  });

  it("has no changes where such a step only polls, nor where only watermarks move", () => {
    const run = new Restorable(GRAPH, ["In"]);
    run.poll({ restriction: 7 });
    run.save();
    run.poll({ restriction: 8, watermarkMs: 10 });
    expect(run.engine.durable!.hasChanges).to.equal(false);
    run.poll(undefined);
    expect(run.engine.durable!.hasChanges).to.equal(true);
  });

  it("counts begun restrictions that are not done, also those of an earlier process", () => {
    const run = new Restorable();
    expect([...run.engine.rests]).to.deep.equal([["In", 0]]);
    run.poll({ restriction: 7 });
    run.restore();
    expect([...run.engine.rests]).to.deep.equal([["In", 1]]);
  });

  it("knows that it was drained to its end, and not that it was only told to", () => {
    const run = new Restorable();
    run.poll({ restriction: 7 });
    run.engine.drain();
    expect(run.restore().isDrained).to.equal(false);
    run.engine.drain();
    run.poll(undefined);
    expect(run.engine.isDone).to.equal(true);
    expect(run.restore().isDrained).to.equal(true);
  });

  it("refuses the state of a step that the graph does not have, naming it", () => {
    const run = new Restorable();
    run.poll({ restriction: 7 });
    const other = new GraphBuilder().source("In").keyed("Kept", "In").graph;
    expect(() => run.restore(other))
      .to.throw(/^state was kept of "Keep" \(watermark\), which the graph does not have/)
      .with.property("code", "MILLRACE_STATE_OF_OTHERS");
  });

  it("refuses records of a malformed key", () => {
    const run = new Restorable();
    run.records.set("timer 9:short", new Uint8Array());
    expect(() => run.restore()).to.throw("state has a record of a malformed key: timer 9:short");
  });
});
