/** Records of a stateful step: its windows, the keys in them with state and timers, elements that wait for their order. */
import type { Window } from "../element.js";
import { type KeySlot, type LiveWindow, type TimerSetting, timersIn, timersOf } from "../key-slot.js";
import type { KeySlots, SlotRecords } from "../key-slots.js";
import type { SortedElement, SortedInput } from "../sorted-input.js";
import { type ColdKeys, NO_PLACES } from "./cold-keys.js";
import type { DurableParts } from "./durable-parts.js";
import { ElementsCodec } from "./elements-codec.js";
import { placesOf, readHead, writeHead } from "./key-record.js";
import { KeyState, type SpilledRecords } from "./key-state.js";
import type { RestoredState } from "./restored-state.js";
import { StateReader, StateWriter } from "./state-bytes.js";
import type { ValueCodec } from "./state-codec.js";
import type { StateChanges, StateLog } from "./state-log.js";
import { KEY_BAG_RECORD, KEY_MAP_RECORD, KEY_RECORD, KEY_WINDOW_RECORD, recordKey } from "./state-record.js";
import { TrackedItems } from "./tracked-items.js";

const KEYED = "keyed";
const SORTED = "sorted";

/** Numbers that an earlier process has given. */
export interface KeyedNumbers {
  readonly cells: number;
  readonly settings: number;
}

interface GoneKey {
  readonly live: LiveWindow;
  readonly keyId: string;
  readonly places: KeySlot["places"];
}

export class KeySlotRecords implements SlotRecords {
  readonly sorted: TrackedItems<SortedElement>;
  readonly cold: ColdKeys | undefined;
  readonly #owner: string;
  readonly #window: ValueCodec<Window>;
  readonly #key: ValueCodec;
  readonly #elements: ElementsCodec;
  readonly #changes: StateChanges;
  readonly #state: KeyState;
  readonly #expires: boolean;
  readonly #coldParts: SpilledRecords | undefined;
  readonly #head = new StateWriter();
  readonly #body = new StateWriter();
  #changed: KeySlot[] = [];
  #gone: GoneKey[] = [];
  #spillsGone: string[] = [];
  readonly #changedWindows = new Set<LiveWindow>();
  #goneWindows: LiveWindow[] = [];
  #removedWindows: LiveWindow[] = [];

