/** Records of what waits at a root: queued elements, and those that wait for side inputs. */
import type { ElementQueue, QueuedElements } from "../element-queue.js";
import type { BlockedElements, BlockedListener, SideInputGate } from "../side-input-gate.js";
import type { Watermark } from "../watermark.js";
import type { DurableParts } from "./durable-parts.js";
import { ElementsCodec } from "./elements-codec.js";
import type { RestoredState } from "./restored-state.js";
import { StateWriter } from "./state-bytes.js";
import type { StateChanges, StateLog } from "./state-log.js";
import { recordKey } from "./state-record.js";
import { TrackedItems } from "./tracked-items.js";

const INPUT = "input";
const QUEUED = "queued";
const BLOCKED = "blocked";

/** How much of a blocked group is written: elements only come, until all of them go. */
interface Written {
  elements: number;
  chunks: number;
}

export class RootInputRecords implements BlockedListener {
  readonly queued: TrackedItems<QueuedElements>;
  readonly #owner: string;
  readonly #elements: ElementsCodec;
  readonly #changes: StateChanges;
  readonly #changed = new Set<BlockedElements>();
  readonly #released = new Set<BlockedElements>();
  readonly #written = new Map<BlockedElements, Written>();

  /** @param owner the stage and the root */
  constructor(owner: string, collection: string, { codec, changes }: DurableParts) {
    this.#owner = owner;
    this.#elements = new ElementsCodec(codec, collection);
    this.#changes = changes;
    this.queued = new TrackedItems<QueuedElements>({
      changes,
      areConstant: true,
      keyOf: ({ number }) => recordKey(QUEUED, owner, number),
      encode: ({ holdMs, elements }) =>
        this.#elements.write(new StateWriter().time(holdMs), elements).finish(),
    });
  }

  blocked(group: BlockedElements): void {
    this.#changed.add(group);
    this.#changes.note();
  }

  released(group: BlockedElements): void {
    this.#changed.delete(group);
    this.#released.add(group);
    this.#changes.note();
  }

  write(log: StateLog, watermark: Watermark, queue: ElementQueue, gate: SideInputGate | undefined): void {
    log.putSmall(recordKey(INPUT, this.#owner), new StateWriter().time(watermark.ms).finish());
    this.queued.write(log, queue.unreleased());
    for (const group of this.#released) this.#removeGroup(log, group);
    if (log.isFull) this.#written.clear();
    for (const group of log.isFull ? (gate?.blocked ?? []) : this.#changed) this.#putGroup(log, group);
    this.#released.clear();
    this.#changed.clear();
  }

  restore(
    restored: RestoredState,
    watermark: Watermark,
    queue: ElementQueue,
    gate: SideInputGate | undefined,
  ): void {
    const input = restored.takeOne(INPUT, this.#owner);
    if (input !== undefined) watermark.restore(input.time());
    const chunks = restored.take(QUEUED, this.#owner).map(({ parts, value }) => {
      const holdMs = value.time();
      return { number: Number(parts[0]), holdMs, elements: this.#elements.read(value) };
    });
    queue.restore(chunks.sort((a, b) => a.number - b.number));
    if (gate !== undefined) this.#restoreBlocked(restored, gate);
  }

  #restoreBlocked(restored: RestoredState, gate: SideInputGate): void {
    const blocked = restored.take(BLOCKED, this.#owner).map(({ parts, value }) => {
      const holdMs = value.time();
      const [group, chunk] = parts.map(Number) as [number, number];
      return { group, chunk, holdMs, elements: this.#elements.read(value) };
    });
    blocked.sort((a, b) => a.group - b.group || a.chunk - b.chunk);
    for (const { group, holdMs, elements } of blocked) gate.restore(group, elements, holdMs);
    const chunks = new Map<number, number>();
    for (const { group, chunk } of blocked) chunks.set(group, chunk + 1);
    for (const group of gate.blocked) {
      this.#written.set(group, { elements: group.elements.length, chunks: chunks.get(group.number)! });
    }
  }

  #putGroup(log: StateLog, group: BlockedElements): void {
    const written = this.#written.get(group) ?? { elements: 0, chunks: 0 };
    const out = new StateWriter().time(group.holdMs);
    this.#elements.write(out, group.elements.slice(written.elements));
    log.put(this.#keyOf(group, written.chunks), out.finish());
    this.#written.set(group, { elements: group.elements.length, chunks: written.chunks + 1 });
  }

  #removeGroup(log: StateLog, group: BlockedElements): void {
    const chunks = this.#written.get(group)?.chunks ?? 0;
    for (let chunk = 0; chunk < chunks; chunk++) log.remove(this.#keyOf(group, chunk));
    this.#written.delete(group);
  }

  #keyOf({ number }: BlockedElements, chunk: number): string {
    return recordKey(BLOCKED, this.#owner, number, chunk);
  }
}
