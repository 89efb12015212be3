/** What a host knows of the graph around its steps. */
import type { StepFacts } from "../bundle/host.js";
import type { Window } from "../engine/element.js";
import type { EngineGraph, SideInput } from "../engine/engine-graph.js";
import { keyIdsOf } from "../graph/key-ids.js";
import type { Plan } from "../graph/translate.js";

/** What a host takes from the graph. */
export interface HostedGraph {
  stepFacts(step: string): StepFacts;
  /** @throws when the step has no side input of that name */
  sideInput(step: string, name: string): HostedSideInput;
}

export interface HostedSideInput {
  mapWindow(main: Window): Window;
  /** The canonical form of the key of an element `{ key, value }`. */
  keyId(key: unknown): string;
}

export function hostedGraph(graph: EngineGraph, plan: Plan): HostedGraph {
  const roots = graph.nodes.flatMap((node) => (node.kind === "stage" ? node.roots : []));
  const sideInputs = new Map(
    roots.flatMap(({ sideInputs: sides }) =>
      sides.map((side) => [nameOf(side), hosted(side, plan)] as const),
    ),
  );
  const latenessMs = new Map(roots.map((root) => [root.id, root.keyed?.allowedLatenessMs ?? 0]));
  const unbounded = unboundedSteps(plan);
  return {
    stepFacts: (step) => ({
      allowedLatenessMs: latenessMs.get(step) ?? 0,
      isBounded: !unbounded.has(step),
    }),
    sideInput: (step, name) => {
      const side = sideInputs.get(nameOf({ step, name }));
      if (side === undefined) throw new Error(`step "${step}" has no side input "${name}"`);
      return side;
    },
  };
}

function nameOf({ step, name }: { readonly step: string; readonly name: string }): string {
  return `${step}\0${name}`;
}

function hosted(side: SideInput, { collections, components }: Plan): HostedSideInput {
  const collection = collections.get(side.collection);
  if (collection === undefined) throw new Error(`the plan has no PCollection "${side.collection}"`);
  // Only where it is read by key must it have a coder of keys.
  let ids: ((key: unknown) => string) | undefined;
  const keyId = (key: unknown) => {
    ids ??= keyIdsOf(collection, components);
    return ids(key);
  };
  return { mapWindow: (main) => side.mapWindow(main), keyId };
}

/** Paths of the steps that make an unbounded PCollection. */
export function unboundedSteps({ collections }: Plan): ReadonlySet<string> {
  const made = [...collections.values()].filter(({ isBounded }) => !isBounded);
  return new Set(made.map(({ producer }) => producer.step));
}
