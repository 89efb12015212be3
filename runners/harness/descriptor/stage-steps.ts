/** The transforms of a stage, by URN, as the steps that a bundle processor runs. */
import { runnerApi } from "../../../transforms/primitives/beam.js";
import { GLOBAL_MAPPING_URN, IDENTITY_MAPPING_URN } from "../../../transforms/primitives/par-do-payload.js";
import { GLOBAL_WINDOW, type Window } from "../../../transforms/primitives/window.js";
import { windowFnFromProto } from "../../../transforms/primitives/window-fns.js";
import { keyIdsOf } from "../../graph/key-ids.js";
import {
  type CombineFnSpec,
  type CombinePart,
  type FusedStep,
  type PartStep,
  type RestrictionPart,
  readParDo,
  readStep,
} from "../../graph/step.js";
import { timestampCombinerOf } from "../../graph/windowing-strategies.js";
import { type DescriptorGraph, onlyOf } from "./descriptor-graph.js";

type Read = (graph: DescriptorGraph, id: string, transform: runnerApi.PTransform) => FusedStep;

/** Transforms that runners make, and that no graph holds. */
const PARTS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ["beam:transform:sdf_pair_with_restriction:v1", restriction("pair")],
  ["beam:transform:sdf_split_and_size_restrictions:v1", restriction("split")],
  ["beam:transform:sdf_truncate_sized_restrictions:v1", restriction("truncate")],
  ["beam:transform:sdf_process_sized_element_and_restrictions:v1", processRestrictions],
  ["beam:transform:combine_per_key_precombine:v1", precombine],
  ["beam:transform:combine_per_key_merge_accumulators:v1", combine("merge")],
  ["beam:transform:combine_per_key_extract_outputs:v1", combine("extract")],
  ["beam:transform:combine_per_key_convert_to_accumulators:v1", combine("convert")],
  ["beam:transform:combine_grouped_values:v1", combine("combineGrouped")],
  ["beam:transform:map_windows:v1", mapWindows],
  ["beam:transform:merge_windows:v1", mergeWindows],
]);

/** @throws on a URN that cannot stand in a stage, and a splittable DoFn that the runner has not taken apart. */
export function readStageStep(
  graph: DescriptorGraph,
  id: string,
  transform: runnerApi.PTransform,
): FusedStep {
  const readPart = PARTS.get(transform.spec?.urn ?? "");
  if (readPart !== undefined) return readPart(graph, id, transform);
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

function restriction(work: RestrictionPart["work"]): Read {
  return (_graph, path, transform) => {
    const { doFn, input } = readParDo(transform, path);
    return partOf(path, transform, input, { kind: "restriction", work, doFn });
  };
}

function processRestrictions(
  _graph: DescriptorGraph,
  id: string,
  transform: runnerApi.PTransform,
): FusedStep {
  const step = readParDo(transform, id);
  if (!step.isSplittable) throw new Error("its ParDo has no restriction coder");
  return step;
}

function combine(
  work: (CombinePart & { readonly work: "merge" | "extract" | "convert" | "combineGrouped" })["work"],
): Read {
  return (_graph, id, transform) => {
    const part = { kind: "combine", work, combineFn: combineFnOf(transform) } as const;
    return partOf(id, transform, onlyOf(transform.inputs, "input"), part);
  };
}

function precombine(graph: DescriptorGraph, id: string, transform: runnerApi.PTransform): PartStep {
  const input = onlyOf(transform.inputs, "input");
  return partOf(id, transform, input, {
    kind: "combine",
    work: "precombine",
    combineFn: combineFnOf(transform),
    keyId: keyIdsOf({ id: input, coderId: graph.collection(input).coderId }, graph.components),
    timestampCombiner: timestampCombinerOf(graph.strategyOf(input).outputTime),
  });
}

function combineFnOf(transform: runnerApi.PTransform): CombineFnSpec {
  const { combineFn } = runnerApi.CombinePayload.fromBinary(transform.spec!.payload);
  if (combineFn === undefined) throw new Error("it names no CombineFn");
  return combineFn;
}

function mapWindows(_graph: DescriptorGraph, id: string, transform: runnerApi.PTransform): PartStep {
  const { urn } = runnerApi.FunctionSpec.fromBinary(transform.spec!.payload);
  const map = MAPPINGS.get(urn);
  if (map === undefined) throw new Error(`window mapping function "${urn}" is not known`);
  return partOf(id, transform, onlyOf(transform.inputs, "input"), { kind: "windows", work: "map", map });
}

/** The third one, by the time of a window's end, is missing: a runner does not say here by which windows. */
const MAPPINGS: ReadonlyMap<string, (main: Window) => Window> = new Map([
  [GLOBAL_MAPPING_URN, () => GLOBAL_WINDOW],
  [IDENTITY_MAPPING_URN, (main: Window) => main],
]);

function mergeWindows(_graph: DescriptorGraph, id: string, transform: runnerApi.PTransform): PartStep {
  const windowFn = windowFnFromProto(runnerApi.FunctionSpec.fromBinary(transform.spec!.payload));
  const merge = windowFn.isMerging ? (windows: readonly Window[]) => windowFn.merge!(windows) : undefined;
  return partOf(id, transform, onlyOf(transform.inputs, "input"), { kind: "windows", work: "merge", merge });
}

function partOf(
  path: string,
  transform: runnerApi.PTransform,
  input: string,
  part: PartStep["part"],
): PartStep {
  onlyOf(transform.outputs, "output");
  return { kind: "part", path, transform, part, input, outputs: new Map(Object.entries(transform.outputs)) };
}