  /**
   * @param owner the root: the step's path
   * @param expires whether its keys are told when their window expires
   */
  constructor(owner: string, collection: string, expires: boolean, { codec, changes, cold }: DurableParts) {
    this.#owner = owner;
    this.#expires = expires;
    this.#window = codec.window(collection);
    this.#key = codec.key(collection);
    this.#elements = new ElementsCodec(codec, collection);
    this.#changes = changes;
    this.#state = new KeyState(owner, (stateId) => codec.cell(owner, stateId));
    this.cold = cold;
    this.#coldParts = cold && {
      chunk: (...parts) => cold.chunk(owner, ...parts),
      entries: (...parts) => cold.entries(owner, ...parts),
    };
    this.sorted = new TrackedItems<SortedElement>({
      changes,
      areConstant: true,
      keyOf: ({ number }) => recordKey(SORTED, owner, number),
      encode: ({ element, window, holdMs }) =>
        this.#elements.write(new StateWriter().time(holdMs), [{ ...element, windows: [window] }]).finish(),
    });
  }

  changed(slot: KeySlot): void {
    this.#changed.push(slot);
    this.#changes.note();
  }

  /** The key goes, with all that it has. */
  remove(slot: KeySlot): void {
    this.spillGone(slot);
    if (slot.isRecorded) this.#forget(slot);
    this.#changes.note();
  }

  /** Its state goes: what of it is in records beside the key's own. */
  spillGone(slot: KeySlot): void {
    for (const key of this.#state.spilledKeys(slot)) this.#spillsGone.push(key);
    this.#changes.note();
  }

  windowChanged(live: LiveWindow): void {
    this.#changedWindows.add(live);
  }

  windowGone(live: LiveWindow): void {
    this.#changedWindows.delete(live);
    this.#goneWindows.push(live);
    this.#changes.note();
  }

  /** All keys in the window go, those too that are in the store alone. */
  removeWindow(live: LiveWindow): void {
    this.#changes.note();
    if (this.cold !== undefined) {
      this.#removedWindows.push(live);
      return;
    }
    for (const slot of live.slots.values()) this.remove(slot);
  }

  coldRecord(windowId: string, keyId: string): Uint8Array | undefined {
    return this.cold?.get(this.#owner, windowId, keyId);
  }

  coldNumbers(windowId: string): Iterable<{ number: number; keyId: string }> {
    return this.cold?.numbered(this.#owner, windowId) ?? [];
  }

  /** Brings a key of the store into its slot; its timers are for whoever keeps them. */
  decode(slots: KeySlots, slot: KeySlot, record: Uint8Array): readonly TimerSetting[] {
    return this.#decode(slots, slot, record, this.#coldParts!);
  }

  write(log: StateLog, slots: KeySlots, settings: number, sorted: SortedInput | undefined): void {
    for (const live of this.#removedWindows) this.#removeAll(log, live);
    for (const gone of this.#gone) this.#removeKey(log, gone);
    for (const key of this.#spillsGone) log.remove(key);
    for (const slot of log.isFull ? slots.all() : this.#changed)
      if (!slot.isGone) this.#put(log, slots, slot);
    this.#writeWindows(log, slots);
    slots.written();
    const { spills } = this.#state;
    if (slots.numbers + settings + spills > 0) {
      const numbers = new StateWriter().count(slots.numbers).count(settings).count(spills);
      log.putSmall(recordKey(KEYED, this.#owner), numbers.finish());
    }
    this.#changed = [];
    this.#gone = [];
    this.#spillsGone = [];
    this.#removedWindows = [];
    if (sorted !== undefined) this.sorted.write(log, sorted.unfinished());
  }

  /** Keys that are in the store come when they are asked for; all others now. */
  restore(
    restored: RestoredState,
    slots: KeySlots,
    sorted: SortedInput | undefined,
    loaded: (slot: KeySlot, timers: readonly TimerSetting[]) => void,
  ): KeyedNumbers {
    const input = restored.takeOne(KEYED, this.#owner);
    const numbers = { cells: input?.count() ?? 0, settings: input?.count() ?? 0 };
    this.#state.restoreSpills(input?.count() ?? 0);
    this.#restoreWindows(restored, slots);
    this.#restoreKeys(restored, slots, loaded);
    slots.restoreNumbers(numbers.cells);
    if (sorted !== undefined) this.#restoreSorted(restored, sorted);
    this.#changed = [];
    this.#changedWindows.clear();
    return numbers;
  }

  #put(log: StateLog, slots: KeySlots, slot: KeySlot): void {
    slot.isChanged = false;
    const { cell, cells, live, keyId } = slot;
    if (cell === undefined && (cells === undefined || cells.isEmpty)) {
      this.spillGone(slot);
      for (const key of this.#spillsGone.splice(0)) log.remove(key);
      if (slot.isRecorded) this.#forget(slot);
      for (const gone of this.#gone.splice(0)) this.#removeKey(log, gone);
      return;
    }
    const timers = cell === undefined ? [] : timersOf(cell);
    // The state first: it says whether the key has other records.
    this.#state.write(this.#body, slot, log);
    writeHead(this.#head, slot, timers, this.#key, this.#expires);
    const value = this.#head.append(this.#body).finish();
    log.putOnce(recordKey(KEY_RECORD, this.#owner, live.id, keyId), value);
    const { places } = slot;
    const timersBefore = timersIn(slot);
    slot.places = placesOf(timers, cell?.number, this.#expires);
    live.recordedTimers += timersIn(slot) - timersBefore;
    if (!slot.isRecorded) live.recorded++;
    if (!slot.isRecorded || timersIn(slot) !== timersBefore) this.windowChanged(live);
    slot.isRecorded = true;
    slots.resized(slot, value.length);
    if (this.cold === undefined) return;
    // Whatever is written before it is given this delta is without it.
    slot.delta = this.cold.given + 1;
    const [root, windowId, before, after] = [this.#owner, live.id, places, slot.places];
    log.tellStore({ root, windowId, keyId, value, before, after });
  }

  /** It has no record any more. */
  #forget(slot: KeySlot): void {
    const { live, keyId, places } = slot;
    this.#gone.push({ live, keyId, places });
    live.recorded--;
    live.recordedTimers -= timersIn(slot);
    slot.isRecorded = false;
    slot.places = NO_PLACES;
    this.windowChanged(live);
  }

  #removeKey(log: StateLog, { live, keyId, places }: GoneKey): void {
    log.remove(recordKey(KEY_RECORD, this.#owner, live.id, keyId));
    if (this.cold === undefined) return;
    const [root, windowId, value] = [this.#owner, live.id, undefined];
    log.tellStore({ root, windowId, keyId, value, before: places, after: NO_PLACES });
  }

  #removeAll(log: StateLog, live: LiveWindow): void {
    if (live.recorded > 0) log.removeWindow(this.#owner, live.id);
  }

  #writeWindows(log: StateLog, slots: KeySlots): void {
    for (const { id } of this.#goneWindows) log.remove(recordKey(KEY_WINDOW_RECORD, this.#owner, id));
    for (const live of log.isFull ? slots.liveWindows : this.#changedWindows) {
      const out = new StateWriter().count(live.order).bytes(this.#window.encode(live.window));
      const value = out.count(live.recorded).count(live.recordedTimers).finish();
      log.put(recordKey(KEY_WINDOW_RECORD, this.#owner, live.id), value);
    }
    this.#goneWindows = [];
    this.#changedWindows.clear();
  }

  #restoreWindows(restored: RestoredState, slots: KeySlots): void {
    const found = restored.take(KEY_WINDOW_RECORD, this.#owner).map(({ value }) => ({
      order: value.count(),
      window: this.#window.decode(value.bytes()),
      recorded: value.count(),
      recordedTimers: value.count(),
    }));
    for (const { window, order, recorded, recordedTimers } of found.sort((a, b) => a.order - b.order)) {
      slots.restoreWindow(window, order, recorded, recordedTimers);
    }
  }

  #restoreKeys(
    restored: RestoredState,
    slots: KeySlots,
    loaded: (slot: KeySlot, timers: readonly TimerSetting[]) => void,
  ): void {
    const spilled = new RestoredParts(restored, this.#owner);
    const found = restored.take(KEY_RECORD, this.#owner).map(({ parts, bytes }) => {
      const [windowId, keyId] = parts as [string, string];
      const slot = slots.restoreSlot(windowId, keyId);
      return { slot, timers: this.#decode(slots, slot, bytes, spilled) };
    });
    // Cells come in the order of their numbers wherever all are gone through.
    found.sort((a, b) => (a.slot.cell?.number ?? -1) - (b.slot.cell?.number ?? -1));
    for (const { slot, timers } of found) {
      if (slot.live.numbered.delete(slot.keyId)) slot.live.numbered.set(slot.keyId, slot);
      loaded(slot, timers);
    }
  }

  #decode(
    slots: KeySlots,
    slot: KeySlot,
    record: Uint8Array,
    spilled: SpilledRecords,
  ): readonly TimerSetting[] {
    const length = record.length;
    const input = new StateReader(record);
    const { cell, spill, timers } = readHead(input, this.#key);
    if (cell !== undefined) slots.restoreCell(slot, cell.key, cell.number, cell.isClosing);
    slot.spill = spill;
    this.#state.read(input, slot, spilled);
    slot.isRecorded = true;
    slot.places = placesOf(timers, cell?.number, this.#expires);
    slots.resized(slot, length);
    return timers;
  }

  #restoreSorted(restored: RestoredState, sorted: SortedInput): void {
    const found = restored.take(SORTED, this.#owner).map(({ parts, value }) => {
      const holdMs = value.time();
      const element = this.#elements.read(value)[0]!;
      return { number: Number(parts[0]), holdMs, element, window: element.windows[0]! };
    });
    for (const waiting of found.sort((a, b) => a.number - b.number)) sorted.restore(waiting);
  }
}

/** Records beside the first of their keys, where all are in memory. */
class RestoredParts implements SpilledRecords {
  readonly #chunks = new Map<string, Uint8Array>();
  readonly #entries = new Map<string, { mapKeyId: string; value: Uint8Array }[]>();

  constructor(restored: RestoredState, owner: string) {
    for (const { parts, bytes } of restored.take(KEY_BAG_RECORD, owner)) {
      const [windowId, spill, stateId, chunk] = parts as [string, string, string, string];
      this.#chunks.set(partId(windowId, Number(spill), stateId, Number(chunk)), bytes);
    }
    for (const { parts, bytes } of restored.take(KEY_MAP_RECORD, owner)) {
      const [windowId, spill, stateId, mapKeyId] = parts as [string, string, string, string];
      const id = partId(windowId, Number(spill), stateId);
      const known = this.#entries.get(id);
      if (known === undefined) this.#entries.set(id, [{ mapKeyId, value: bytes }]);
      else known.push({ mapKeyId, value: bytes });
    }
  }

  chunk(windowId: string, spill: number, stateId: string, chunk: number): Uint8Array | undefined {
    return this.#chunks.get(partId(windowId, spill, stateId, chunk));
  }

  entries(windowId: string, spill: number, stateId: string) {
    return this.#entries.get(partId(windowId, spill, stateId)) ?? [];
  }
}

function partId(windowId: string, spill: number, stateId: string, chunk = -1): string {
  return recordKey("", windowId, spill, stateId, chunk);
}
