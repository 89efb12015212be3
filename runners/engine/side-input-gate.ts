/** Holds back the elements of a root until the side inputs of their windows are ready. */
import { type Element, MAX_WATERMARK_MS, type Window } from "./element.js";
import { HoldSet } from "./hold-set.js";
import type { SideInputReader } from "./side-input-reader.js";

/** Elements of the same windows wait together. */
export interface BlockedElements {
  /** Groups are released in the order of their numbers. */
  readonly number: number;
  readonly windows: readonly Window[];
  readonly elements: Element[];
  /** Of the first of the windows. */
  readonly endMs: number;
  /** The maximum while it holds nothing. */
  holdMs: number;
}

/** Is told of elements that begin to wait, and of groups that need not wait any more. */
export interface BlockedListener {
  blocked(group: BlockedElements): void;
  released(group: BlockedElements): void;
}

export class SideInputGate {
  readonly #blocked = new Map<string, BlockedElements>();
  readonly #holds = new HoldSet();
  #groups = 0;

  constructor(
    readonly readers: readonly SideInputReader[],
    private readonly listener?: BlockedListener | undefined,
  ) {}

  /** All that wait. */
  get blocked(): Iterable<BlockedElements> {
    return this.#blocked.values();
  }

  /** Takes elements of the same windows that waited in an earlier process, groups in their order. */
  restore(number: number, elements: readonly Element[], holdMs: number): void {
    this.#groups = Math.max(this.#groups, number);
    const group = this.#group(elements[0]!.windows);
    group.elements.push(...elements);
    if (holdMs < MAX_WATERMARK_MS) this.#hold(group, holdMs);
  }

  get isEmpty(): boolean {
    return this.#blocked.size === 0;
  }

  /** Elements that wait: counted when asked. */
  get size(): number {
    let size = 0;
    for (const { elements } of this.#blocked.values()) size += elements.length;
    return size;
  }

  /** The earliest hold of what waits; the maximum if nothing does. */
  get holdMs(): number {
    return this.#holds.minMs;
  }

  /** Whether some side input has forgotten what an element of this window would read. */
  isTooLate(window: Window): boolean {
    return this.readers.some((reader) => reader.isGoneFor(window));
  }

  /** Those that may run now (the same array if all may); the others stay here, holding at least `floorMs`. */
  admit(elements: readonly Element[], floorMs: number): readonly Element[] {
    let admitted: Element[] | undefined;
    let windows: readonly Window[] | undefined;
    let group: BlockedElements | undefined;
    for (let index = 0; index < elements.length; index++) {
      const element = elements[index]!;
      if (element.windows !== windows) {
        windows = element.windows;
        group = this.#isReady(windows) ? undefined : this.#group(windows);
      }
      if (group === undefined) {
        admitted?.push(element);
      } else {
        admitted ??= elements.slice(0, index);
        group.elements.push(element);
        this.listener?.blocked(group);
        this.#hold(group, Math.max(Math.min(element.timestampMs, group.endMs), floorMs));
      }
    }
    return admitted ?? elements;
  }

  /** Those that have become ready, with their holds, in the order in which their windows came. */
  release(): { readonly elements: readonly Element[]; readonly holdMs: number }[] {
    const released: BlockedElements[] = [];
    if (!this.readers.map((reader) => reader.takeMoved()).includes(true)) return released;
    for (const [id, group] of this.#blocked) {
      if (!this.#isReady(group.windows)) continue;
      this.#blocked.delete(id);
      this.listener?.released(group);
      if (group.holdMs < MAX_WATERMARK_MS) this.#holds.remove(group.holdMs);
      released.push(group);
    }
    return released;
  }

  #hold(group: BlockedElements, holdMs: number): void {
    if (holdMs >= group.holdMs) return;
    if (group.holdMs < MAX_WATERMARK_MS) this.#holds.remove(group.holdMs);
    this.#holds.add(holdMs);
    group.holdMs = holdMs;
  }

  #isReady(windows: readonly Window[]): boolean {
    return this.readers.every((reader) => windows.every((window) => reader.isReady(window)));
  }

  #group(windows: readonly Window[]): BlockedElements {
    const id = windows.length === 1 ? windows[0]!.id : JSON.stringify(windows.map((window) => window.id));
    let group = this.#blocked.get(id);
    if (group === undefined) {
      const endMs = Math.min(...windows.map((window) => window.maxTimestampMs));
      group = { number: this.#groups++, windows, elements: [], endMs, holdMs: MAX_WATERMARK_MS };
      this.#blocked.set(id, group);
    }
    return group;
  }
}
