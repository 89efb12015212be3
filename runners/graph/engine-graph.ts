/** From a plan to the graph that the engine runs: nodes between PCollections, coders and windows made callable. */
import type { runnerApi } from "../../transforms/primitives/beam.js";
import { coderFromProto } from "../../transforms/primitives/coders/coder-from-proto.js";
import { decodeFromBytes } from "../../transforms/primitives/coders/encode.js";
import { fromBeamMillis } from "../../transforms/primitives/coders/instant.js";
import { GLOBAL_WINDOW } from "../../transforms/primitives/window.js";
import type {
  EngineGraph,
  EngineNode,
  StageRoot as EngineRoot,
  KeyedRoot,
  SideInput,
  TestStreamEvent,
} from "../engine/engine-graph.js";
import { type CombineFailed, combineFailed, combinerOf } from "./group-combiner.js";
import { keyIdsOf } from "./key-ids.js";
import { isTriggered, windowMappingOf } from "./side-input-windows.js";
import type { ParDoStep, RunnerStep, TestStreamStep } from "./step.js";
import type { ExecutableStage, Plan, StageRoot } from "./translate.js";
import { allowedLatenessMsOf, toWindowingStrategy } from "./windowing-strategies.js";

/**
 * Node ids are stage ids and step paths, PCollection ids those of the plan. Keys are canonical as
 * `keyIdsOf` says.
 * @param failed what a CombineFn that throws fails the run with
 * @throws on a coder, window function, trigger or window mapping that is not known.
 */
export function toEngineGraph(plan: Plan, failed: CombineFailed = combineFailed): EngineGraph {
  const nodes = [
    ...plan.runnerSteps.map((step) => ({
      node: named(step.path, () => runnerNode(plan, step, failed)),
      reads: Object.values(step.transform.inputs),
    })),
    ...plan.stages.map((stage) => ({
      node: stageNode(plan, stage),
      reads: [...stage.roots.map(({ collection }) => collection), ...stage.sideInputs],
    })),
  ];
  return { nodes: inOrder(nodes) };
}

/** Producers before consumers, else in the order given. */
function inOrder(nodes: readonly { node: EngineNode; reads: readonly string[] }[]): EngineNode[] {
  const sorted: EngineNode[] = [];
  const made = new Set<string>();
  let waiting = nodes;
  while (waiting.length > 0) {
    const ready = waiting.filter(({ reads }) => reads.every((id) => made.has(id)));
    if (ready.length === 0) {
      throw new Error(`nodes wait for each other: ${waiting.map(({ node }) => node.id).join(", ")}`);
    }
    for (const { node } of ready) {
      sorted.push(node);
      for (const id of outputsOf(node)) made.add(id);
    }
    waiting = waiting.filter(({ node }) => !sorted.includes(node));
  }
  return sorted;
}

function outputsOf(node: EngineNode): Iterable<string> {
  if (node.kind === "stage") return node.outputs;
  return node.kind === "testStream" ? node.outputs.values() : [node.output];
}

function runnerNode(plan: Plan, step: RunnerStep, failed: CombineFailed): EngineNode {
  const id = step.path;
  switch (step.kind) {
    case "impulse": {
      const element = { value: new Uint8Array(), window: GLOBAL_WINDOW };
      return { kind: "impulse", id, output: step.output, element };
    }
    case "redistribute":
      return { kind: "redistribute", id, input: step.input, output: step.output };
    case "testStream":
      return testStreamNode(plan, step);
    case "groupByKey":
      return {
        kind: "groupByKey",
        id,
        input: step.input,
        output: step.output,
        strategy: toWindowingStrategy(strategyOf(plan, step.input)),
        combiner: step.combine && combinerOf(plan, step.combine, failed),
        keyId: keyIdsOf(collectionOf(plan, step.input), plan.components),
      };
  }
}

