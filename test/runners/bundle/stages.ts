/** Stages made by hand, and bundles run through them. */
import { BundleProcessor } from "../../../runners/bundle/bundle-processor.js";
import { readFields } from "../../../runners/bundle/do-fn-fields.js";
import type { BundleInput, KeyedItem, RestrictionWork, TimerFiring } from "../../../runners/engine/bundle.js";
import type { Element, Window } from "../../../runners/engine/element.js";
import type { ExecutableStage, FusedStep, ParDoStep, StageRoot } from "../../../runners/graph/translate.js";
import { runnerApi } from "../../../transforms/primitives/beam.js";
import type { DoFn, SplittableDoFn } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { GLOBAL_WINDOW, IntervalWindow, NO_FIRING } from "../../../transforms/primitives/window.js";
import type { TestHost } from "./hosts.js";
import type { TestScope } from "./test-scope.js";

// biome-ignore lint/suspicious/noExplicitAny: a DoFn of any element type stands in a stage
type AnyDoFn = DoFn<any> | SplittableDoFn<any, any, any, any>;

export interface StepOptions {
  readonly input?: string;
  /** PCollections by tag; default: one, of the step's name. */
  readonly outputs?: Readonly<Record<string, string>>;
}

let registered = 0;

/** A step that runs this very DoFn. */
export function parDo(path: string, doFn: AnyDoFn, { input = "in", outputs }: StepOptions = {}): ParDoStep {
  const fn = registerDoFn(`bundle-test-${registered++}`, () => doFn);
  const { states, timers, sideInputs } = readFields(doFn);
  return {
    kind: "parDo",
    path,
    transform: runnerApi.PTransform.create({ uniqueName: path }),
    doFn: { kind: "registered", fn, config: null },
    input,
    sideInputs: new Map([...sideInputs.values()].map((name) => [name, `side.${name}`])),
    outputs: new Map(Object.entries(outputs ?? { main: path })),
    payload: runnerApi.ParDoPayload.create(),
    isSplittable: "createTracker" in doFn,
    isStateful: states.size + timers.size > 0,
  };
}

/** Function as a DoFn. */
export function fn<In>(process: DoFn<In>["process"], more: Partial<DoFn<In>> = {}): DoFn<In> {
  return { ...more, process };
}

/** Fuses steps by the names of their inputs; PCollections in `read` (default: those that no step reads) are the host's. */
export function stageOf(steps: readonly FusedStep[], read?: readonly string[]): ExecutableStage {
  const made = steps.flatMap((step) =>
    step.kind === "flatten" ? [step.output] : [...step.outputs.values()],
  );
  const inputsOf = (step: FusedStep) => (step.kind === "flatten" ? [...step.inputs] : [step.input]);
  const consumersOf = (collection: string) =>
    steps.flatMap((step) =>
      inputsOf(step).flatMap((id) => (id === collection ? [{ step, input: "main" }] : [])),
    );
  const outside = [...new Set(steps.flatMap(inputsOf))].filter((id) => !made.includes(id));
  return {
    id: steps[0]!.path,
    roots: outside.flatMap((collection) => {
      const consumers = consumersOf(collection);
      const shared = consumers.filter(({ step }) => !hasRootOfItsOwn(step));
      const own = consumers.filter(({ step }) => hasRootOfItsOwn(step));
      return [
        ...(shared.length > 0
          ? [{ id: collection, kind: "elements" as const, collection, consumers: shared }]
          : []),
        ...own.map((consumer) => ({
          id: consumer.step.path,
          kind: kindOf(consumer.step as ParDoStep),
          collection,
          consumers: [consumer],
        })),
      ];
    }),
    steps,
    consumers: new Map(made.map((id) => [id, consumersOf(id)])),
    outputs: read ?? made.filter((id) => consumersOf(id).length === 0),
    sideInputs: [],
  };
}

function kindOf(step: ParDoStep): StageRoot["kind"] {
  if (step.isSplittable) return "splittable";
  return step.isStateful ? "keyed" : "elements";
}

function hasRootOfItsOwn(step: FusedStep): boolean {
  return step.kind === "parDo" && (step.isSplittable || step.isStateful || step.sideInputs.size > 0);
}

/** A stage of these steps, in a processor. */
export async function processorOf(host: TestHost, ...steps: FusedStep[]): Promise<BundleProcessor> {
  return BundleProcessor.create(stageOf(steps), host);
}

/** Runs one bundle from start to end. */
export async function runBundle(
  processor: BundleProcessor,
  host: TestHost,
  inputs: readonly BundleInput[],
  prepare: (scope: TestScope) => void = () => undefined,
): Promise<TestScope> {
  const scope = host.newScope();
  prepare(scope);
  await processor.startBundle(scope);
  for (const input of inputs) await processor.process(input);
  await processor.finishBundle();
  return scope;
}

export interface ElementOptions {
  readonly timestampMs?: number;
  readonly windows?: readonly Window[];
}

export function element(
  value: unknown,
  { timestampMs = 0, windows = [GLOBAL_WINDOW] }: ElementOptions = {},
): Element {
  return { value, timestampMs, windows, pane: NO_FIRING };
}

/** Elements of the PCollection `in`. */
export function elements(...values: unknown[]): BundleInput {
  return { kind: "elements", root: "in", elements: values.map((value) => element(value)) };
}

/** [0, 10), [10, 20), … */
export function window(startMs: number, endMs = startMs + 10): IntervalWindow {
  return new IntervalWindow(startMs, endMs);
}

/** Items of a key, in a window. */
export function keyed(root: string, key: string, ...items: KeyedItem[]): BundleInput {
  return { kind: "keyed", root, keys: [{ keyId: key, key, items }] };
}

/** An element `{ key, value }` as an item. */
export function item(
  key: string,
  value: unknown,
  timestampMs = 0,
  inWindow: Window = GLOBAL_WINDOW,
): KeyedItem {
  return {
    kind: "element",
    element: element({ key, value }, { timestampMs, windows: [inWindow] }),
    window: inWindow,
  };
}

export function firing(
  timer: Partial<TimerFiring> & { family: string },
  inWindow: Window = GLOBAL_WINDOW,
): KeyedItem {
  const defaults = { tag: "", domain: "event-time" as const, fireAtMs: 0, outputTimestampMs: 0 };
  return { kind: "timer", timer: { ...defaults, ...timer }, window: inWindow };
}

/** A restriction of an element, not begun unless given. */
export function restriction(
  root: string,
  value: unknown,
  more: Partial<RestrictionWork> & ElementOptions = {},
): BundleInput {
  const { timestampMs, windows, ...work } = more;
  const of = element(value, {
    ...(timestampMs === undefined ? {} : { timestampMs }),
    ...(windows === undefined ? {} : { windows }),
  });
  return {
    kind: "restrictions",
    root,
    work: [{ element: of, restriction: undefined, isTruncated: false, ...work }],
  };
}

/** What a promise rejects with. @throws when it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it did not fail");
}
