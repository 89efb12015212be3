/**
 * Property: an engine that is thrown away at random moments and restored from its records does exactly what an
 * undisturbed one does; likewise one whose keys are in a store and leave the memory at random moments. `MILLRACE_SEEDS` says how many seeds, `MILLRACE_SEED` the first: alone, it runs one again.
 */
import { assert } from "chai";
import type { LocalStore } from "../../../../runners/direct/local-store/local-store.js";
import type { ReadPlace } from "../../../../runners/direct/local-store/store-records.js";
import type { Bundle } from "../../../../runners/engine/bundle.js";
import { packDelta, unpackDelta } from "../../../../runners/engine/durable/delta-format.js";
import {
  applyDelta,
  recordKey,
  type StateDelta,
  type StateRecord,
} from "../../../../runners/engine/durable/state-record.js";
import { Engine } from "../../../../runners/engine/engine.js";
import { Choice, chooseSeed } from "../../../support/seeded-choice.js";
import { type TempStore, tempStore } from "../../../support/temp-store.js";
import { FakeHost } from "../core/fake-host.js";
import { jsonCodec } from "./json-codec.js";
import { type RandomGraph, randomGraph } from "./random-durable-graph.js";

const SEEDS_DEFAULT = 100;
const SEEDS_PER_TEST = 100;
const ROUNDS = 12;
const SPARES = 3;
const BUNDLES_MAX = 5_000;

/** What happens to the engine beside its work; an undisturbed one has none. */
interface Disturbance {
  readonly choice: Choice;
  /** Of the moments at which a delta may be taken, and after which the engine may be thrown away. */
  readonly deltaShare: number;
  readonly restoreShare: number;
  /** Has the keys, which leave the memory at some of the commits. */
  readonly store: LocalStore | undefined;
  /** Empty ones, which are made what the store is from a snapshot and deltas, and take its place. */
  readonly spares: LocalStore[];
}

/** What a database would have: a snapshot in pieces, of which later ones are newer, and what has changed since its first. */
class StoredPieces {
  #snapshot: Uint8Array[] = [];
  #deltas: { readonly epoch: number; readonly bytes: Uint8Array }[] = [];
  #unfinished:
    | { readonly epoch: number; readonly pieces: Uint8Array[]; from: ReadPlace | undefined }
    | undefined;

  /** In an epoch, before the store is given its delta. */
  save(store: LocalStore, choice: Choice, epoch: number, delta: StateDelta): void {
    this.#deltas.push({ epoch, bytes: packDelta(delta) });
    if (this.#unfinished === undefined && store.position !== undefined && choice.isHit(0.2)) {
      store.flushNow();
      this.#unfinished = { epoch: store.position.epoch, pieces: [], from: undefined };
    }
    const snapshot = this.#unfinished;
    if (snapshot === undefined) return;
    const { records, next } = store.readOn(snapshot.from, choice.of([100, 1_000, 10_000]));
    snapshot.pieces.push(packDelta({ puts: records, removed: [] }));
    snapshot.from = next;
    if (next !== undefined) return;
    // The last one is the first that is read.
    this.#snapshot = [snapshot.pieces.pop()!, ...snapshot.pieces];
    this.#deltas = this.#deltas.filter((one) => one.epoch > snapshot.epoch);
    this.#unfinished = undefined;
  }

