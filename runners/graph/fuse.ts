/** Fusion: which steps run together in one stage, an element passing from one to the next by a call. */
import { type FusedStep, inputsOf, outputsOf, type RunnerStep } from "./step.js";

/**
 * Steps that work on a bundle together. Elements enter at the roots; what a step emits goes straight
 * to its consumers, never encoded.
 */
export interface ExecutableStage {
  /** Path of its first step: stable between runs of the same graph. */
  readonly id: string;
  /** Where elements come in. */
  readonly roots: readonly StageRoot[];
  /** ParDo and Flatten steps, producers before consumers: the order of `finishBundle`. */
  readonly steps: readonly FusedStep[];
  /**
   * By PCollection id: the steps of this stage that are called with what another step of it emits. A
   * PCollection that no step of the stage reads has no entry.
   */
  readonly consumers: ReadonlyMap<string, readonly Consumer[]>;
  /** Ids of the PCollections made here and read by another stage or a runner step. */
  readonly outputs: readonly string[];
  /** Ids of the PCollections whose contents must be ready, per window, before an element is run. */
  readonly sideInputs: readonly string[];
}

/** A PCollection made outside of the stage, and the steps that its elements are given to. */
export interface StageRoot {
  /** Unique in the stage: the step's path where the step is alone here, else the PCollection's id. */
  readonly id: string;
  /** Whether elements come as they are, by key with their state, or with restrictions. */
  readonly kind: "elements" | "keyed" | "splittable";
  /** Id of the PCollection: made by a runner step or another stage. */
  readonly collection: string;
  /**
   * The steps to call with each element. A splittable or stateful step and one with side inputs is alone
   * here, since the host must treat its elements differently: with a restriction, in the order and scope of
   * their key, or not before the side inputs are there.
   */
  readonly consumers: readonly Consumer[];
}

/** A step that reads a PCollection. */
export interface Consumer {
  readonly step: FusedStep;
  /** Local name of the input at that step, e.g. `main`, or `0` for a flatten's first. */
  readonly input: string;
}

/**
 * Fuses steps, given producers first, into stages, producers first. A stage is cut before a step that
 * needs its input materialised (state, side inputs, a splittable DoFn) and at every runner step: a
 * GroupByKey, a redistribution.
 *
 * Each step gets a depth, the largest number of cuts on the way to it, and only neighbours of equal
 * depth are fused: so a stage never waits for its own output by way of another stage. The price is an
 * edge materialised where a deep and a shallow branch meet in a Flatten.
 */
export function fuse(steps: readonly (FusedStep | RunnerStep)[]): ExecutableStage[] {
  const producers = producersOf(steps);
  const depths = depthsOf(steps, producers);
  const fused = steps.filter(isFused);
  const stages = group(fused, producers, depths).map((members) => buildStage(members, steps));
  const depthOf = (stage: ExecutableStage) => depths.get(stage.steps[0]!)!;
  return stages.sort((a, b) => depthOf(a) - depthOf(b));
}

/** Joins each step to its producers of equal depth, and to its siblings: other readers of the same input. */
function group(fused: readonly FusedStep[], producers: Producers, depths: Depths): FusedStep[][] {
  const groups = new Groups(fused);
  const siblings = new Map<string, FusedStep>();
  for (const step of fused.filter((step) => !needsInputMaterialised(step))) {
    for (const id of mainInputs(step)) {
      const producer = producers.get(id)!;
      if (isFused(producer) && depths.get(producer) === depths.get(step)) {
        groups.join(producer, step);
      } else {
        const sibling = `${depths.get(step)} ${id}`;
        groups.join(siblings.get(sibling) ?? step, step);
        siblings.set(sibling, step);
      }
    }
  }
  return groups.all();
}

type Producers = ReadonlyMap<string, FusedStep | RunnerStep>;
type Depths = ReadonlyMap<FusedStep | RunnerStep, number>;

/** Whether a stage must begin at the step, with a root of its own. */
function needsInputMaterialised(step: FusedStep): boolean {
  return step.kind === "parDo" && (step.isSplittable || step.isStateful || step.sideInputs.size > 0);
}

