/** The table of features: for each name, how to see in a graph that a step uses it. */
import { runnerApi } from "../../transforms/primitives/beam.js";
import {
  FINALIZATION_REQUIREMENT,
  ON_WINDOW_EXPIRATION_REQUIREMENT,
  STATEFUL_REQUIREMENT,
  TIME_SORTED_INPUT_REQUIREMENT,
} from "../../transforms/primitives/par-do-payload.js";
import { SPLITTABLE_REQUIREMENT } from "../../transforms/primitives/splittable-par-do.js";
import { type Detector, NOT_USED, usedIf } from "./detector.js";
import { parDoDetectors } from "./par-do-detectors.js";
import { readSteps } from "./step.js";
import { strategyDetectors } from "./strategy-detectors.js";

const { IsBounded_Enum } = runnerApi;

/** Names are for people: they stand in messages and in the table of what each runner can do. */
export const detectors = {
  "unknown transform": ({ step }) => (step?.kind === "unknown" ? [step.urn || "no URN"] : NOT_USED),
  GroupByKey: ({ step }) => usedIf(step?.kind === "groupByKey"),
  Reshuffle: ({ step }) => usedIf(step?.kind === "redistribute"),
  TestStream: ({ step }) => usedIf(step?.kind === "testStream"),
  "several TestStreams": ({ step, proto }) => {
    if (step !== undefined) return NOT_USED;
    const streams = readSteps(proto).filter(({ kind }) => kind === "testStream");
    return streams.length > 1 ? [streams.map(({ path }) => path).join(", ")] : NOT_USED;
  },
  ...parDoDetectors,
  ...strategyDetectors,
  "Flatten of bounded with unbounded": ({ step, proto }) => {
    if (step?.kind !== "flatten") return NOT_USED;
    const kinds = new Set(step.inputs.map((id) => proto.components!.pcollections[id]!.isBounded));
    return usedIf(kinds.has(IsBounded_Enum.BOUNDED) && kinds.has(IsBounded_Enum.UNBOUNDED));
  },
  "foreign environment": ({ step, proto }) => {
    const urn = proto.components!.environments[step?.transform.environmentId ?? ""]?.urn;
    return urn === undefined || urn === "js_default" ? NOT_USED : [urn];
  },
  "unknown requirement": ({ step, proto }) =>
    step === undefined ? proto.requirements.filter((urn) => !KNOWN_REQUIREMENTS.has(urn)) : NOT_USED,
} satisfies Record<string, Detector>;

/** Requirements that the steps show as well, so that they are refused there, by name. */
const KNOWN_REQUIREMENTS = new Set([
  FINALIZATION_REQUIREMENT,
  ON_WINDOW_EXPIRATION_REQUIREMENT,
  SPLITTABLE_REQUIREMENT,
  STATEFUL_REQUIREMENT,
  TIME_SORTED_INPUT_REQUIREMENT,
  "beam:requirement:pardo:stable_input:v1",
]);