  /** With starts that do not come to their end, and begin once more with what they have written. */
  build(store: LocalStore, choice: Choice, epoch: number): void {
    for (const piece of this.#snapshot) store.change(unpackDelta(piece));
    for (let place = 0; place < this.#deltas.length; place++) {
      store.change(unpackDelta(this.#deltas[place]!.bytes));
      if (choice.isHit(0.2)) store.flushNow();
      if (choice.isHit(0.1)) place = choice.between(0, place + 1) - 1;
    }
    store.apply({ puts: [], removed: [] }, { runId: "test", epoch });
    this.#unfinished = undefined;
  }
}

class DurableRun {
  readonly lines: string[] = [];
  restores = 0;
  readonly #choice: Choice;
  readonly #random: RandomGraph;
  readonly #disturbance: Disturbance | undefined;
  readonly #records = new Map<string, Uint8Array>();
  readonly #pieces = new StoredPieces();
  #store: LocalStore | undefined;
  #engine: Engine;
  #host: FakeHost;
  #isDraining = false;
  #epoch = 0;
  #nowMs = 0;

  constructor(seed: number, disturbance: Disturbance | undefined) {
    this.#choice = new Choice(seed);
    this.#random = randomGraph(this.#choice);
    this.#disturbance = disturbance;
    this.#store = disturbance?.store;
    [this.#engine, this.#host] = this.#start();
  }

  run(): readonly string[] {
    for (let round = 0; round < ROUNDS; round++) {
      this.#work();
      this.#nowMs += this.#choice.between(1, 15);
      this.#engine.advanceProcessingTime(this.#nowMs);
      this.#maybeCut(undefined);
    }
    this.#isDraining = true;
    this.#engine.drain();
    this.#work();
    this.#note(`done: ${this.#engine.isDone}, wakes up at ${this.#engine.nextWakeUpMs}`);
    this.#note(JSON.stringify([...this.#engine.counters].sort()));
    return this.lines;
  }

  #work(): void {
    for (let count = 0; count < BUNDLES_MAX; count++) {
      const limits = { elementsMax: this.#choice.between(1, 5), restrictionsMax: this.#choice.between(1, 3) };
      let bundle = this.#engine.nextBundle(limits);
      if (bundle === undefined) return;
      if (this.#maybeCut(bundle)) {
        bundle = this.#engine.nextBundle(limits);
        assert.isDefined(bundle, "what was in flight is given out again");
      }
      this.#engine.apply(bundle!, this.#host.run(bundle!));
      this.#takeLines();
      for (const id of this.#collections()) this.#note(`${id} ${this.#engine.watermark(id)}`);
      this.#maybeCut(undefined);
    }
    assert.fail(`more than ${BUNDLES_MAX} bundles`);
  }

  /** True if another engine goes on from here. */
  #maybeCut(inFlight: Bundle | undefined): boolean {
    if (this.#disturbance === undefined) return false;
    const { choice, deltaShare, restoreShare } = this.#disturbance;
    if (!choice.isHit(deltaShare)) return false;
    this.#save(choice.isHit(0.15));
    if (!choice.isHit(restoreShare)) return false;
    this.restores++;
    const timeMs = this.#engine.processingTimeMs;
    const isScripted = this.#random.graph.nodes.some(({ kind }) => kind === "testStream");
    [this.#engine, this.#host] = this.#start(isScripted ? 0 : timeMs);
    assert.equal(this.#engine.processingTimeMs, timeMs, "processing time");
    if (this.#isDraining) this.#engine.drain();
    return inFlight !== undefined;
  }

  #save(isSnapshot: boolean): void {
    const durable = this.#engine.durable!;
    const { choice } = this.#disturbance!;
    const store = this.#store;
    if (store !== undefined) {
      const delta = durable.takeDelta();
      applyDelta(this.#records, unpackDelta(packDelta(delta)));
      // As where a snapshot begins.
      if (choice.isHit(0.3)) store.flushNow();
      this.#epoch++;
      this.#pieces.save(store, choice, this.#epoch, delta);
      store.apply(delta, { runId: "test", epoch: this.#epoch });
      if (choice.isHit(0.5)) store.flushNow();
      if (choice.isHit(0.7)) durable.release(choice.of([0, 0, 2_000]));
      return;
    }
    if (isSnapshot) {
      this.#records.clear();
      for (const { key, value } of durable.takeSnapshot()) this.#records.set(key, value);
      return;
    }
    const { hasChanges } = durable;
    const delta = durable.takeDelta();
    const soft = /^(watermark|stage|input|group-times|grouping|engine|side-lag|test-stream|keyed) /;
    const isOther = ({ key, value }: StateRecord) => {
      const before = this.#records.get(key);
      return before === undefined || !Buffer.from(value).equals(before);
    };
    const hard = [...delta.puts.filter(isOther).map(({ key }) => key), ...delta.removed].filter(
      (key) => !soft.test(key) && key !== recordKey("counters", ""),
    );
    if (!hasChanges) assert.deepEqual(hard, [], "records changed unnoticed");
    applyDelta(this.#records, delta);
    this.#checkAgainstSnapshot();
  }

  /** What deltas have made of the records is what a snapshot of everything says, chunks apart. */
  #checkAgainstSnapshot(): void {
    const isChunk = (key: string) => /^(group-values|group-key|key-bag|key-map|blocked|side) /.test(key);
    const keys = (all: Iterable<string>) => [...all].filter((key) => !isChunk(key)).sort();
    const restored = this.#engineOf(
      [...this.#records].map(([key, value]) => ({ key, value })),
      this.#nowMs,
    );
    const snapshot = restored.durable!.takeSnapshot();
    assert.deepEqual(keys(snapshot.map(({ key }) => key)), keys(this.#records.keys()), "keys of records");
  }

  #start(processingTimeMs = 0): [Engine, FakeHost] {
    const records = [...this.#records].map(([key, value]) => ({ key, value }));
    const { choice, spares } = this.#disturbance ?? {};
    if (spares !== undefined && spares.length > 0 && this.#epoch > 0 && choice!.isHit(0.3)) {
      this.#store = spares.pop()!;
      this.#pieces.build(this.#store, choice!, this.#epoch);
    }
    const store = this.#store;
    store?.flushNow();
    if (store !== undefined) this.#checkStore(store);
    const restored = store === undefined ? records : [...store.restored()];
    const engine = this.#engineOf(
      choice === undefined ? restored : choice.shuffled(restored),
      processingTimeMs,
    );
    const outputs = new Map<string, readonly string[]>();
    for (const node of this.#random.graph.nodes)
      if (node.kind === "stage") outputs.set(node.id, node.outputs);
    return [engine, new FakeHost(engine, this.#random.behaviours, outputs)];
  }

  #engineOf(restored: { key: string; value: Uint8Array }[], processingTimeMs: number): Engine {
    const cold = this.#store;
    const durable = this.#disturbance && { codec: jsonCodec(), restored, cold };
    return new Engine(this.#random.graph, { processingTimeMs, durable });
  }

  /** It has exactly the records that the deltas have made. */
  #checkStore(store: LocalStore): void {
    const { records, next } = store.readOn(undefined, Number.POSITIVE_INFINITY);
    assert.isUndefined(next);
    const text = ([key, value]: readonly [string, Uint8Array]) =>
      `${key} ${Buffer.from(value).toString("hex")}`;
    const found = records.map(({ key, value }) => text([key, value])).sort();
    assert.deepEqual(found, Array.from(this.#records, text).sort(), "records in the store");
  }

  #collections(): string[] {
    return this.#random.graph.nodes.flatMap((node) =>
      node.kind === "stage" ? node.outputs : node.kind === "testStream" ? [] : [node.output],
    );
  }

  #takeLines(): void {
    this.lines.push(...this.#host.lines.splice(0));
  }

  #note(line: string): void {
    this.lines.push(line);
  }
}

async function checkSeed(seed: number, hasStore: boolean): Promise<number> {
  const expected = new DurableRun(seed, undefined).run();
  const choice = new Choice(~seed);
  const temp = hasStore ? await tempStore() : undefined;
  const spares: TempStore[] = [];
  while (hasStore && spares.length < SPARES) spares.push(await tempStore());
  const disturbance = {
    choice,
    deltaShare: choice.of([0.1, 0.5, 1]),
    restoreShare: choice.of([0.1, 0.5, 1]),
    store: temp?.store,
    spares: spares.map(({ store }) => store),
  };
  try {
    const disturbed = new DurableRun(seed, disturbance);
    const actual = disturbed.run();
    const differs = expected.findIndex((line, place) => actual[place] !== line);
    const around = (lines: readonly string[]) =>
      lines.slice(Math.max(0, differs - 5), differs + 3).join("\n");
    if (differs >= 0) assert.fail(`expected\n${around(expected)}\ngot\n${around(actual)}`);
    assert.lengthOf(actual, expected.length, "lines");
    return disturbed.restores;
  } catch (error) {
    throw new Error(`MILLRACE_SEED=${seed} fails: ${(error as Error).message}`, { cause: error });
  } finally {
    for (const one of [temp, ...spares]) await one?.remove();
  }
}

describe("Engine: restored from its records (property)", function () {
  this.timeout(240_000);
  const isOne = (process.env["MILLRACE_SEED"] ?? "") !== "";
  const count = Number(process.env["MILLRACE_SEEDS"] ?? (isOne ? 1 : SEEDS_DEFAULT));
  const first = chooseSeed();

  for (const hasStore of [false, true]) {
    for (let from = 0; from < count; from += SEEDS_PER_TEST) {
      const until = Math.min(count, from + SEEDS_PER_TEST);
      const where = hasStore ? ", keys in a store" : "";
      it(`does what an undisturbed one does${where}, seeds ${first + from} to ${first + until - 1}`, async () => {
        let restores = 0;
        for (let seed = first + from; seed < first + until; seed++)
          restores += await checkSeed(seed, hasStore);
        if (until - from > 10) assert.isAbove(restores, 0, "engines restored");
      });
    }
  }
});
