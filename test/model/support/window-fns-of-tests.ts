/** Window functions of the scenarios' own. */
import { IntervalWindow, type Window } from "../../../transforms/primitives/window.js";
import { registerWindowFn } from "../../../transforms/primitives/window-fns.js";

function fixedAround(timestampMs: number, sizeMs: number): IntervalWindow {
  const startMs = Math.floor(timestampMs / sizeMs) * sizeMs;
  return new IntervalWindow(startMs, startMs + sizeMs);
}

/** "small …" goes into small windows, "large …" into large ones, anything else into both. */
export const WINDOW_BY_VALUE = registerWindowFn(
  "test/model/window-by-value@1",
  ({ smallMs, largeMs }: { smallMs: number; largeMs: number }) => ({
    isMerging: false,
    assignsToOneWindow: false,
    assign(timestampMs: number, value: unknown): Window[] {
      const small = fixedAround(timestampMs, smallMs);
      const large = fixedAround(timestampMs, largeMs);
      const kind = String(value).split(" ")[0];
      return kind === "small" ? [small] : kind === "large" ? [large] : [large, small];
    },
    sideInputWindow: (main: Window) => fixedAround(main.maxTimestampMs, smallMs),
  }),
);

/** Sessions whose gap is long for "long …" and short for anything else; a window merges into one that holds its start. */
export const GAP_BY_VALUE = registerWindowFn(
  "test/model/gap-by-value@1",
  ({ longMs, shortMs }: { longMs: number; shortMs: number }) => ({
    isMerging: true,
    assignsToOneWindow: true,
    assign(timestampMs: number, value: unknown): Window[] {
      const gapMs = String(value).startsWith("long") ? longMs : shortMs;
      return [new IntervalWindow(timestampMs, timestampMs + gapMs)];
    },
    merge(windows: readonly Window[]) {
      const byStart = (windows as IntervalWindow[]).toSorted((a, b) => a.startMs - b.startMs);
      const merges: { merged: IntervalWindow; from: IntervalWindow[] }[] = [];
      for (const window of byStart) {
        const last = merges.at(-1);
        if (last === undefined || window.startMs >= last.merged.endMs) {
          merges.push({ merged: window, from: [window] });
          continue;
        }
        last.from.push(window);
        last.merged = new IntervalWindow(last.merged.startMs, Math.max(last.merged.endMs, window.endMs));
      }
      return merges.filter(({ from }) => from.length > 1);
    },
    sideInputWindow: (main: Window) => main,
  }),
);
