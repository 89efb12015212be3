/** A chart's plot, which is kept while what it was made for stays as it is, and made anew when that is another. */
import type { Drawn } from "./stacked.js";

export interface Plot {
  readonly width: number;
  readonly height: number;
  setData(data: Drawn): void;
  setSize(size: { readonly width: number; readonly height: number }): void;
  destroy(): void;
}

/** A plot is made for its series and can take no figures of fewer: what belongs together comes together. */
export interface Drawing {
  /** Names series, colours, size: a plot takes the figures of drawings that have the same here, and of no others. */
  readonly madeFor: string;
  readonly data: () => Drawn;
  readonly make: (data: Drawn) => Plot;
}

export class KeptPlot {
  private plot: Plot | null = null;
  private madeFor = "";

  draw({ madeFor, data, make }: Drawing): void {
    if (this.plot !== null && this.madeFor === madeFor) {
      this.plot.setData(data());
      return;
    }
    this.destroy();
    this.plot = make(data());
    this.madeFor = madeFor;
  }

  fit(width: number): void {
    if (this.plot === null || width <= 0 || width === this.plot.width) return;
    this.plot.setSize({ width, height: this.plot.height });
  }

  destroy(): void {
    this.plot?.destroy();
    this.plot = null;
  }
}
