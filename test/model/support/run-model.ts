/** Runs the pipeline of a scenario, on the direct runner or on a job server, and keeps what it collects, for exact assertions. */
import { expect } from "chai";
import { type DirectRunnerOptions, directRunner } from "../../../runners/direct/beam-runner.js";
import {
  JobState_Enum,
  type PCollection,
  Pipeline,
  Root,
  withName,
} from "../../../transforms/primitives/beam.js";
import type { DoFn, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { registeredParDo, type StepOf } from "../../../transforms/primitives/par-do.js";
import type { PaneInfo, Window } from "../../../transforms/primitives/window.js";
import { canonicalText, plain } from "./canonical-text.js";
import { type ModelResult, PortableModelResult } from "./model-result.js";
import { submit, succeed } from "./portable-target.js";
import { DirectOnlyError, portableTarget } from "./portable-targets.js";

/** An element as `collect` saw it, once for each of its windows. */
export interface Collected {
  readonly value: unknown;
  readonly timestampMs: number;
  readonly window: Window;
  readonly pane: PaneInfo;
}

/** What `expectElements` and `expectPanes` compare of an element. */
export interface ExpectedElement {
  readonly value: unknown;
  readonly timestampMs?: number;
  /** The window's id: `start/end` in ms, "" for the global one. */
  readonly window?: string;
  readonly timing?: PaneInfo["timing"];
  readonly isFirst?: boolean;
  readonly isLast?: boolean;
  readonly index?: number;
  readonly nonSpeculativeIndex?: number;
}

/** What all runs of this process collected, by run. */
const collections = new Map<number, Map<string, Collected[]>>();
let runs = 0;

interface CollectConfig {
  readonly run: number;
  readonly name: string;
}

class CollectFn implements DoFn {
  readonly observesWindows = true;
  readonly config: CollectConfig;

  constructor(config: CollectConfig) {
    this.config = config;
  }

  process(element: unknown, { timestampMs, window, pane }: ProcessContext): void {
    const collected = collections.get(this.config.run)!.get(this.config.name)!;
    collected.push({ value: plain(element), timestampMs, window, pane });
  }
}

const COLLECT = registerDoFn("test/model/collect@1", (config: CollectConfig) => new CollectFn(config));

/** Keeps every element of the PCollection under `name`, within `runModel`. Values that are iterables become arrays. */
export function collect<T>(name: string): StepOf<PCollection<T>, PCollection<never>> {
  const collected = collections.get(runs);
  if (collected === undefined) throw new Error(`collect("${name}") outside of runModel`);
  if (collected.has(name)) throw new Error(`the run collects "${name}" twice`);
  collected.set(name, []);
  return withName(`Collect ${name}`, registeredParDo<T, never>(COLLECT, { run: runs, name }));
}

/** A run and what it collected. */
export class ModelRun {
  constructor(
    readonly result: ModelResult,
    private readonly run: number,
  ) {}

  /** Name of the job's state, e.g. `DONE`. */
  get state(): string {
    return JobState_Enum[this.result.state];
  }

  /** Elements in the order in which they came. */
  collected(name: string): readonly Collected[] {
    const collected = collections.get(this.run)!.get(name);
    if (collected === undefined) throw new Error(`the run collects nothing as "${name}"`);
    return collected;
  }

  /** Values in the order in which they came. */
  values(name: string): unknown[] {
    return this.collected(name).map(({ value }) => value);
  }
}

/** Builds a pipeline; what it gives is ignored. */
export type Build = (root: Root) => unknown;

/** Builds the pipeline and starts it. Whoever starts it ends it. */
export async function startModel(build: Build, options: DirectRunnerOptions = {}): Promise<ModelRun> {
  const run = beginRun();
  if (portableTarget === undefined) return new ModelRun(await directRunner(options).runAsync(build), run);
  refuseOptions(options);
  return new ModelRun(new PortableModelResult(await submit(build)), run);
}

/** Builds a pipeline that the test runs by itself, however often; what it collects is given as it comes. */
export function buildModel(build: Build): {
  readonly pipeline: Pipeline;
  readonly collected: (name: string) => Collected[];
} {
  const run = beginRun();
  const pipeline = new Pipeline();
  build(new Root(pipeline));
  return { pipeline, collected: (name) => collections.get(run)!.get(name)! };
}

/** Runs the pipeline to its end. @throws what made it fail. */
export async function runModel(build: Build, options: DirectRunnerOptions = {}): Promise<ModelRun> {
  const run = beginRun();
  if (portableTarget === undefined) return new ModelRun(await directRunner(options).run(build), run);
  refuseOptions(options);
  const result = await submit(build);
  await succeed(result);
  return new ModelRun(await PortableModelResult.ofEnded(result), run);
}

function refuseOptions(options: DirectRunnerOptions): void {
  const [name] = Object.keys(options);
  if (name !== undefined) throw new DirectOnlyError(`the option \`${name}\``);
}

function beginRun(): number {
  runs += 1;
  collections.set(runs, new Map());
  return runs;
}

/** Runs a pipeline that must fail with a message like this, and gives the error. */
export async function runToFailure(
  build: Build,
  message: RegExp,
  options: DirectRunnerOptions = {},
): Promise<Error> {
  let failure: unknown;
  try {
    await runModel(build, options);
  } catch (error) {
    if (error instanceof DirectOnlyError) throw error;
    failure = error;
  }
  expect(failure, "the run must fail").to.be.instanceOf(Error);
  expect((failure as Error).message).to.match(message);
  return failure as Error;
}

/** Exactly these values, in any order. */
export function expectOutputs(run: ModelRun, name: string, expected: readonly unknown[]): void {
  expectSame(run.values(name), expected, name);
}

/** Exactly these values, in this order. */
export function expectInOrder(run: ModelRun, name: string, expected: readonly unknown[]): void {
  expect(run.values(name).map(canonicalText), name).to.deep.equal(expected.map(canonicalText));
}

/**
 * Exactly these elements, in any order, compared by what is given of them: all expectations name the
 * same fields.
 */
export function expectElements(run: ModelRun, name: string, expected: readonly ExpectedElement[]): void {
  const fields = Object.keys(expected[0] ?? { value: undefined }) as (keyof ExpectedElement)[];
  for (const one of expected) expect(Object.keys(one), "fields of every expectation").to.have.members(fields);
  expectSame(
    run.collected(name).map((one) => pick(one, fields)),
    expected,
    name,
  );
}

/** As `expectElements`, in the order in which they came. */
export function expectPanes(run: ModelRun, name: string, expected: readonly ExpectedElement[]): void {
  const fields = Object.keys(expected[0] ?? { value: undefined }) as (keyof ExpectedElement)[];
  const actual = run.collected(name).map((one) => canonicalText(pick(one, fields)));
  expect(asOrdered(actual), name).to.deep.equal(asOrdered(expected.map(canonicalText)));
}

/** What came of several bundles: Prism runs those of a step beside one another, and the model promises no order. */
export function asOrdered(texts: readonly string[]): readonly string[] {
  return portableTarget === "prism" ? [...texts].sort() : texts;
}

function pick(
  { value, timestampMs, window, pane }: Collected,
  fields: readonly (keyof ExpectedElement)[],
): Record<string, unknown> {
  const all = { ...pane, value, timestampMs, window: window.id };
  return Object.fromEntries(fields.map((field) => [field, all[field]]));
}

function expectSame(actual: readonly unknown[], expected: readonly unknown[], what: string): void {
  expect(actual.map(canonicalText).sort(), what).to.deep.equal(expected.map(canonicalText).sort());
}
