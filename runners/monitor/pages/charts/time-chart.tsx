/** Figures over time: one or more lines or stacked areas, with what they are now, or under the pointer, above. */
import { useEffect, useRef, useState } from "preact/hooks";
import { useTheme } from "../theme.js";
import { forget, inTurn } from "./in-turn.js";
import { type Drawing, KeptPlot } from "./kept-plot.js";
import { createPlot } from "./plot.js";
import { chartColours, type DrawnSeries, plotOptions } from "./plot-options.js";
import type { ChartData } from "./rolling-window.js";
import { drawnData } from "./stacked.js";

export interface TimeChartProps {
  readonly title: string;
  readonly series: readonly DrawnSeries[];
  readonly data: ChartData;
  readonly format: (value: number | null) => string;
  readonly kind?: "lines" | "stacked areas" | "stacked bars";
  readonly height?: number;
  /** Charts of one group show the same moment. */
  readonly group?: string;
}

export function TimeChart(props: TimeChartProps) {
  const { title, series, data, format, kind = "lines", height = 132, group } = props;
  const holder = useRef<HTMLDivElement>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  const { theme } = useTheme();
  const names = series.map(({ name }) => name);
  const madeFor = JSON.stringify([theme, names, kind, height]);

  useDrawing(holder, [madeFor, data], {
    madeFor,
    data: () => drawnData(data, series, kind !== "lines"),
    make: (drawn) => {
      const element = holder.current;
      if (element === null) throw new Error(`The chart "${title}" is drawn, but it is not on the page`);
      const width = Math.max(120, element.clientWidth);
      const colours = chartColours();
      const onPoint = setPointed;
      const options = plotOptions({ width, height, series, kind, format, colours, group, onPoint });
      return createPlot(options, drawn, element);
    },
  });

  const index = pointed !== null && pointed < data.atSeconds.length ? pointed : data.atSeconds.length - 1;
  return (
    <figure class="chart" aria-label={summary(props)}>
      <figcaption class="chart-head">
        <span class="chart-title">{title}</span>
        <span class="chart-legend">
          {series.map(({ name, label }, position) => (
            <span key={name} class="chart-entry">
              {series.length > 1 && <span class={`swatch tone-${(position % 6) + 1}`} />}
              {series.length > 1 && <span class="chart-label">{label}</span>}
              <span class="chart-value">{format(data.values[name]?.[index] ?? null)}</span>
            </span>
          ))}
        </span>
      </figcaption>
      <div class="chart-plot" ref={holder} />
    </figure>
  );
}

/** Draws it in its turn whenever an input changes; a later drawing takes the place of one that still waits. */
function useDrawing(
  holder: { readonly current: HTMLElement | null },
  inputs: readonly unknown[],
  drawing: Drawing,
): void {
  const kept = useRef(new KeptPlot());
  useEffect(() => inTurn(kept, "canvas", () => kept.current.draw(drawing)), inputs);
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const resize = new ResizeObserver(() => kept.current.fit(element.clientWidth));
    resize.observe(element);
    return () => {
      resize.disconnect();
      forget(kept);
      kept.current.destroy();
    };
  }, []);
}

/** What the picture says, for those who do not see it. */
function summary({ title, series, data, format }: TimeChartProps): string {
  const parts = series.map(({ name, label }) => {
    const known = (data.values[name] ?? []).filter((value) => value !== null);
    if (known.length === 0) return `${label}: nothing yet`;
    const least = known.reduce((a, b) => Math.min(a, b));
    const most = known.reduce((a, b) => Math.max(a, b));
    return `${label}: now ${format(known.at(-1) ?? null)}, between ${format(least)} and ${format(most)}`;
  });
  return `${title}. ${parts.join("; ")}`;
}
