/** Where each step and arrow of a job's graph is drawn. */
import { Graph, layout } from "@dagrejs/dagre";
import type { GraphStep, JobGraph } from "../../../job/job-view.js";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PlacedStep extends Box {
  readonly step: GraphStep;
  /** Without what its composite says already. */
  readonly label: string;
}

export interface PlacedComposite extends Box {
  readonly name: string;
}

export interface PlacedEdge {
  readonly from: string;
  readonly to: string;
  readonly collection: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface PlacedGraph {
  readonly width: number;
  readonly height: number;
  readonly steps: readonly PlacedStep[];
  readonly composites: readonly PlacedComposite[];
  readonly edges: readonly PlacedEdge[];
}

export const stepWidth = 208;
export const stepHeight = 90;
const rankGap = 46;
const margin = 20;

/** From left to right where so many steps one behind the other have room, else downwards. */
export function directionFor(graph: JobGraph, availableWidth: number): "LR" | "TB" {
  return longestPath(graph) * (stepWidth + rankGap) + 2 * margin <= availableWidth ? "LR" : "TB";
}

/** How many steps are one behind the other at most. */
export function longestPath(graph: JobGraph): number {
  const lengths = new Map<string, number>();
  const after = new Map<string, string[]>();
  for (const { from, to } of graph.edges) after.set(from, [...(after.get(from) ?? []), to]);
  const lengthFrom = (id: string): number => {
    const known = lengths.get(id);
    if (known !== undefined) return known;
    // a graph of Beam has no cycles; one that had would still end
    lengths.set(id, 1);
    const length = 1 + Math.max(0, ...(after.get(id) ?? []).map(lengthFrom));
    lengths.set(id, length);
    return length;
  };
  return Math.max(0, ...graph.steps.map(({ id }) => lengthFrom(id)));
}

/** Lays the graph out from left to right, or downwards where the screen is narrow. */
export function layoutGraph(graph: JobGraph, direction: "LR" | "TB"): PlacedGraph {
  const drawing = new Graph({ compound: true, multigraph: true });
  drawing.setGraph({
    rankdir: direction,
    nodesep: 26,
    ranksep: rankGap,
    edgesep: 18,
    marginx: margin,
    marginy: margin,
  });
  drawing.setDefaultEdgeLabel(() => ({}));
  const composites = new Set(graph.steps.flatMap((step) => step.composites.slice(0, 1)));
  for (const step of graph.steps) {
    drawing.setNode(step.id, { width: stepWidth, height: stepHeight });
  }
  for (const name of composites) {
    const members = graph.steps.filter((step) => step.composites[0] === name);
    // around one step a frame says nothing
    if (members.length < 2) continue;
    drawing.setNode(compositeId(name), {});
    for (const step of members) drawing.setParent(step.id, compositeId(name));
  }
  const known = new Set(graph.steps.map((step) => step.id));
  const edges = graph.edges.filter(({ from, to }) => known.has(from) && known.has(to));
  edges.forEach(({ from, to }, index) => {
    drawing.setEdge(from, to, {}, String(index));
  });
  layout(drawing);
  const framed = [...composites].filter((name) => drawing.hasNode(compositeId(name)));
  const { width = 0, height = 0 } = drawing.graph() as { width?: number; height?: number };
  return {
    width,
    height,
    steps: graph.steps.map((step) => ({
      ...box(drawing.node(step.id) as Box),
      step,
      label: labelOf(step, framed),
    })),
    composites: framed.map((name) => ({ ...box(drawing.node(compositeId(name)) as Box), name })),
    edges: edges.map((edge, index) => ({
      ...edge,
      points: (drawing.edge(edge.from, edge.to, String(index)) as { points: PlacedEdge["points"] }).points,
    })),
  };
}

/** A smooth line through the points, as an SVG path. */
export function pathThrough(points: PlacedEdge["points"]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  let path = `M${round(first.x)},${round(first.y)}`;
  rest.forEach((point, index) => {
    const after = rest[index + 1];
    if (after === undefined) {
      path += `L${round(point.x)},${round(point.y)}`;
    } else {
      path += `Q${round(point.x)},${round(point.y)} ${round((point.x + after.x) / 2)},${round((point.y + after.y) / 2)}`;
    }
  });
  return path;
}

/** Of all steps, the one that the arrow key moves to from here; null where there is none on that side. */
export function neighbour(
  placed: PlacedGraph,
  from: string,
  key: "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown",
): string | null {
  const here = placed.steps.find(({ step }) => step.id === from);
  if (here === undefined) return null;
  const along = key === "ArrowLeft" || key === "ArrowRight" ? ("x" as const) : ("y" as const);
  const across = along === "x" ? "y" : "x";
  const sign = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
  let best: { id: string; distance: number } | null = null;
  for (const other of placed.steps) {
    const ahead = (other[along] - here[along]) * sign;
    if (ahead <= 1) continue;
    const distance = ahead + 2 * Math.abs(other[across] - here[across]);
    if (best === null || distance < best.distance) best = { id: other.step.id, distance };
  }
  return best?.id ?? null;
}

/** Dagre places centres; boxes are drawn from their corner. */
function box({ x, y, width, height }: Box): Box {
  return { x: x - width / 2, y: y - height / 2, width, height };
}

function labelOf(step: GraphStep, framed: readonly string[]): string {
  const [outer] = step.composites;
  if (outer === undefined) return step.name;
  const inner = step.name.startsWith(`${outer}/`) ? step.name.slice(outer.length + 1) : step.name;
  return framed.includes(outer) || inner.startsWith(outer) ? inner : outer;
}

/** Names of steps have no blank in front. */
function compositeId(name: string): string {
  return ` ${name}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
