/** Records of a stateful step beside its state: live windows, keys in them, timers, elements that wait for their order. */
import type { Window } from "../element.js";
import type { Cell, KeyedTimer } from "../keyed-cell.js";
import type { CellRecords, KeyedCells, LiveWindow } from "../keyed-cells.js";
import type { KeyedTimers } from "../keyed-timers.js";
import type { SortedElement, SortedInput } from "../sorted-input.js";
import type { DurableParts } from "./durable-parts.js";
import { ElementsCodec } from "./elements-codec.js";
import type { RestoredState } from "./restored-state.js";
import { StateWriter } from "./state-bytes.js";
import type { ValueCodec } from "./state-codec.js";
import type { StateLog } from "./state-log.js";
import { recordKey } from "./state-record.js";
import { TrackedItems } from "./tracked-items.js";

const WINDOW = "window";
const CELL = "cell";
const TIMER = "timer";
const SORTED = "sorted";

export class KeyedRootRecords implements CellRecords {
  readonly windows: TrackedItems<LiveWindow>;
  readonly cells: TrackedItems<Cell>;
  readonly timers: TrackedItems<KeyedTimer>;
  readonly sorted: TrackedItems<SortedElement>;
  readonly #owner: string;
  readonly #window: ValueCodec<Window>;
  readonly #key: ValueCodec;
  readonly #elements: ElementsCodec;

  /** @param owner the root: the step's path */
  constructor(owner: string, collection: string, { codec, changes }: DurableParts) {
    this.#owner = owner;
    this.#window = codec.window(collection);
    this.#key = codec.key(collection);
    this.#elements = new ElementsCodec(codec, collection);
    this.windows = new TrackedItems<LiveWindow>({
      changes,
      areConstant: true,
      keyOf: ({ id }) => recordKey(WINDOW, owner, id),
      encode: ({ order, window }) =>
        new StateWriter().count(order).bytes(this.#window.encode(window)).finish(),
    });
    this.cells = new TrackedItems<Cell>({
      changes,
      areConstant: false,
      keyOf: (cell) => cellKey(owner, cell),
      encode: ({ number, key, isClosing }) =>
        new StateWriter().count(number).flag(isClosing).bytes(this.#key.encode(key)).finish(),
    });
    this.timers = new TrackedItems<KeyedTimer>({
      changes,
      areConstant: false,
      keyOf: ({ cell, family, tag }) => recordKey(TIMER, owner, cell.window.id, cell.keyId, family, tag),
      encode: encodeTimer,
    });
    this.sorted = new TrackedItems<SortedElement>({
      changes,
      areConstant: true,
      keyOf: ({ number }) => recordKey(SORTED, owner, number),
      encode: ({ element, window, holdMs }) =>
        this.#elements.write(new StateWriter().time(holdMs), [{ ...element, windows: [window] }]).finish(),
    });
  }

  write(log: StateLog, cells: KeyedCells, timers: KeyedTimers, sorted: SortedInput | undefined): void {
    this.windows.write(log, cells.liveWindows);
    this.cells.write(log, cells.all());
    this.timers.write(log, timers.all());
    if (sorted !== undefined) this.sorted.write(log, sorted.unfinished());
  }

  restore(
    restored: RestoredState,
    cells: KeyedCells,
    timers: KeyedTimers,
    sorted: SortedInput | undefined,
  ): void {
    this.#restoreCells(restored, cells);
    this.#restoreTimers(restored, cells, timers);
    if (sorted !== undefined) this.#restoreSorted(restored, sorted);
  }

  #restoreCells(restored: RestoredState, cells: KeyedCells): void {
    const windows = restored
      .take(WINDOW, this.#owner)
      .map(({ value }) => ({ order: value.count(), window: this.#window.decode(value.bytes()) }));
    for (const { window, order } of windows.sort((a, b) => a.order - b.order)) {
      cells.restoreWindow(window, order);
    }
    const found = restored.take(CELL, this.#owner).map(({ parts, value }) => {
      const [windowId, keyId] = parts as [string, string];
      const number = value.count();
      const isClosing = value.flag();
      return { windowId, keyId, number, isClosing, key: this.#key.decode(value.bytes()) };
    });
    for (const { windowId, keyId, key, number, isClosing } of found.sort((a, b) => a.number - b.number)) {
      cells.restoreCell(keyId, key, windowId, number, isClosing);
    }
  }

  #restoreTimers(restored: RestoredState, cells: KeyedCells, timers: KeyedTimers): void {
    const found = restored.take(TIMER, this.#owner).map(({ parts, value }) => {
      const [windowId, keyId, family, tag] = parts as [string, string, string, string];
      const cell = cells.find(keyId, windowId);
      if (cell === undefined) {
        throw new Error(
          `state has timer ${family} of a key of ${this.#owner} in ${windowId}, but not the key`,
        );
      }
      const order = value.count();
      const domain = value.flag() ? ("event-time" as const) : ("processing-time" as const);
      const times = {
        fireAtMs: value.time(),
        outputTimestampMs: value.timeOrNone(),
        holdMs: value.timeOrNone(),
      };
      return { cell, setting: { family, tag, order, domain, ...times } };
    });
    for (const { cell, setting } of found.sort((a, b) => a.setting.order - b.setting.order)) {
      timers.restore(cell, setting);
    }
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

function cellKey(owner: string, { window, keyId }: Cell): string {
  return recordKey(CELL, owner, window.id, keyId);
}

function encodeTimer({ order, domain, fireAtMs, outputTimestampMs, holdMs }: KeyedTimer): Uint8Array {
  return new StateWriter()
    .count(order)
    .flag(domain === "event-time")
    .time(fireAtMs)
    .timeOrNone(outputTimestampMs)
    .timeOrNone(holdMs)
    .finish();
}
