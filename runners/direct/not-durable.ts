/** What of a graph would be lost with the process: state that no epoch commits yet. */
import type { SplittableDoFn } from "../../transforms/primitives/do-fn.js";
import { createDoFn } from "../../transforms/primitives/fn-registry.js";
import type { ParDoStep, Plan } from "../graph/translate.js";

/** The pipeline has committed epochs, and state that was not committed with them is gone. */
export class StateNotDurableError extends Error {
  override readonly name = "StateNotDurableError";
  readonly code = "MILLRACE_STATE_NOT_DURABLE";

  constructor(
    pipeline: string,
    epoch: number,
    readonly steps: readonly string[],
  ) {
    super(
      `pipeline "${pipeline}" cannot go on after its epoch ${epoch}: what these steps kept in memory ` +
        `was not committed and is lost: ${steps.join(", ")}. Start it under another name, and let its ` +
        "sinks take what they have already",
    );
  }
}

/** The steps whose state a restart cannot derive from what is committed, each with what it keeps. */
export function stepsNotDurable({ stages, runnerSteps }: Plan): string[] {
  const impulses = new Set(runnerSteps.flatMap((step) => (step.kind === "impulse" ? [step.output] : [])));
  const parDos = stages.flatMap(({ steps }) => steps.filter((step) => step.kind === "parDo"));
  // Such a stage gets one bundle an epoch; what is left for it is committed with the sources, and not processed.
  const carried = new Set(
    stages.flatMap(({ roots, outputs }) =>
      outputs.length === 0 ? [] : roots.map((root) => root.collection),
    ),
  );
  return [
    ...runnerSteps.flatMap((step) =>
      step.kind === "redistribute" && carried.has(step.output)
        ? [`${step.path} (elements on their way)`]
        : [],
    ),
    ...runnerSteps.flatMap(({ kind, path }) => (kind === "groupByKey" ? [`${path} (groups)`] : [])),
    ...parDos.flatMap((step) => {
      const kept = keptBy(step, impulses);
      return kept === undefined ? [] : [`${step.path} (${kept})`];
    }),
  ];
}

function keptBy(step: ParDoStep, impulses: ReadonlySet<string>): string | undefined {
  if (step.isStateful) return "state and timers";
  if (step.sideInputs.size > 0) return "side inputs";
  if (!step.isSplittable) return undefined;
  return impulses.has(step.input) && restoresPosition(step) ? undefined : "positions";
}

function restoresPosition({ doFn }: ParDoStep): boolean {
  if (doFn.kind !== "registered") return false;
  return (createDoFn(doFn.fn, doFn.config) as SplittableDoFn).restoresPosition ?? false;
}
