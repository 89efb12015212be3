/** Records of a GroupByKey: its windows, the keys in them, and their values in chunks as they came, or as an accumulator. */
import type { Window } from "../element.js";
import type { GroupByKeyNode } from "../engine-graph.js";
import type { KeyWindow, SavedValues, WindowGroup } from "../key-window.js";
import type { OperatorTimes } from "../operator-times.js";
import type { RestoredEntry } from "../pane-schedule.js";
import type { WindowGroups } from "../window-groups.js";
import type { DurableParts } from "./durable-parts.js";
import {
  decodeKeyWindow,
  encodeKeyWindow,
  type KeyWindowCodecs,
  type RestoredKeyWindow,
} from "./key-window-record.js";
import type { RestoredState } from "./restored-state.js";
import { StateWriter } from "./state-bytes.js";
import type { ValueCodec } from "./state-codec.js";
import type { StateChanges, StateLog } from "./state-log.js";
import { recordKey } from "./state-record.js";
import { TrackedItems } from "./tracked-items.js";

const TIMES = "group-times";
const GROUP = "group";
const KEY = "group-key";
const COMBINED_KEY = "combined-key";
const VALUES = "group-values";

export interface GroupCounts {
  readonly arrivals: number;
  readonly droppedDueToLateness: number;
  readonly droppedDueToClosedWindow: number;
}

interface Chunk {
  readonly values: readonly unknown[];
  /** Where windows merge: the values of several chunks come in the order of their arrival. */
  readonly arrivals: readonly number[];
}

type CreateKeyWindow = (group: WindowGroup, keyId: string, key: unknown, saved: SavedValues) => KeyWindow;

export class GroupRecords {
  readonly groups: TrackedItems<WindowGroup>;
  readonly #owner: string;
  readonly #isMerging: boolean;
  readonly #keyKind: string;
  readonly #keys: KeyWindowCodecs;
  readonly #value: ValueCodec;
  readonly #window: ValueCodec<Window>;
  readonly #changes: StateChanges;
  readonly #changed = new Set<KeyWindow>();
  readonly #gone = new Set<string>();
  readonly #out = new StateWriter();
  readonly #groupsById = new Map<string, WindowGroup>();
  #chunksGone: number[] = [];
  #chunks = 0;
  #numbers = 0;
  /** Where windows merge: what arrived before it is in a chunk. */
  #savedArrivals = 0;

  constructor({ id, input, strategy, combiner }: GroupByKeyNode, { codec, changes }: DurableParts) {
    this.#owner = id;
    this.#isMerging = strategy.windowFn.isMerging;
    this.#keyKind = combiner === undefined ? KEY : COMBINED_KEY;
    this.#keys = { key: codec.key(input), accumulator: combiner?.codec };
    this.#value = codec.groupedValue(input);
    this.#window = codec.window(input);
    this.#changes = changes;
    this.groups = new TrackedItems<WindowGroup>({
      changes,
      areConstant: false,
      keyOf: ({ window }) => recordKey(GROUP, id, window.id),
      encode: ({ order, window }) => this.#out.count(order).bytes(this.#window.encode(window)).finish(),
    });
  }