export function isFused(step: FusedStep | RunnerStep): step is FusedStep {
  return step.kind === "parDo" || step.kind === "flatten" || step.kind === "part";
}

function mainInputs(step: FusedStep | RunnerStep): readonly string[] {
  if (step.kind === "parDo" || step.kind === "part") return [step.input];
  return inputsOf(step);
}

function producersOf(steps: readonly (FusedStep | RunnerStep)[]): Producers {
  return new Map(steps.flatMap((step) => outputsOf(step).map((id) => [id, step] as const)));
}

function depthsOf(steps: readonly (FusedStep | RunnerStep)[], producers: Producers): Depths {
  const depths = new Map<FusedStep | RunnerStep, number>();
  const depthOfProducer = (id: string, reader: string) => {
    const depth = depths.get(producers.get(id)!);
    if (depth === undefined) throw new Error(`step "${reader}" reads "${id}" before any step makes it`);
    return depth;
  };
  for (const step of steps) {
    const cuts = !isFused(step) || needsInputMaterialised(step);
    const main = mainInputs(step).map((id) => {
      const depth = depthOfProducer(id, step.path);
      return cuts && isFused(producers.get(id)!) ? depth + 1 : depth;
    });
    const side = step.kind === "parDo" ? [...step.sideInputs.values()] : [];
    depths.set(step, Math.max(0, ...main, ...side.map((id) => depthOfProducer(id, step.path) + 1)));
  }
  return depths;
}

function buildStage(
  members: readonly FusedStep[],
  all: readonly (FusedStep | RunnerStep)[],
): ExecutableStage {
  const inside = new Set<FusedStep | RunnerStep>(members);
  const made = new Set(members.flatMap(outputsOf));
  const consumers = new Map<string, Consumer[]>();
  const roots = new Map<string, StageRoot & { consumers: Consumer[] }>();
  for (const step of members) {
    for (const { id, input } of mainInputsByName(step)) {
      if (made.has(id)) {
        append(consumers, id, { step, input });
        continue;
      }
      const rootId = needsInputMaterialised(step) ? step.path : id;
      const root = roots.get(rootId) ?? { id: rootId, kind: rootKind(step), collection: id, consumers: [] };
      root.consumers.push({ step, input });
      roots.set(rootId, root);
    }
  }
  const readOutside = new Set(all.filter((step) => !inside.has(step)).flatMap(inputsOf));
  return {
    id: members[0]!.path,
    roots: [...roots.values()],
    steps: members,
    consumers,
    outputs: [...made].filter((id) => readOutside.has(id)),
    sideInputs: [...new Set(members.flatMap((s) => (s.kind === "parDo" ? [...s.sideInputs.values()] : [])))],
  };
}

function rootKind(step: FusedStep): StageRoot["kind"] {
  if (step.kind !== "parDo") return "elements";
  if (step.isSplittable) return "splittable";
  return step.isStateful ? "keyed" : "elements";
}

function mainInputsByName(step: FusedStep): { id: string; input: string }[] {
  const all = Object.entries(step.transform.inputs).map(([input, id]) => ({ id, input }));
  return step.kind === "parDo" ? all.filter(({ input }) => !step.sideInputs.has(input)) : all;
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Disjoint sets of steps. */
class Groups {
  private readonly groupOf = new Map<FusedStep, Set<FusedStep>>();
  constructor(private readonly order: readonly FusedStep[]) {
    for (const step of order) this.groupOf.set(step, new Set([step]));
  }
  join(a: FusedStep, b: FusedStep): void {
    const into = this.groupOf.get(a)!;
    const from = this.groupOf.get(b)!;
    if (into === from) return;
    for (const step of from) {
      into.add(step);
      this.groupOf.set(step, into);
    }
  }
  /** Every group, its steps and the groups in the order first given. */
  all(): FusedStep[][] {
    const groups = new Map<Set<FusedStep>, FusedStep[]>();
    for (const step of this.order) append(groups, this.groupOf.get(step)!, step);
    return [...groups.values()];
  }
}