function testStreamNode({ components }: Plan, { path, payload, outputs }: TestStreamStep): EngineNode {
  const coder = coderFromProto(components, payload.coderId);
  // The tag of a stream's only output may be empty in its events.
  const [onlyTag] = outputs.size === 1 ? [...outputs.keys()] : [];
  const tagOf = (tag: string): string => {
    const found = outputs.has(tag) ? tag : onlyTag;
    if (found === undefined) throw new Error(`an event is for the output "${tag}", which it does not have`);
    return found;
  };
  const toEvent = ({ event }: runnerApi.TestStreamPayload_Event): TestStreamEvent => {
    switch (event.oneofKind) {
      case "watermarkEvent": {
        const { newWatermark, tag } = event.watermarkEvent;
        return { kind: "watermark", tag: tagOf(tag), watermarkMs: fromBeamMillis(newWatermark) };
      }
      case "processingTimeEvent":
        return { kind: "processing-time", advanceMs: Number(event.processingTimeEvent.advanceDuration) };
      case "elementEvent": {
        const elements = event.elementEvent.elements.map(({ encodedElement, timestamp }) => ({
          value: decodeFromBytes(coder, encodedElement),
          timestampMs: fromBeamMillis(timestamp),
          window: GLOBAL_WINDOW,
        }));
        return { kind: "elements", tag: tagOf(event.elementEvent.tag), elements };
      }
      default:
        throw new Error("an event of a test stream must be elements, a watermark or processing time");
    }
  };
  return { kind: "testStream", id: path, outputs, events: payload.events.map(toEvent) };
}

function stageNode(plan: Plan, { id, roots, outputs }: ExecutableStage): EngineNode {
  return { kind: "stage", id, roots: roots.map((root) => engineRoot(plan, root)), outputs };
}

function engineRoot(plan: Plan, { id, kind, collection, consumers }: StageRoot): EngineRoot {
  const step = consumers[0]!.step;
  const isAlone = id === step.path && step.kind === "parDo";
  const sideInputs = isAlone ? named(step.path, () => sideInputsOf(plan, step)) : [];
  const allowedLatenessMs = allowedLatenessMsOf(strategyOf(plan, collection));
  const root = { id, input: collection, kind, sideInputs, allowedLatenessMs };
  return isAlone && kind === "keyed" ? { ...root, keyed: named(id, () => keyedRoot(plan, step)) } : root;
}

function keyedRoot(plan: Plan, { input, payload }: ParDoStep): KeyedRoot {
  const keyId = keyIdsOf(collectionOf(plan, input), plan.components);
  return {
    keyOf: (value) => keyId((value as { readonly key: unknown }).key),
    allowedLatenessMs: allowedLatenessMsOf(strategyOf(plan, input)),
    hasExpirationCallback: payload.onWindowExpirationTimerFamilySpec !== "",
    isTimeSorted: payload.requiresTimeSortedInput,
  };
}

function sideInputsOf(plan: Plan, { path, payload, sideInputs }: ParDoStep): SideInput[] {
  return [...sideInputs].map(([name, collection]) => {
    const strategy = strategyOf(plan, collection);
    return {
      step: path,
      name,
      collection,
      mapWindow: windowMappingOf(payload.sideInputs[name]!, strategy),
      isTriggered: isTriggered(strategy),
      allowedLatenessMs: allowedLatenessMsOf(strategy),
    };
  });
}

function collectionOf({ collections }: Plan, id: string) {
  const collection = collections.get(id);
  if (collection === undefined) throw new Error(`the plan has no PCollection "${id}"`);
  return collection;
}

function strategyOf(plan: Plan, collection: string): runnerApi.WindowingStrategy {
  const id = collectionOf(plan, collection).windowingStrategyId;
  const strategy = plan.components.windowingStrategies[id];
  if (strategy === undefined)
    throw new Error(`PCollection "${collection}" has no windowing strategy "${id}"`);
  return strategy;
}

/** Says which step could not be translated. */
function named<T>(step: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new Error(`step "${step}": ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