  nothingSaved(): SavedValues {
    return { number: this.#numbers++, chunks: [], count: 0, dropped: [] };
  }

  changed(entry: KeyWindow): void {
    this.#changed.add(entry);
    this.#changes.note();
  }

  /** It is gone with its values, or they are another's now. */
  remove(entry: KeyWindow): void {
    this.#changed.delete(entry);
    this.#gone.add(this.#keyOf(entry));
    if (entry.saved !== undefined) this.#chunksGone.push(...entry.saved.chunks, ...entry.saved.dropped);
    this.#changes.note();
  }

  write(
    log: StateLog,
    times: OperatorTimes,
    counts: GroupCounts,
    groups: WindowGroups,
    readyOrderOf: (entry: KeyWindow) => number | undefined,
  ): void {
    const { arrivals, droppedDueToLateness, droppedDueToClosedWindow } = counts;
    const out = new StateWriter().time(times.inputWatermarkMs).time(times.outputWatermarkMs);
    out.count(arrivals).count(droppedDueToLateness).count(droppedDueToClosedWindow);
    log.putSmall(recordKey(TIMES, this.#owner), out.finish());
    this.groups.write(log, groups.all);
    for (const key of this.#gone) log.remove(key);
    for (const chunk of this.#chunksGone) log.remove(this.#chunkKey(chunk));
    for (const entry of log.isFull ? entriesOf(groups) : this.#changed) {
      if (entry.saved !== undefined) this.#put(log, entry, entry.saved, readyOrderOf(entry));
    }
    this.#gone.clear();
    this.#chunksGone = [];
    this.#changed.clear();
    this.#savedArrivals = arrivals;
  }

  restoreTimes(restored: RestoredState, times: OperatorTimes): GroupCounts {
    const input = restored.takeOne(TIMES, this.#owner);
    if (input === undefined) return { arrivals: 0, droppedDueToLateness: 0, droppedDueToClosedWindow: 0 };
    times.restore(input.time(), input.time());
    return {
      arrivals: input.count(),
      droppedDueToLateness: input.count(),
      droppedDueToClosedWindow: input.count(),
    };
  }

  restoreGroups(restored: RestoredState, open: (window: Window, order: number) => WindowGroup): void {
    const found = restored
      .take(GROUP, this.#owner)
      .map(({ value }) => ({ order: value.count(), window: this.#window.decode(value.bytes()) }));
    for (const { window, order } of found.sort((a, b) => a.order - b.order)) {
      this.#groupsById.set(window.id, open(window, order));
    }
  }

  /** In the order in which they came into their windows. */
  restoreKeys(restored: RestoredState, create: CreateKeyWindow): RestoredEntry[] {
    const chunks = this.#readChunks(restored);
    const found = restored.take(this.#keyKind, this.#owner).map(({ parts, value }) => {
      const [windowId, keyId] = parts as [string, string];
      const group = this.#groupsById.get(windowId);
      if (group === undefined) {
        throw new Error(`state has a key of ${this.#owner} in window ${windowId}, but not the window`);
      }
      return { group, keyId, record: decodeKeyWindow(value, this.#keys) };
    });
    return found
      .sort((a, b) => a.record.number - b.record.number)
      .map(({ group, keyId, record }) => {
        const entry = this.#restoreKey(group, keyId, record, chunks, create);
        return { entry, readyOrder: record.readyOrder };
      });
  }

  /** Nothing that was restored is to be written again. */
  restored(arrivals: number): void {
    this.#savedArrivals = arrivals;
    this.#changed.clear();
    this.#groupsById.clear();
  }

  #restoreKey(
    group: WindowGroup,
    keyId: string,
    { key, number, chunks: numbers, accumulators, ...state }: RestoredKeyWindow,
    chunks: ReadonlyMap<number, Chunk>,
    create: CreateKeyWindow,
  ): KeyWindow {
    const parts = numbers.map((chunk) => {
      const part = chunks.get(chunk);
      if (part === undefined)
        throw new Error(`state lacks values of a key of ${this.#owner}: chunk ${chunk}`);
      return part;
    });
    const values = parts.flatMap((part) => part.values);
    const saved = { number, chunks: [...numbers], count: values.length, dropped: [] };
    const entry = create(group, keyId, key, saved);
    this.#numbers = Math.max(this.#numbers, number + 1);
    Object.assign(entry, {
      firstArrival: state.firstArrival,
      unfired: state.unfired,
      elementHoldMs: state.elementHoldMs,
      isClosed: state.isClosed,
      lastPane: state.lastPane,
      trigger: state.trigger,
    });
    if (accumulators.length > 0) entry.values = [...accumulators];
    if (values.length === 0) return entry;
    const arrivals = parts.flatMap((part) => part.arrivals);
    if (!this.#isMerging) entry.values = values;
    else {
      const order = arrivals.map((_, place) => place).sort((a, b) => arrivals[a]! - arrivals[b]!);
      entry.values = order.map((place) => values[place]);
      entry.arrivals = order.map((place) => arrivals[place]!);
    }
    return entry;
  }

  #readChunks(restored: RestoredState): Map<number, Chunk> {
    const chunks = new Map<number, Chunk>();
    for (const { parts, value } of restored.take(VALUES, this.#owner)) {
      const number = Number(parts[0]);
      const values: unknown[] = [];
      const arrivals: number[] = [];
      for (let left = value.count(); left > 0; left--) {
        values.push(this.#value.decode(value.bytes()));
        if (this.#isMerging) arrivals.push(value.count());
      }
      chunks.set(number, { values, arrivals });
      this.#chunks = Math.max(this.#chunks, number + 1);
    }
    return chunks;
  }

  #put(log: StateLog, entry: KeyWindow, saved: SavedValues, readyOrder: number | undefined): void {
    if (this.#keys.accumulator === undefined) this.#putValues(log, entry, saved);
    log.put(this.#keyOf(entry), encodeKeyWindow(this.#out, entry, saved, readyOrder, this.#keys));
  }

  #putValues(log: StateLog, entry: KeyWindow, saved: SavedValues): void {
    for (const chunk of saved.dropped) log.remove(this.#chunkKey(chunk));
    saved.dropped = [];
    if (log.isFull) {
      saved.chunks = [];
      saved.count = 0;
    }
    const from = log.isFull ? 0 : this.#firstUnsaved(entry, saved);
    if (from < entry.values.length) {
      const chunk = this.#chunks++;
      log.put(this.#chunkKey(chunk), this.#encodeValues(entry, from));
      saved.chunks.push(chunk);
      saved.count = entry.values.length;
    }
  }

  /** Where windows merge, saved values of several may stand between each other, but what is new came last. */
  #firstUnsaved({ values, arrivals }: KeyWindow, saved: SavedValues): number {
    if (!this.#isMerging) return saved.count;
    let from = values.length;
    while (from > 0 && arrivals[from - 1]! >= this.#savedArrivals) from--;
    return from;
  }

  #encodeValues({ values, arrivals }: KeyWindow, from: number): Uint8Array {
    const out = this.#out.count(values.length - from);
    for (let place = from; place < values.length; place++) {
      out.bytes(this.#value.encode(values[place]));
      if (this.#isMerging) out.count(arrivals[place]!);
    }
    return out.finish();
  }

  #keyOf({ keyId, group }: KeyWindow): string {
    return recordKey(this.#keyKind, this.#owner, group.window.id, keyId);
  }

  #chunkKey(chunk: number): string {
    return recordKey(VALUES, this.#owner, chunk);
  }
}

function* entriesOf(groups: WindowGroups): Generator<KeyWindow> {
  for (const { keys } of groups.all) yield* keys.values();
}
