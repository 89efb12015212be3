/** The drawing itself, by uPlot. */
import UPlot from "uplot";
import type { Drawn } from "./stacked.js";

export function createPlot(options: UPlot.Options, data: Drawn, element: HTMLElement): UPlot {
  return new UPlot(options, data, element);
}

export function barPaths(): UPlot.Series.PathBuilder {
  const bars = UPlot.paths.bars;
  if (bars === undefined) throw new Error("uPlot draws bars, but `paths.bars` is missing");
  return bars({ size: [0.8, 40], align: 1 });
}
