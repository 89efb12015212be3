/** The Beam graph, drawn once, its figures live: where elements flow, and where they wait. */
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { GraphFigures, JobGraph } from "../../../job/job-view.js";
import { edgeWidth, figuresById, limitSentence, standingOf } from "../graph/back-pressure.js";
import { directionFor, layoutGraph, neighbour, type PlacedGraph, pathThrough } from "../graph/layout.js";
import { StepCard } from "../graph/step-card.js";
import { StepPanel } from "../graph/step-panel.js";
import { StepTable } from "../graph/step-table.js";
import { type LiveState, useLive } from "../live/live.js";
import { go } from "../navigation.js";
import { Loaded } from "../parts/notice.js";
import { Panel } from "../parts/panel.js";
import { pathOf } from "../route.js";
import { useResource } from "../use-resource.js";

const figuresOf = (live: LiveState) => live.graph;
/** Links at the side and the edges of the panel. */
const besideGraph = 270;
const zooms = [0.5, 0.65, 0.8, 1, 1.25, 1.5];

export function GraphPage({ id }: { readonly id: string | null }) {
  const graph = useResource<JobGraph>("/api/graph");
  return <Loaded resource={graph}>{(data) => <Drawing graph={data} selected={id} />}</Loaded>;
}

function Drawing({ graph, selected }: { readonly graph: JobGraph; readonly selected: string | null }) {
  const live = useLive(figuresOf);
  const first = useResource<GraphFigures>(live === null ? "/api/graph/figures" : null);
  const figures = live ?? first.data;
  const byId = figuresById(figures);
  const [zoom, setZoom] = useState(1);
  const placed = useMemo(() => layoutGraph(graph, directionFor(graph, innerWidth - besideGraph)), [graph]);
  const isWide = placed.width > placed.height;
  const frame = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const room = frame.current?.clientWidth ?? placed.width;
    setZoom(zooms.findLast((fits) => fits <= 1 && fits * placed.width <= room) ?? zooms[0] ?? 1);
  }, [placed]);
  const step = graph.steps.find((known) => known.id === selected);
  const opener = useRef<string | null>(null);

  const select = (id: string) => {
    opener.current = id;
    go(pathOf({ page: "graph", id }), { replace: selected !== null });
  };
  const close = () => {
    const from = opener.current ?? selected;
    go(pathOf({ page: "graph", id: null }), { replace: true });
    if (from !== null) document.getElementById(`step-${from}`)?.focus();
  };
  const zoomBy = (by: number) => {
    const at = zooms.indexOf(zoom) + by;
    setZoom(zooms[Math.min(zooms.length - 1, Math.max(0, at))] ?? 1);
  };
  return (
    <div class={isWide ? "graph-page is-wide" : "graph-page"}>
      <Panel
        title="Steps"
        note={limitSentence(graph, figures)}
        tools={
          <>
            <button
              type="button"
              aria-label="Smaller"
              disabled={zoom === zooms[0]}
              onClick={() => zoomBy(-1)}
            >
              −
            </button>
            <button
              type="button"
              aria-label="Larger"
              disabled={zoom === zooms.at(-1)}
              onClick={() => zoomBy(1)}
            >
              +
            </button>
          </>
        }
      >
        <div ref={frame} />
        <Canvas placed={placed} zoom={zoom} byId={byId} selected={selected} onSelect={select} />
        <Legend />
      </Panel>
      {step === undefined ? (
        <StepTable graph={graph} byId={byId} atMs={figures?.atMs ?? null} onSelect={select} />
      ) : (
        <StepPanel step={step} figures={byId.get(step.id)} atMs={figures?.atMs ?? null} onClose={close} />
      )}
    </div>
  );
}

function Canvas({
  placed,
  zoom,
  byId,
  selected,
  onSelect,
}: {
  readonly placed: PlacedGraph;
  readonly zoom: number;
  readonly byId: ReturnType<typeof figuresById>;
  readonly selected: string | null;
  readonly onSelect: (id: string) => void;
}) {
  const arrow = (from: string, key: string) => {
    const next = neighbour(placed, from, key as Parameters<typeof neighbour>[2]);
    if (next !== null) document.getElementById(`step-${next}`)?.focus();
    return next !== null;
  };
  const { width, height } = placed;
  return (
    <div class="graph-scroll">
      <div class="graph-size" style={{ width: `${width * zoom}px`, height: `${height * zoom}px` }}>
        <div
          class="graph"
          style={{ width: `${width}px`, height: `${height}px`, transform: `scale(${zoom})` }}
        >
          <Arrows placed={placed} byId={byId} />
          {placed.steps.map((step) => (
            <StepCard
              key={step.step.id}
              placed={step}
              figures={byId.get(step.step.id)}
              isSelected={step.step.id === selected}
              onSelect={() => onSelect(step.step.id)}
              onArrow={(key) => arrow(step.step.id, key)}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

function Arrows({
  placed,
  byId,
}: {
  readonly placed: PlacedGraph;
  readonly byId: ReturnType<typeof figuresById>;
}) {
  const { width, height } = placed;
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      <defs>
        {["flow", "full"].map((name) => (
          <marker
            key={name}
            id={`arrow-${name}`}
            class={`arrow-${name}`}
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="9"
            markerHeight="9"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M0,0.5L8,4L0,7.500z" />
          </marker>
        ))}
      </defs>
      {placed.composites.map(({ name, x, y, width: wide, height: tall }) => (
        <g key={name} class="composite">
          <rect x={x} y={y - 14} width={wide} height={tall + 14} rx="8" />
          <text x={x + 10} y={y + 1}>
            {name}
          </text>
        </g>
      ))}
      {placed.edges.map((edge) => {
        const isFull =
          standingOf(byId.get(edge.to)) === "bottleneck" || (byId.get(edge.to)?.queueFill ?? 0) >= 0.8;
        return (
          <path
            key={`${edge.from} ${edge.to} ${edge.collection}`}
            class={isFull ? "edge is-full" : "edge"}
            d={pathThrough(edge.points)}
            stroke-width={edgeWidth(byId.get(edge.from)?.outPerSecond ?? 0)}
            marker-end={`url(#arrow-${isFull ? "full" : "flow"})`}
          />
        );
      })}
    </svg>
  );
}

function Legend() {
  return (
    <p class="legend muted">
      <span>
        <span class="key key-flow" /> thicker: more elements a second
      </span>
      <span>
        <span class="key key-full" /> the queue is at least 80 % full
      </span>
      <span>Arrow keys move between steps, Enter opens one.</span>
    </p>
  );
}
