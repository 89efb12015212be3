/** Records of what a side input holds: windows, and the latest firings in them, their values in chunks as they came. */
import type { Window } from "../element.js";
import type { Firing, WindowContents } from "../window-contents.js";
import type { DurableParts } from "./durable-parts.js";
import type { RestoredState } from "./restored-state.js";
import { StateWriter } from "./state-bytes.js";
import type { ValueCodec } from "./state-codec.js";
import type { StateChanges, StateLog } from "./state-log.js";
import { recordKey } from "./state-record.js";

const WINDOW = "side-window";
const FIRING = "side";

/** How much of a firing is written. */
interface Written {
  readonly index: number;
  readonly values: number;
  readonly chunks: number;
}

interface ChangedFiring {
  readonly source: string | undefined;
  readonly firing: Firing;
}

export class SideRecords {
  readonly #owner: string;
  readonly #value: ValueCodec;
  readonly #window: ValueCodec<Window>;
  readonly #changes: StateChanges;
  /** By window, then by the number of the firing. */
  readonly #changed = new Map<WindowContents, Map<number, ChangedFiring>>();
  readonly #gone = new Set<WindowContents>();
  readonly #written = new Map<WindowContents, Map<number, Written>>();

  /** @param owner the PCollection */
  constructor(owner: string, { codec, changes }: DurableParts) {
    this.#owner = owner;
    this.#value = codec.element(owner);
    this.#window = codec.window(owner);
    this.#changes = changes;
  }

  changed(contents: WindowContents, changed: ChangedFiring): void {
    let firings = this.#changed.get(contents);
    if (firings === undefined) {
      firings = new Map();
      this.#changed.set(contents, firings);
    }
    firings.set(changed.firing.number, changed);
    this.#changes.note();
  }

  removed(contents: WindowContents): void {
    this.#changed.delete(contents);
    this.#gone.add(contents);
    this.#changes.note();
  }

  write(log: StateLog, all: Iterable<WindowContents>): void {
    for (const contents of this.#gone) this.#remove(log, contents);
    if (log.isFull) {
      this.#written.clear();
      for (const contents of all) {
        const firings = Array.from(contents.firings, ([source, firing]) => ({ source, firing }));
        this.#put(log, contents, firings);
      }
    } else {
      for (const [contents, firings] of this.#changed) this.#put(log, contents, firings.values());
    }
    this.#gone.clear();
    this.#changed.clear();
  }

  restore(restored: RestoredState, open: (window: Window, number: number) => WindowContents): void {
    const windows = restored
      .take(WINDOW, this.#owner)
      .map(({ value }) => ({ number: value.count(), window: this.#window.decode(value.bytes()) }));
    const opened = new Map<string, WindowContents>();
    for (const { window, number } of windows.sort((a, b) => a.number - b.number)) {
      const contents = open(window, number);
      opened.set(window.id, contents);
      this.#written.set(contents, new Map());
    }
    this.#restoreFirings(restored, opened);
  }

  #restoreFirings(restored: RestoredState, opened: ReadonlyMap<string, WindowContents>): void {
    const chunks = restored.take(FIRING, this.#owner).map(({ parts, value }) => {
      const [windowId, number, chunk] = parts as [string, string, string];
      const source = value.flag() ? value.text() : undefined;
      const index = value.count();
      const values = Array.from({ length: value.count() }, () => this.#value.decode(value.bytes()));
      return { windowId, number: Number(number), chunk: Number(chunk), source, index, values };
    });
    chunks.sort((a, b) => a.number - b.number || a.chunk - b.chunk);
    for (const { windowId, number, chunk, source, index, values } of chunks) {
      const contents = opened.get(windowId);
      if (contents === undefined) {
        throw new Error(`state has contents of side input ${this.#owner} in ${windowId}, but not the window`);
      }
      if (chunk === 0) contents.restore(source, { index, values, number });
      else contents.firings.get(source)!.values.push(...values);
      const held = contents.firings.get(source)!.values.length;
      this.#written.get(contents)!.set(number, { index, values: held, chunks: chunk + 1 });
    }
  }

  #put(log: StateLog, contents: WindowContents, firings: Iterable<ChangedFiring>): void {
    const { window, number } = contents;
    let written = this.#written.get(contents);
    if (written === undefined) {
      written = new Map();
      this.#written.set(contents, written);
      const out = new StateWriter().count(number).bytes(this.#window.encode(window));
      log.put(recordKey(WINDOW, this.#owner, window.id), out.finish());
    }
    for (const { source, firing } of firings) {
      const before = written.get(firing.number);
      const isContinued = before !== undefined && before.index === firing.index;
      if (!isContinued) this.#removeFiring(log, window, firing.number, before);
      const start = isContinued ? before.values : 0;
      const chunk = isContinued ? before.chunks : 0;
      const out = new StateWriter().flag(source !== undefined);
      if (source !== undefined) out.text(source);
      out.count(firing.index).count(firing.values.length - start);
      for (const value of firing.values.slice(start)) out.bytes(this.#value.encode(value));
      log.put(recordKey(FIRING, this.#owner, window.id, firing.number, chunk), out.finish());
      written.set(firing.number, { index: firing.index, values: firing.values.length, chunks: chunk + 1 });
    }
  }

  #remove(log: StateLog, contents: WindowContents): void {
    const written = this.#written.get(contents);
    if (written === undefined) return;
    for (const [number, firing] of written) this.#removeFiring(log, contents.window, number, firing);
    log.remove(recordKey(WINDOW, this.#owner, contents.window.id));
    this.#written.delete(contents);
  }

  #removeFiring(log: StateLog, window: Window, number: number, written: Written | undefined): void {
    const chunks = written?.chunks ?? 0;
    for (let chunk = 0; chunk < chunks; chunk++) {
      log.remove(recordKey(FIRING, this.#owner, window.id, number, chunk));
    }
  }
}
