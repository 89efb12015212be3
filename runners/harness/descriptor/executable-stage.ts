/** The steps of a descriptor as the stage that a bundle processor runs. */
import type { Consumer, ExecutableStage, StageRoot } from "../../graph/fuse.js";
import type { FusedStep } from "../../graph/step.js";

export interface StageParts {
  readonly id: string;
  readonly steps: readonly FusedStep[];
  /** PCollections that come from the runner, and such as go to it. */
  readonly read: readonly string[];
  readonly written: readonly string[];
}

/**
 * A step with side inputs may stand anywhere, as a runner sends elements only when the side inputs of all steps are
 * ready; one with state and a splittable one stand alone behind a source.
 * @throws when a step reads what nothing makes, or a step that needs more than elements is given those of another.
 */
export function buildStage({ id, steps, read, written }: StageParts): ExecutableStage {
  const twice = read.find((collection, i) => read.indexOf(collection) !== i);
  if (twice !== undefined) throw new Error(`two sources make the PCollection "${twice}"`);
  const ordered = inOrder(steps, new Set(read));
  const consumers = new Map<string, Consumer[]>();
  for (const step of ordered) {
    for (const [input, collection] of mainInputsOf(step)) {
      const of = consumers.get(collection) ?? [];
      of.push({ step, input });
      consumers.set(collection, of);
    }
  }
  const roots = read.map((collection) => rootOf(collection, consumers.get(collection) ?? []));
  for (const { kind, collection, consumers: readers } of roots)
    mustBeAlone(kind, collection, readers, written);
  const inside = [...consumers].filter(([collection]) => !read.includes(collection));
  for (const [collection, readers] of inside)
    for (const { step } of readers) mustTakeElements(step, collection);
  return {
    id,
    roots,
    steps: ordered,
    consumers: new Map(inside),
    outputs: [...new Set(written)],
    sideInputs: [...new Set(steps.flatMap((step) => [...sideInputsOf(step).values()]))],
  };
}

/** Those that a step takes elements of, by local name. */
export function mainInputsOf(step: FusedStep): (readonly [input: string, collection: string])[] {
  if (step.kind === "part")
    return Object.entries(step.transform.inputs).filter(([, id]) => id === step.input);
  const sides = sideInputsOf(step);
  return Object.entries(step.transform.inputs).filter(([input]) => !sides.has(input));
}

function sideInputsOf(step: FusedStep): ReadonlyMap<string, string> {
  return step.kind === "parDo" ? step.sideInputs : new Map();
}

/** Producers before consumers, else in the order given. */
function inOrder(steps: readonly FusedStep[], read: ReadonlySet<string>): FusedStep[] {
  const sorted: FusedStep[] = [];
  const made = new Set(read);
  let waiting = steps;
  while (waiting.length > 0) {
    const ready = waiting.filter((step) => mainInputsOf(step).every(([, id]) => made.has(id)));
    if (ready.length === 0) {
      const names = waiting.map(({ path }) => `"${path}"`).join(", ");
      throw new Error(`transforms ${names} read what no source and no other transform of the stage makes`);
    }
    for (const step of ready) {
      sorted.push(step);
      for (const id of Object.values(step.transform.outputs)) made.add(id);
    }
    waiting = waiting.filter((step) => !ready.includes(step));
  }
  return sorted;
}

function rootOf(collection: string, consumers: readonly Consumer[]): StageRoot {
  const kind = consumers.map(({ step }) => rootKind(step)).find((kind) => kind !== "elements") ?? "elements";
  const [first, second] = consumers;
  const isAlone = first !== undefined && second === undefined;
  const ownsRoot = isAlone && (kind !== "elements" || sideInputsOf(first.step).size > 0);
  return { id: ownsRoot ? first.step.path : collection, kind, collection, consumers };
}

function mustBeAlone(
  kind: StageRoot["kind"],
  collection: string,
  readers: readonly Consumer[],
  written: readonly string[],
): void {
  if (kind === "elements") return;
  const names = readers.map(({ step }) => `"${step.path}"`);
  if (written.includes(collection)) names.push("the runner");
  if (names.length === 1) return;
  throw new Error(
    `PCollection "${collection}" goes to ${names.join(", ")}, but a ${kind} transform must be alone behind it`,
  );
}

function rootKind(step: FusedStep): StageRoot["kind"] {
  if (step.kind !== "parDo") return "elements";
  if (step.isSplittable) return "splittable";
  return step.isStateful ? "keyed" : "elements";
}

function mustTakeElements(step: FusedStep, collection: string): void {
  const kind = rootKind(step);
  if (kind === "elements") return;
  throw new Error(
    `transform "${step.path}" is ${kind === "keyed" ? "stateful" : "splittable"} and must read from a data source, ` +
      `but reads "${collection}" of its own stage`,
  );
}
