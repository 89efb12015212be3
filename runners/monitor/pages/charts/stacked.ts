/** What is handed to the drawing: times and lines, or for stacks the sums, the highest first so that lower ones cover it. */
import type { ChartData } from "./rolling-window.js";

export type Drawn = [number[], ...(number | null)[][]];

export function drawnData(
  data: ChartData,
  series: readonly { readonly name: string }[],
  isStacked: boolean,
): Drawn {
  const lines = series.map(({ name }) => data.values[name] ?? data.atSeconds.map(() => null));
  if (!isStacked) return [[...data.atSeconds], ...lines.map((line) => [...line])];
  const sums: (number | null)[][] = [];
  let below = new Array<number>(data.atSeconds.length).fill(0);
  for (const line of lines) {
    below = below.map((sum, at) => sum + (line[at] ?? 0));
    sums.unshift(below);
  }
  return [[...data.atSeconds], ...sums];
}
