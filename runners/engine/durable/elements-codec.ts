/** Elements of a PCollection as bytes: values by its coder, windows by its window coder. */
import { type Element, NO_FIRING, type PaneInfo, type Window } from "../element.js";
import { FiredPane, type LastPane } from "../pane-tracker.js";
import { type StateReader, StateWriter } from "./state-bytes.js";
import type { StateCodec, ValueCodec } from "./state-codec.js";

const TIMINGS = ["EARLY", "ON_TIME", "LATE", "UNKNOWN"] as const;
const UNFIRED = 0;
const FIRED = 1;
/** Which grouping fired it is known. */
const FIRED_BY = 2;

export class ElementsCodec {
  readonly #value: ValueCodec;
  readonly #window: ValueCodec<Window>;

  constructor(codec: StateCodec, collection: string) {
    this.#value = codec.element(collection);
    this.#window = codec.window(collection);
  }

  encodeOne(element: Element): Uint8Array {
    return this.write(new StateWriter(), [element]).finish();
  }

  write(out: StateWriter, elements: readonly Element[]): StateWriter {
    out.count(elements.length);
    let shared: readonly Window[] | undefined;
    for (const { value, timestampMs, windows, pane } of elements) {
      out.flag(windows === shared);
      if (windows !== shared) this.#writeWindows(out, windows);
      shared = windows;
      out.time(timestampMs);
      writePane(out, pane);
      out.bytes(this.#value.encode(value));
    }
    return out;
  }

  read(input: StateReader): Element[] {
    const elements: Element[] = [];
    let windows: readonly Window[] = [];
    const known = new Map<string, Window>();
    for (let left = input.count(); left > 0; left--) {
      if (!input.flag()) windows = this.#readWindows(input, known);
      const timestampMs = input.time();
      const pane = readPane(input);
      elements.push({ value: this.#value.decode(input.bytes()), timestampMs, windows, pane });
    }
    return elements;
  }

  #writeWindows(out: StateWriter, windows: readonly Window[]): void {
    out.count(windows.length);
    for (const window of windows) out.bytes(this.#window.encode(window));
  }

  /** Equal windows are one object: much goes faster where they are. */
  #readWindows(input: StateReader, known: Map<string, Window>): Window[] {
    return Array.from({ length: input.count() }, () => {
      const window = this.#window.decode(input.bytes());
      const same = known.get(window.id);
      if (same === undefined) known.set(window.id, window);
      return same ?? window;
    });
  }
}

function writePane(out: StateWriter, pane: PaneInfo): void {
  if (isNoFiring(pane)) {
    out.count(UNFIRED);
    return;
  }
  const source = FiredPane.sourceOf(pane);
  out.count(source === undefined ? FIRED : FIRED_BY);
  out.count(TIMINGS.indexOf(pane.timing)).flag(pane.isFirst).flag(pane.isLast).count(pane.index);
  // -1 for an early one
  out.count(pane.nonSpeculativeIndex + 1);
  if (source !== undefined) out.text(source);
}

function readPane(input: StateReader): PaneInfo {
  const kind = input.count();
  if (kind === UNFIRED) return NO_FIRING;
  const timing = TIMINGS[input.count()]!;
  const pane = {
    timing,
    isFirst: input.flag(),
    isLast: input.flag(),
    index: input.count(),
    nonSpeculativeIndex: input.count() - 1,
  };
  if (kind === FIRED) return pane;
  const { index, nonSpeculativeIndex, isLast } = pane;
  return new FiredPane(timing as LastPane["timing"], index, nonSpeculativeIndex, isLast, input.text());
}

function isNoFiring(pane: PaneInfo): boolean {
  if (pane === NO_FIRING) return true;
  const { timing, isFirst, isLast, index, nonSpeculativeIndex } = pane;
  return timing === "UNKNOWN" && isFirst && isLast && index === 0 && nonSpeculativeIndex === 0;
}
