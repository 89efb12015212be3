/** What a detector of a feature is, and the words that detectors are made of. */
import type { runnerApi } from "../../transforms/primitives/beam.js";
import type { ParDoStep, Step } from "./step.js";

/** What a detector looks at: one step, or without a step the graph as a whole. */
export interface Inspected {
  readonly step: Step | undefined;
  readonly proto: runnerApi.Pipeline;
  readonly isRegistered: (fn: string) => boolean;
}

/** One entry for each use of the feature: what exactly is used, or "" if there is nothing to add. */
export type Detector = (inspected: Inspected) => readonly string[];

export const NOT_USED: readonly string[] = [];
const USED: readonly string[] = [""];

export function usedIf(condition: boolean): readonly string[] {
  return condition ? USED : NOT_USED;
}

/** One use, of several things by name. */
export function usesOf(names: readonly string[]): readonly string[] {
  return names.length === 0 ? NOT_USED : [names.join(", ")];
}

export function parDo(detect: (step: ParDoStep, proto: runnerApi.Pipeline) => readonly string[]): Detector {
  return ({ step, proto }) => (step?.kind === "parDo" ? detect(step, proto) : NOT_USED);
}
