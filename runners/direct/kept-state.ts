/** What a pipeline keeps between its epochs beside its rows and positions, and when a start must be refused because of it. */
import { restoresPosition } from "../graph/state-codec.js";
import type { ParDoStep, Plan } from "../graph/translate.js";

/** The pipeline has committed epochs, and no state was committed with them. */
export class StateNotDurableError extends Error {
  override readonly name = "StateNotDurableError";
  readonly code = "MILLRACE_STATE_NOT_DURABLE";

  constructor(
    pipeline: string,
    epoch: number,
    readonly steps: readonly string[],
  ) {
    super(
      `pipeline "${pipeline}" cannot go on after its epoch ${epoch}: no state was committed with it, but these steps ` +
        `keep some: ${steps.join(", ")}. Start it as it was, or under another name, and let its sinks take what they ` +
        "have already",
    );
  }
}

/** The state of the pipeline is at its end: its windows are closed, and nothing can come any more. */
export class PipelineDrainedError extends Error {
  override readonly name = "PipelineDrainedError";
  readonly code = "MILLRACE_PIPELINE_DRAINED";

  constructor(pipeline: string) {
    super(
      `pipeline "${pipeline}" was drained: its windows are closed, and nothing can come any more. Start it under ` +
        "another name, and let its sinks take what they have already",
    );
  }
}

/** The steps whose state a restart cannot derive from rows and positions, each with what it keeps. */
export function stepsWithState({ stages, runnerSteps }: Plan): string[] {
  const impulses = new Set(runnerSteps.flatMap((step) => (step.kind === "impulse" ? [step.output] : [])));
  const parDos = stages.flatMap(({ steps }) => steps.filter((step) => step.kind === "parDo"));
  // Such a stage gets a bundle or a few an epoch; what is left for it is committed with the sources, and not processed.
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
