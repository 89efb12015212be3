/** How every chart of the pages looks: thin axes, steady width, colours of the theme. */
import type uPlot from "uplot";
import { bytes } from "../format.js";
import { barPaths } from "./plot.js";

export interface DrawnSeries {
  readonly name: string;
  readonly label: string;
}

export interface Colours {
  readonly lines: readonly string[];
  readonly areas: readonly string[];
  readonly axis: string;
  readonly grid: string;
}

interface Look {
  readonly width: number;
  readonly height: number;
  readonly series: readonly DrawnSeries[];
  readonly kind: "lines" | "stacked areas" | "stacked bars";
  readonly format: (value: number | null) => string;
  readonly colours: Colours;
  readonly group: string | undefined;
  readonly onPoint: (index: number | null) => void;
}

const tones = [1, 2, 3, 4, 5, 6];
const axisFont = "11px Inter, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', system-ui, sans-serif";
/** Sizes go by powers of two, so that their axis has round figures. */
const byteSteps = Array.from({ length: 45 }, (_, power) => 2 ** power);

/** Of the theme as it is now. */
export function chartColours(): Colours {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  return {
    lines: tones.map((tone) => colour(`--tone-${tone}`)),
    areas: tones.map((tone) => colour(`--tone-${tone}-soft`)),
    axis: colour("--muted"),
    grid: colour("--grid"),
  };
}

export function plotOptions(look: Look): uPlot.Options {
  const { width, height, colours, group, format } = look;
  return {
    width,
    height,
    legend: { show: false },
    padding: [6, 14, 0, 0],
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 6 },
      ...(group === undefined ? {} : { sync: { key: group } }),
    },
    scales: { x: { time: true }, y: { range: (_plot, _least, most) => [0, niceTop(most)] } },
    axes: [
      {
        stroke: colours.axis,
        font: axisFont,
        size: 24,
        gap: 4,
        space: 64,
        grid: { show: false },
        ticks: { stroke: colours.grid, size: 4, width: 1 },
        values: (_plot, splits, _axis, _space, step) => splits.map((at) => timeLabel(at, step)),
      },
      {
        stroke: colours.axis,
        font: axisFont,
        size: 62,
        gap: 4,
        space: 30,
        grid: { stroke: colours.grid, width: 1 },
        ticks: { show: false },
        ...(format === bytes ? { incrs: byteSteps } : {}),
        values: (_plot, splits) => splits.map((value) => format(value)),
      },
    ],
    series: [{}, ...drawnSeries(look)],
    hooks: { setCursor: [(plot) => look.onPoint(plot.cursor.idx ?? null)] },
  };
}

function drawnSeries({ series, kind, colours }: Look): uPlot.Series[] {
  const drawn = series.map((_, index): uPlot.Series => {
    const tone = index % tones.length;
    const stroke = colours.lines[tone] ?? "gray";
    const soft = colours.areas[tone] ?? "transparent";
    const points = { show: false };
    if (kind === "stacked bars") return { stroke, fill: stroke, width: 0, points, paths: barPaths() };
    if (kind === "stacked areas") return { stroke, fill: stroke, width: 0, points };
    return { stroke, width: 1.5, points, ...(index === 0 ? { fill: soft } : {}) };
  });
  // sums are drawn from the highest, see drawnData
  return kind === "lines" ? drawn : drawn.reverse();
}

/** A little room above, and a scale where all is 0. */
function niceTop(most: number | null): number {
  return most === null || most <= 0 ? 1 : most * 1.08;
}

function timeLabel(atSeconds: number, stepSeconds: number): string {
  const date = new Date(atSeconds * 1_000);
  const two = (value: number) => String(value).padStart(2, "0");
  if (stepSeconds >= 86_400) return `${two(date.getDate())}.${two(date.getMonth() + 1)}.`;
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return stepSeconds < 60 ? `${minutes}:${two(date.getSeconds())}` : minutes;
}
