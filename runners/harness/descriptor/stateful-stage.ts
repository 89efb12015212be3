/** State and timers of a step as its descriptor encodes them. */
import { runnerApi } from "../../../transforms/primitives/beam.js";
import type { BeamCoder } from "../../../transforms/primitives/coders/beam-coder.js";
import { TimerCoder } from "../../../transforms/primitives/coders/windowed-value-coders.js";
import type { Window } from "../../../transforms/primitives/window.js";
import type { ParDoStep } from "../../graph/step.js";
import type { DescriptorGraph } from "./descriptor-graph.js";

export interface StatefulStage {
  readonly transformId: string;
  /** Of the main input's KV coder in the descriptor: with the length prefix that the runner may have added. */
  readonly keyCoder: BeamCoder<unknown>;
  readonly windowCoder: BeamCoder<Window>;
  readonly states: ReadonlyMap<string, StageState>;
  /** By family. */
  readonly timers: ReadonlyMap<string, StageTimer>;
  /** The family that the runner fires at a window's end. */
  readonly expirationFamily: string | undefined;
}

/** A value is a bag of one, a combining state a bag of accumulators. */
export type StageState =
  | { readonly kind: "bag" | "set"; readonly elementCoder: BeamCoder<unknown> }
  | { readonly kind: "map"; readonly keyCoder: BeamCoder<unknown>; readonly valueCoder: BeamCoder<unknown> };

export interface StageTimer {
  readonly domain: "event-time" | "processing-time";
  readonly coder: TimerCoder<unknown>;
}

/** @throws on a kind of state or a time domain that is not known. */
export function readStatefulStage(
  graph: DescriptorGraph,
  { path, input, payload }: ParDoStep,
): StatefulStage {
  const { stateSpecs, timerFamilySpecs, onWindowExpirationTimerFamilySpec: expirationFamily } = payload;
  const states = Object.entries(stateSpecs).map(
    ([name, spec]) => [name, readState(graph, name, spec)] as const,
  );
  const timers = Object.entries(timerFamilySpecs).map(
    ([family, spec]) => [family, readTimer(graph, family, spec)] as const,
  );
  return {
    transformId: path,
    keyCoder: graph.kvCodersOf(input).keyCoder,
    windowCoder: graph.windowCoderOf(input),
    states: new Map(states),
    timers: new Map(timers),
    expirationFamily: expirationFamily === "" ? undefined : expirationFamily,
  };
}

function readState(graph: DescriptorGraph, name: string, { spec }: runnerApi.StateSpec): StageState {
  switch (spec.oneofKind) {
    case "readModifyWriteSpec":
      return { kind: "bag", elementCoder: graph.coder(spec.readModifyWriteSpec.coderId) };
    case "bagSpec":
      return { kind: "bag", elementCoder: graph.coder(spec.bagSpec.elementCoderId) };
    case "combiningSpec":
      return { kind: "bag", elementCoder: graph.coder(spec.combiningSpec.accumulatorCoderId) };
    case "setSpec":
      return { kind: "set", elementCoder: graph.coder(spec.setSpec.elementCoderId) };
    case "mapSpec":
      return {
        kind: "map",
        keyCoder: graph.coder(spec.mapSpec.keyCoderId),
        valueCoder: graph.coder(spec.mapSpec.valueCoderId),
      };
    default:
      throw new Error(`state "${name}" is of a kind that is not known: ${spec.oneofKind ?? "none"}`);
  }
}

function readTimer(
  graph: DescriptorGraph,
  family: string,
  { timeDomain, timerFamilyCoderId }: runnerApi.TimerFamilySpec,
): StageTimer {
  const coder = graph.coder(timerFamilyCoderId);
  if (!(coder instanceof TimerCoder)) {
    throw new Error(`timer family "${family}" must have a coder of timers, got "${timerFamilyCoderId}"`);
  }
  switch (timeDomain) {
    case runnerApi.TimeDomain_Enum.EVENT_TIME:
      return { domain: "event-time", coder };
    case runnerApi.TimeDomain_Enum.PROCESSING_TIME:
      return { domain: "processing-time", coder };
    default:
      throw new Error(`timer family "${family}" is in a time domain that is not known: ${timeDomain}`);
  }
}
