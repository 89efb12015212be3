/** What has changed between two graphs, step by step: state that one of them has left fits only the very same graph. */
import { createHash } from "node:crypto";
import { runnerApi } from "../../transforms/primitives/beam.js";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";
import { readSteps, type Step } from "./step.js";

/** A leaf as it is kept beside state. */
export interface DescribedStep {
  readonly path: string;
  /** Its URN, or the registered name of its DoFn. */
  readonly does: string;
  readonly config: JsonValue;
  /** Ids of the PCollections that it reads and makes, by local name. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  /** Of all that else is said of it: state, timers, restriction; of its outputs coders and windows. */
  readonly digest: string;
}

/** Describes the leaves; `proto` must come from `graphProto`, whose ids are the same in every process. */
export function describeGraph(proto: runnerApi.Pipeline): DescribedStep[] {
  return readSteps(proto).map((step) => ({
    path: step.path,
    ...workOf(step),
    inputs: step.transform.inputs,
    outputs: step.transform.outputs,
    digest: digestOf(step, proto.components!),
  }));
}

/** One sentence for each difference; none when the graphs are the same. */
export function graphDifferences(before: readonly DescribedStep[], now: readonly DescribedStep[]): string[] {
  const known = new Map(before.map((step) => [step.path, step]));
  const left = new Set(known.keys());
  const differences: string[] = [];
  for (const step of now) {
    const earlier = known.get(step.path);
    left.delete(step.path);
    if (earlier === undefined) differences.push(`step ${step.path} is new`);
    else differences.push(...changesOf(earlier, step));
  }
  return [...differences, ...[...left].map((path) => `step ${path} is gone`)];
}

function workOf(step: Step): Pick<DescribedStep, "does" | "config"> {
  if (step.kind === "parDo" && step.doFn.kind === "registered")
    return { does: step.doFn.fn, config: step.doFn.config };
  return { does: step.transform.spec?.urn ?? "", config: null };
}

function digestOf(step: Step, components: runnerApi.Components): string {
  const hash = createHash("sha256");
  if (step.kind === "parDo") {
    const { doFn: _, ...rest } = step.payload;
    hash.update(runnerApi.ParDoPayload.toBinary(runnerApi.ParDoPayload.create(rest)));
    addCoder(step.payload.restrictionCoderId);
  } else hash.update(step.transform.spec?.payload ?? new Uint8Array());
  for (const id of Object.values(step.transform.outputs)) {
    const { coderId, windowingStrategyId, isBounded } = components.pcollections[id]!;
    addCoder(coderId);
    const strategy = components.windowingStrategies[windowingStrategyId];
    if (strategy !== undefined) hash.update(runnerApi.WindowingStrategy.toBinary(strategy));
    hash.update(String(isBounded));
  }
  return hash.digest("hex").slice(0, 16);

  function addCoder(id: string): void {
    const coder = components.coders[id];
    if (coder === undefined) return;
    hash.update(coder.spec?.urn ?? "").update(coder.spec?.payload ?? new Uint8Array());
    coder.componentCoderIds.forEach(addCoder);
  }
}

function changesOf(before: DescribedStep, now: DescribedStep): string[] {
  const at = (what: string) => `step ${now.path}: ${what}`;
  if (before.does !== now.does) return [at(`it is ${now.does}, was ${before.does}`)];
  const changes = configChanges(before.config, now.config).map(at);
  for (const [what, earlier, later] of [
    ["reads", before.inputs, now.inputs],
    ["makes", before.outputs, now.outputs],
  ] as const) {
    if (!isSame(earlier, later))
      changes.push(at(`it ${what} ${list(later)}, ${what} before ${list(earlier)}`));
  }
  if (changes.length === 0 && before.digest !== now.digest)
    changes.push(at("its state, timers, coders or windows are others"));
  return changes;
}

function configChanges(before: JsonValue, now: JsonValue): string[] {
  if (isSame(before, now)) return [];
  if (!isObject(before) || !isObject(now)) return [`its configuration is ${text(now)}, was ${text(before)}`];
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((key) => !isSame(before[key], now[key]))
    .map((key) => `its ${key} is ${text(now[key])}, was ${text(before[key])}`);
}

function isObject(value: JsonValue): value is { readonly [key: string]: JsonValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Both have been JSON, whose keys may come in any order. */
function isSame(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  return text(a) === text(b);
}

function text(value: JsonValue | undefined): string {
  const sorted = (_key: string, one: JsonValue) =>
    isObject(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one;
  return value === undefined ? "nothing" : JSON.stringify(value, sorted);
}

function list(ids: Readonly<Record<string, string>>): string {
  return Object.values(ids).sort().join(", ") || "nothing";
}
