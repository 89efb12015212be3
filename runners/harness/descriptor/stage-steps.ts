/** The transforms of a stage, by URN, as the steps that a bundle processor runs. */
import type { runnerApi } from "../../../transforms/primitives/beam.js";
import { type FusedStep, readStep } from "../../graph/step.js";

/** @throws on a URN that cannot stand in a stage, and a splittable DoFn that the runner has not taken apart. */
export function readStageStep(id: string, transform: runnerApi.PTransform): FusedStep {
  const step = readStep(transform, id);
  switch (step.kind) {
    case "flatten":
      return step;
    case "parDo":
      if (step.isSplittable) throw new Error("a splittable DoFn must come in parts, with sized restrictions");
      return step;
    default:
      throw new Error("a transform of this kind is not known in a stage");
  }
}
