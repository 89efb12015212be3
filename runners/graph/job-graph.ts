/** A plan as it is drawn: steps with where they stand, arrows from who makes a PCollection to who reads it. */
import { redact } from "../../sql/redact.js";
import type { GraphStep, JobGraph } from "../job/job-view.js";
import { type FusedStep, inputsOf, type RunnerStep } from "./step.js";
import type { Plan } from "./translate.js";

export function jobGraph(plan: Plan): JobGraph {
  const stages = plan.stages.flatMap((stage) => stage.steps.map((step) => [step, stage.id] as const));
  const runnerSteps = plan.runnerSteps.map((step) => [step, step.path] as const);
  const readers = [...runnerSteps, ...stages];
  const edges = readers.flatMap(([step]) =>
    inputsOf(step).map((collection) => {
      const from = plan.collections.get(collection)!.producer.step;
      return { from, to: step.path, collection };
    }),
  );
  return { steps: inOrder(readers, edges).map(([step, stage]) => graphStep(step, stage)), edges };
}

type Placed = readonly [step: FusedStep | RunnerStep, stage: string];

/** Producers first. */
function inOrder(steps: readonly Placed[], edges: JobGraph["edges"]): Placed[] {
  const ordered: Placed[] = [];
  const done = new Set<string>();
  const byPath = new Map(steps.map((placed) => [placed[0].path, placed]));
  const visit = (placed: Placed): void => {
    const { path } = placed[0];
    if (done.has(path)) return;
    done.add(path);
    for (const { from, to } of edges) if (to === path) visit(byPath.get(from)!);
    ordered.push(placed);
  };
  steps.forEach(visit);
  return ordered;
}

function graphStep(step: FusedStep | RunnerStep, stage: string): GraphStep {
  const names = step.path.split("/");
  const isParDo = step.kind === "parDo";
  const spec = isParDo || step.kind === "part" ? step.doFn : undefined;
  const doFn = spec?.kind === "registered" ? spec : undefined;
  return {
    id: step.path,
    name: names.at(-1)!,
    composites: names.slice(0, -1).map((_, at) => names.slice(0, at + 1).join("/")),
    urn: step.transform.spec?.urn ?? "",
    kind: kindOf(step),
    stage,
    hasState: isParDo && Object.keys(step.payload.stateSpecs).length > 0,
    hasTimers: isParDo && Object.keys(step.payload.timerFamilySpecs).length > 0,
    doFn: doFn === undefined ? null : { name: doFn.fn, config: withoutSecrets(doFn.config) },
  };
}

function kindOf(step: FusedStep | RunnerStep): GraphStep["kind"] {
  switch (step.kind) {
    case "parDo":
      return step.isSplittable ? "source" : "parDo";
    case "part":
      return "parDo";
    case "redistribute":
      return "reshuffle";
    case "testStream":
      return "source";
    default:
      return step.kind;
  }
}

const SECRET_NAME = /password|passphrase|secret|token|credential|api_?key/i;

/** What stands under a name that speaks of a secret is not shown, and no password in an address. */
function withoutSecrets(value: unknown): unknown {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      SECRET_NAME.test(name) ? "***" : withoutSecrets(inner),
    ]),
  );
}
