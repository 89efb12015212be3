/** Side inputs of a step as its descriptor encodes them. */
import type { BeamCoder } from "../../../transforms/primitives/coders/beam-coder.js";
import { ITERABLE_ACCESS_URN, MULTIMAP_ACCESS_URN } from "../../../transforms/primitives/par-do-payload.js";
import type { Window } from "../../../transforms/primitives/window.js";
import { windowMappingOf } from "../../graph/side-input-windows.js";
import type { ParDoStep } from "../../graph/step.js";
import type { DescriptorGraph } from "./descriptor-graph.js";

export interface StageSideInput {
  readonly transformId: string;
  /** Local name of the input. */
  readonly name: string;
  /** Id of the PCollection. */
  readonly collection: string;
  readonly access: "iterable" | "multimap";
  readonly elementCoder: BeamCoder<unknown>;
  /** Of the elements' keys and values, with multimap access. */
  readonly keyCoder?: BeamCoder<unknown>;
  readonly valueCoder?: BeamCoder<unknown>;
  readonly windowCoder: BeamCoder<Window>;
  /** From a main window to the side input's. */
  mapWindow(main: Window): Window;
}

/** By local name. @throws on an access pattern or window mapping that is not known. */
export function readSideInputs(
  graph: DescriptorGraph,
  { path, payload, sideInputs }: Pick<ParDoStep, "path" | "payload" | "sideInputs">,
): Map<string, StageSideInput> {
  const read = (name: string, collection: string): StageSideInput => {
    const side = payload.sideInputs[name]!;
    const access = accessOf(side.accessPattern?.urn, name);
    return {
      transformId: path,
      name,
      collection,
      access,
      elementCoder: graph.coderOf(collection),
      ...(access === "multimap" ? graph.kvCodersOf(collection) : {}),
      windowCoder: graph.windowCoderOf(collection),
      mapWindow: windowMappingOf(side, graph.strategyOf(collection)),
    };
  };
  return new Map([...sideInputs].map(([name, collection]) => [name, read(name, collection)]));
}

function accessOf(urn: string | undefined, name: string): StageSideInput["access"] {
  if (urn === ITERABLE_ACCESS_URN) return "iterable";
  if (urn === MULTIMAP_ACCESS_URN) return "multimap";
  throw new Error(
    `side input "${name}" is read by the access pattern "${urn ?? "none"}", which is not known`,
  );
}
