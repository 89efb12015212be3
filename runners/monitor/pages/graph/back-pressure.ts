/** Which step of a graph the others wait for, and how a step stands. */
import type { GraphFigures, JobGraph, StepFigures } from "../../../job/job-view.js";

export type Standing = "idle" | "running" | "busy" | "blocked" | "bottleneck";

const queueFull = 0.8;
const busy = 0.8;
const blocked = 0.2;

/** A bottleneck is busy behind a full queue; who waits for those behind it is blocked. */
export function standingOf(figures: StepFigures | undefined): Standing {
  if (figures === undefined) return "idle";
  const isBusy = (figures.busyShare ?? 0) >= busy;
  if (isBusy && (figures.queueFill ?? 0) >= queueFull) return "bottleneck";
  if ((figures.blockedShare ?? 0) >= blocked) return "blocked";
  if (isBusy) return "busy";
  return (figures.inPerSecond ?? 0) > 0 || (figures.outPerSecond ?? 0) > 0 ? "running" : "idle";
}

export function figuresById(figures: GraphFigures | null): ReadonlyMap<string, StepFigures> {
  return new Map((figures?.steps ?? []).map((step) => [step.id, step]));
}

/** One sentence on what limits the job. */
export function limitSentence(graph: JobGraph, figures: GraphFigures | null): string {
  if (figures === null) return "Figures come with the first elements.";
  const standing = figures.steps.map((step) => ({ step, is: standingOf(step) }));
  const name = (id: string) => graph.steps.find((step) => step.id === id)?.name ?? id;
  const bottlenecks = standing.filter(({ is }) => is === "bottleneck").map(({ step }) => name(step.id));
  const waiting = standing.filter(({ is }) => is === "blocked").length;
  if (bottlenecks.length > 0) {
    const waits =
      waiting === 0 ? "" : waiting === 1 ? "; one step waits for it" : `; ${waiting} steps wait for it`;
    return `Back-pressure: ${bottlenecks.join(" and ")} ${bottlenecks.length === 1 ? "is" : "are"} busy behind a full queue${waits}.`;
  }
  if (waiting > 0)
    return `Back-pressure: ${waiting === 1 ? "one step waits" : `${waiting} steps wait`} for those behind.`;
  if (standing.every(({ is }) => is === "idle")) return "No elements are flowing.";
  return "No back-pressure: every step keeps up.";
}

/** How thick an arrow is: by orders of magnitude, so that a trickle is seen beside a flood. */
export function edgeWidth(perSecond: number): number {
  return 1.25 + Math.log10(1 + Math.max(0, perSecond)) * 0.75;
}
