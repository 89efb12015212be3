/** Builds the nodes of an engine from its graph. */
import { Collection } from "./collection.js";
import type { Counters } from "./counters.js";
import type { Durable, DurableParts } from "./durable/durable-parts.js";
import { KeySlotRecords } from "./durable/key-slot-records.js";
import type { RestoredState } from "./durable/restored-state.js";
import { createRestrictionRecords } from "./durable/restriction-records.js";
import { RootInputRecords } from "./durable/root-input-records.js";
import { SideRecords } from "./durable/side-records.js";
import { StateWriter } from "./durable/state-bytes.js";
import type { StateLog } from "./durable/state-log.js";
import { recordKey } from "./durable/state-record.js";
import { ElementsRoot } from "./elements-root.js";
import type { EngineGraph, EngineNode, GroupByKeyNode, StageNode, StageRoot } from "./engine-graph.js";
import type { GroupByKeyOperator } from "./group-by-key-operator.js";
import { GroupByKeyState } from "./group-by-key-state.js";
import { ImpulseState, RedistributeState } from "./instant-nodes.js";
import { KeyedRootState } from "./keyed-root.js";
import type { NodeState } from "./node-state.js";
import type { ProcessingTime } from "./processing-time.js";
import { RootInput } from "./root-input.js";
import type { RootState } from "./root-state.js";
import { SideContents } from "./side-contents.js";
import { SideInputGate } from "./side-input-gate.js";
import { SideInputReader } from "./side-input-reader.js";
import { SplittableRoot } from "./splittable-root.js";
import { StageState } from "./stage-state.js";
import type { StateStore } from "./state-store.js";
import { TestStreamPlayer } from "./test-stream-player.js";
import { Watermark } from "./watermark.js";

/** What all nodes share. */
export interface NodeParts {
  readonly time: ProcessingTime;
  readonly state: StateStore;
  readonly counters: Counters;
  readonly createGroupByKey: (node: GroupByKeyNode, durable: DurableParts | undefined) => GroupByKeyOperator;
  /** Undefined: nothing is recorded. */
  readonly durable: DurableParts | undefined;
}

const WATERMARK = "watermark";

export class EngineNodes implements Durable {
  /** Producers before consumers. */
  readonly all: NodeState[] = [];
  readonly stages: StageState[] = [];
  readonly stagesById = new Map<string, StageState>();
  readonly collections = new Map<string, Collection>();
  testStream: TestStreamPlayer | undefined;
  readonly #parts: NodeParts;
  readonly #ids = new Set<string>();
  /** Contents of side inputs by collection. */
  readonly #contents = new Map<string, SideContents>();
  /** By collection. */
  readonly #readers = new Map<string, SideInputReader[]>();
  /** By step and name. */
  readonly #readersByName = new Map<string, SideInputReader>();

