/** What a host knows of the graph around its steps. */
import type { StepFacts } from "../bundle/host.js";
import type { EngineGraph, SideInput } from "../engine/engine-graph.js";
import type { ParDoStep, Plan } from "../graph/translate.js";

/** What a host takes from the graph. */
export interface HostedGraph {
  stepFacts(step: string): StepFacts;
  /** @throws when the step has no side input of that name */
  sideInput(step: string, name: string): SideInput;
}

export function hostedGraph(graph: EngineGraph, plan: Plan): HostedGraph {
  const roots = graph.nodes.flatMap((node) => (node.kind === "stage" ? node.roots : []));
  const sideInputs = new Map(
    roots.flatMap((root) => root.sideInputs.map((side) => [`${side.step}\0${side.name}`, side] as const)),
  );
  const latenessMs = new Map(roots.map((root) => [root.id, root.keyed?.allowedLatenessMs ?? 0]));
  const unbounded = unboundedSteps(plan);
  return {
    stepFacts: (step) => ({
      allowedLatenessMs: latenessMs.get(step) ?? 0,
      isBounded: !unbounded.has(step),
    }),
    sideInput: (step, name) => {
      const side = sideInputs.get(`${step}\0${name}`);
      if (side === undefined) throw new Error(`step "${step}" has no side input "${name}"`);
      return side;
    },
  };
}

/** Paths of the steps that make an unbounded PCollection. */
export function unboundedSteps({ collections }: Plan): ReadonlySet<string> {
  const made = [...collections.values()].filter(({ isBounded }) => !isBounded);
  return new Set(made.map(({ producer }) => producer.step));
}
