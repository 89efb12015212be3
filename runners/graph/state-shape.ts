/** What of a plan decides whether stored state fits it: by whatever keeps some, its coders, windows, states and timers. */
import { createHash } from "node:crypto";
import { runnerApi } from "../../transforms/primitives/beam.js";
import type { GroupByKeyStep } from "./step.js";
import type { ParDoStep, Plan } from "./translate.js";

/** By path of a step or id of a PCollection, then by what it keeps: how that is written, in words that people know. */
export type StateShape = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The graph is another one than that whose state is stored. */
export class StateShapeError extends Error {
  override readonly name = "StateShapeError";
  readonly code = "MILLRACE_STATE_SHAPE";

  constructor(
    pipeline: string,
    readonly differences: readonly string[],
  ) {
    super(
      `the state of pipeline "${pipeline}" does not fit its graph: ${differences.join("; ")}. Start it as it was, ` +
        "go back to a savepoint of the same shape, or begin under another name",
    );
  }
}

/** The plan must come from `graphProto`, whose paths and ids are the same in every process. */
export function stateShapeOf(plan: Plan): StateShape {
  const shape: Record<string, Record<string, string>> = {};
  const add = (owner: string, parts: Readonly<Record<string, string>>) => {
    shape[owner] = { ...shape[owner], ...parts };
  };
  const waiting = new Set(
    plan.stages.flatMap(({ roots, sideInputs }) => [
      ...roots.filter(({ kind }) => kind === "elements").map(({ collection }) => collection),
      ...sideInputs,
    ]),
  );
  for (const id of waiting) add(id, { elements: coderOf(plan, id), windows: windowsOf(plan, id) });
  for (const step of plan.runnerSteps) {
    if (step.kind !== "groupByKey") continue;
    add(step.path, { elements: groupedOf(plan, step), windows: windowingOf(plan, step.input) });
  }
  for (const step of plan.stages.flatMap(({ steps }) => steps)) {
    if (step.kind === "parDo") add(step.path, shapeOfParDo(plan, step));
  }
  return Object.fromEntries(Object.entries(shape).filter(([, parts]) => Object.keys(parts).length > 0));
}

/**
 * One sentence for each thing that is written in another way. What one of the two does not have is no difference: a
 * new step begins with nothing, and state whose step is gone is refused when there is any.
 */
export function shapeDifferences(stored: StateShape, now: StateShape): string[] {
  return Object.entries(now).flatMap(([owner, parts]) => {
    const before = stored[owner];
    if (before === undefined) return [];
    return Object.entries(parts).flatMap(([part, is]) => {
      const was = before[part];
      return was === undefined || was === is ? [] : [`${part} of "${owner}": was ${was}, is ${is}`];
    });
  });
}

/** @throws StateShapeError when stored state is written in another way than the graph's */
export function refuseOtherShape(pipeline: string, stored: StateShape | undefined, now: StateShape): void {
  const differences = stored === undefined ? [] : shapeDifferences(stored, now);
  if (differences.length > 0) throw new StateShapeError(pipeline, differences);
}

function shapeOfParDo(plan: Plan, step: ParDoStep): Record<string, string> {
  const { payload, isStateful, isSplittable, input } = step;
  const parts: Record<string, string> = {};
  if (isSplittable) parts["restrictions"] = coderText(plan.components, payload.restrictionCoderId);
  if (!isStateful) return parts;
  parts["elements"] = coderOf(plan, input);
  parts["windows"] = windowsOf(plan, input);
  for (const [name, { spec }] of Object.entries(payload.stateSpecs))
    parts[`state "${name}"`] = stateText(plan, spec);
  const expiration = payload.onWindowExpirationTimerFamilySpec;
  for (const [name, { timeDomain }] of Object.entries(payload.timerFamilySpecs)) {
    if (name === expiration) continue;
    parts[`timer "${name}"`] = runnerApi.TimeDomain_Enum[timeDomain]?.toLowerCase() ?? String(timeDomain);
  }
  // Keys that were kept without it are not known by the order in which they would be told.
  parts["onWindowExpiration"] = expiration === "" ? "not declared" : "declared";
  return parts;
}

/** Accumulators belong to their CombineFn; values to nobody. */
function groupedOf(plan: Plan, { input, combine }: GroupByKeyStep): string {
  const elements = coderOf(plan, input);
  if (combine === undefined) return elements;
  const { fn, config, accumulatorCoderId } = combine;
  const by = `${fn}${config === null ? "" : digest(Buffer.from(JSON.stringify(config)))}`;
  return `${elements} combined by ${by} to ${coderText(plan.components, accumulatorCoderId)}`;
}

function stateText({ components }: Plan, spec: runnerApi.StateSpec["spec"]): string {
  const coder = (id: string) => coderText(components, id);
  switch (spec.oneofKind) {
    case "readModifyWriteSpec":
      return `value of ${coder(spec.readModifyWriteSpec.coderId)}`;
    case "bagSpec":
      return `bag of ${coder(spec.bagSpec.elementCoderId)}`;
    case "combiningSpec":
      return `combining of ${coder(spec.combiningSpec.accumulatorCoderId)}`;
    case "setSpec":
      return `set of ${coder(spec.setSpec.elementCoderId)}`;
    case "mapSpec":
      return `map of ${coder(spec.mapSpec.keyCoderId)} to ${coder(spec.mapSpec.valueCoderId)}`;
    default:
      return spec.oneofKind ?? "nothing";
  }
}

function coderOf({ collections, components }: Plan, id: string): string {
  return coderText(components, collections.get(id)!.coderId);
}

/** The assignment alone: what is kept in windows is found by them. */
function windowsOf(plan: Plan, id: string): string {
  const { windowFn } = strategyOf(plan, id);
  return `${shortUrn(windowFn?.urn ?? "")}${digest(windowFn?.payload)}`;
}

/** With the trigger, which has state of its own, and what becomes of a pane's values. */
function windowingOf(plan: Plan, id: string): string {
  const { trigger, accumulationMode } = strategyOf(plan, id);
  const kind = trigger?.trigger.oneofKind ?? "none";
  const triggers = trigger === undefined ? undefined : runnerApi.Trigger.toBinary(trigger);
  const mode = runnerApi.AccumulationMode_Enum[accumulationMode]?.toLowerCase();
  return `${windowsOf(plan, id)}, trigger ${kind}${digest(triggers)}, ${mode} panes`;
}

function strategyOf({ collections, components }: Plan, id: string): runnerApi.WindowingStrategy {
  return components.windowingStrategies[collections.get(id)!.windowingStrategyId]!;
}

function coderText(components: runnerApi.Components, id: string): string {
  const coder = components.coders[id];
  if (coder === undefined) return `unknown coder "${id}"`;
  const parts = coder.componentCoderIds.map((part) => coderText(components, part));
  const name = `${shortUrn(coder.spec?.urn ?? "")}${digest(coder.spec?.payload)}`;
  return parts.length === 0 ? name : `${name}<${parts.join(", ")}>`;
}

/** `beam:coder:kv:v1` is `kv`; what is not Beam's stays whole. */
function shortUrn(urn: string): string {
  return /^beam:(?:coder|window_fn):(.+?)(?::v\d+|:v\d+\.\d+)?$/.exec(urn)?.[1] ?? urn;
}

/** What a URN does not say: a size, an offset, a name. Empty where there is nothing. */
function digest(payload: Uint8Array | undefined): string {
  if (payload === undefined || payload.length === 0) return "";
  return `#${createHash("sha256").update(payload).digest("hex").slice(0, 8)}`;
}