  /** @throws when the graph is not one: two producers or none, consumers before producers, ids that are not unique */
  constructor(graph: EngineGraph, parts: NodeParts) {
    this.#parts = parts;
    this.#addContents(graph);
    for (const node of graph.nodes) {
      if (this.#ids.has(node.id)) throw new Error(`two nodes have the id ${node.id}`);
      this.#ids.add(node.id);
      this.all.push(this.#create(node));
    }
  }

  /** @throws when the step has no such side input */
  sideInput(step: string, name: string): SideInputReader {
    const reader = this.#readersByName.get(nameOf(step, name));
    if (reader === undefined) throw new Error(`step ${step} has no side input ${name}`);
    return reader;
  }

  collectGarbage(): void {
    for (const contents of this.#contents.values()) contents.collectGarbage();
  }

  writeState(log: StateLog): void {
    for (const { id, watermark } of this.collections.values()) {
      log.putSmall(recordKey(WATERMARK, id), new StateWriter().time(watermark.ms).finish());
    }
    for (const contents of this.#contents.values()) contents.writeState(log);
    for (const reader of this.#readersByName.values()) reader.writeState(log);
    for (const node of this.all) node.writeState?.(log);
  }

  restoreState(restored: RestoredState): void {
    for (const { id, watermark } of this.collections.values()) {
      const input = restored.takeOne(WATERMARK, id);
      if (input !== undefined) watermark.restore(input.time());
    }
    for (const contents of this.#contents.values()) contents.restoreState(restored);
    for (const reader of this.#readersByName.values()) reader.restoreState(restored);
    for (const node of this.all) node.restoreState?.(restored);
  }

  /** The elements of a PCollection that is a side input are kept from the first one on. */
  #addContents({ nodes }: EngineGraph): void {
    const roots = nodes.flatMap((node) => (node.kind === "stage" ? node.roots : []));
    for (const { collection } of roots.flatMap((root) => root.sideInputs)) {
      if (this.#contents.has(collection)) continue;
      const readers: SideInputReader[] = [];
      this.#readers.set(collection, readers);
      const isGone: ConstructorParameters<typeof SideContents>[0] = (window) =>
        readers.every((reader) => reader.isGone(window));
      const { durable } = this.#parts;
      const records = durable && new SideRecords(collection, durable);
      this.#contents.set(collection, new SideContents(isGone, records));
    }
  }

  #create(node: EngineNode): NodeState {
    switch (node.kind) {
      case "impulse":
        return new ImpulseState(node, this.#produce(node.id, node.output), this.#parts.durable?.changes);
      case "redistribute":
        return new RedistributeState(
          node.id,
          this.#read(node.id, node.input),
          this.#produce(node.id, node.output),
        );
      case "groupByKey":
        return new GroupByKeyState(node.id, {
          ...this.#parts,
          operator: this.#parts.createGroupByKey(node, this.#parts.durable),
          input: this.#read(node.id, node.input),
          output: this.#produce(node.id, node.output),
        });
      case "testStream": {
        if (this.testStream !== undefined) {
          throw new Error(
            `a graph can have one test stream, but ${this.testStream.id} and ${node.id} are two`,
          );
        }
        const outputs = [...node.outputs].map(
          ([tag, output]) => [tag, this.#produce(node.id, output)] as const,
        );
        const { time, durable } = this.#parts;
        this.testStream = new TestStreamPlayer(node, new Map(outputs), time, durable?.changes);
        return this.testStream;
      }
      case "stage":
        return this.#createStage(node);
    }
  }

  #createStage(node: StageNode): StageState {
    const watermark = new Watermark(`the output of stage ${node.id}`);
    const roots = node.roots.map((root) => this.#createRoot(node.id, root, watermark));
    const outputs = node.outputs.map((output) => this.#produce(node.id, output));
    const stage = new StageState(node.id, roots, outputs, watermark);
    this.stages.push(stage);
    this.stagesById.set(node.id, stage);
    return stage;
  }

  #createRoot(stage: string, root: StageRoot, stageWatermark: Watermark): RootState {
    const readers = root.sideInputs.map((spec) => this.#createReader(root, spec, stageWatermark));
    const { state, counters, time, durable } = this.#parts;
    const waiting = durable && new RootInputRecords(`${stage}\t${root.id}`, root.input, durable);
    const gate = readers.length > 0 ? new SideInputGate(readers, waiting) : undefined;
    const input = new RootInput(root, this.#read(root.id, root.input), gate, counters, waiting);
    if (root.kind === "elements") return new ElementsRoot(root.id, input);
    if (root.kind === "splittable") {
      const records = durable && createRestrictionRecords(root.id, root.input, durable);
      return new SplittableRoot(root.id, input, stageWatermark, time, records);
    }
    const spec = root.keyed;
    if (spec === undefined) throw new Error(`root ${root.id} is keyed, but does not say how`);
    const records =
      durable && new KeySlotRecords(root.id, root.input, spec.hasExpirationCallback ?? false, durable);
    return new KeyedRootState(root.id, { spec, input, state, stageWatermark, time, records });
  }

  #createReader(
    root: StageRoot,
    spec: StageRoot["sideInputs"][number],
    stageWatermark: Watermark,
  ): SideInputReader {
    const collection = this.#read(root.id, spec.collection);
    const contents = this.#contents.get(spec.collection)!;
    const latenessMs = root.allowedLatenessMs ?? root.keyed?.allowedLatenessMs ?? 0;
    const reader = new SideInputReader(spec, contents, collection, stageWatermark, latenessMs);
    this.#readers.get(spec.collection)!.push(reader);
    this.#readersByName.set(nameOf(spec.step, spec.name), reader);
    return reader;
  }

  #produce(node: string, id: string): Collection {
    if (this.collections.has(id))
      throw new Error(`node ${node} makes PCollection ${id}, as an earlier node does`);
    const collection = new Collection(id);
    this.collections.set(id, collection);
    const contents = this.#contents.get(id);
    if (contents !== undefined) collection.addConsumer(contents);
    return collection;
  }

  #read(reader: string, id: string): Collection {
    const collection = this.collections.get(id);
    if (collection === undefined)
      throw new Error(`${reader} reads PCollection ${id}, which no node before it makes`);
    return collection;
  }
}

function nameOf(step: string, name: string): string {
  return `${step}\t${name}`;
}
