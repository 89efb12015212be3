/** Figures over time: one or more lines or stacked areas, with what they are now, or under the pointer, above. */
import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { useTheme } from "../theme.js";
import { forget, inTurn } from "./in-turn.js";
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
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ data, kind, series });
  latest.current = { data, kind, series };
  const [pointed, setPointed] = useState<number | null>(null);
  const { theme } = useTheme();
  const names = series.map(({ name }) => name).join(",");

  // colours come with the theme, series with their names
  useEffect(() => {
    const element = holder.current;
    if (element === null) return;
    const owner = {};
    const resize = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (plot.current !== null && width > 0 && width !== plot.current.width)
        plot.current.setSize({ width, height });
    });
    inTurn(owner, () => {
      const now = latest.current;
      const options = plotOptions({
        width: Math.max(120, element.clientWidth),
        height,
        series: now.series,
        kind: now.kind,
        format,
        colours: chartColours(),
        group,
        onPoint: setPointed,
      });
      plot.current = createPlot(options, drawnData(now.data, now.series, now.kind !== "lines"), element);
      resize.observe(element);
    });
    return () => {
      forget(owner);
      resize.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [theme, names, kind, height]);

  // the latest series are read when their turn comes
  useEffect(() => {
    inTurn(holder, () => {
      const now = latest.current;
      plot.current?.setData(drawnData(now.data, now.series, now.kind !== "lines"));
    });
    return () => forget(holder);
  }, [data]);

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
