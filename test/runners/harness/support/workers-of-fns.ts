/** Workers of a test's own DoFns: a chain of steps, or one splittable step. */
import { impulse, P, type PCollection, type Root, withName } from "../../../../transforms/primitives/beam.js";
import { create as createElements } from "../../../../transforms/primitives/create.js";
import type { DoFn, SplittableDoFn } from "../../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../../../transforms/primitives/splittable-par-do.js";
import { cutStage, graphOf } from "../descriptor/descriptors.js";
import { element, TestWorker, type TestWorkerOptions } from "./test-worker.js";

/** DoFns of the test at hand, by name. */
const fns = new Map<string, () => DoFn<never> | SplittableDoFn<never, never, never>>();
const FN = registerDoFn("test/harness-fn@1", (name: string) => fns.get(name)!() as DoFn);
let names = 0;

function named(create: () => object): string {
  const name = `fn-${++names}`;
  fns.set(name, create as () => DoFn<never>);
  return name;
}

/** A worker with a stage of ParDos, one behind the other. */
export function workerOf(creates: readonly (() => object)[], options: TestWorkerOptions = {}): TestWorker {
  const steps = creates.map(named);
  const graph = graphOf((root: Root) => {
    let at = root.apply(withName("Impulse", impulse())) as PCollection<unknown>;
    for (const [i, name] of steps.entries()) {
      const step = registeredParDo<unknown, unknown>(FN, name, { requestsFinalization: false });
      at = P(at).apply(withName(`Step${i}`, step));
    }
  });
  // what comes in is anything, not only the bytes of an impulse
  graph.components!.pcollections["Impulse.main"]!.coderId =
    graph.components!.pcollections["Step0.main"]!.coderId;
  const stage = cutStage(
    graph,
    steps.map((_, i) => `Step${i}`),
    { written: [`Step${steps.length - 1}.main`] },
  );
  return new TestWorker(withOneService(stage), options);
}

/** A worker whose stage begins with a splittable step, as runners take it apart. */
export function splittableWorker(create: () => object, bounded: boolean, options: TestWorkerOptions = {}) {
  const name = named(create);
  const graph = graphOf((root: Root) => {
    const input = root.apply(withName("Impulse", impulse())) as PCollection<unknown>;
    P(input).apply(withName("Read", splittableParDo<unknown, unknown>(FN, name, { bounded })));
  });
  const stage = cutStage(graph, ["Read"], { written: ["Read.main"] });
  stage.transforms["Read"]!.spec!.urn = "beam:transform:sdf_process_sized_element_and_restrictions:v1";
  // any value: in truth a KV of KVs, whose shape the general coder carries as well
  stage.coders["Impulse.main on the wire"]!.componentCoderIds[0] = stage.pcollections["Read.main"]!.coderId;
  return new TestWorker(withOneService(stage), options);
}

/** A worker with a step that has state, and elements of keys. */
export function statefulWorker(create: () => object): TestWorker {
  const name = named(create);
  const graph = graphOf((root: Root) => {
    const input = root.apply(withName("Create", createElements<unknown>([{ key: "a", value: 0 }])));
    P(input).apply(withName("Keyed", registeredParDo<unknown, unknown>(FN, name)));
  });
  return new TestWorker(withOneService(cutStage(graph, ["Keyed/ParDo"], { written: ["Keyed/ParDo.main"] })));
}

function withOneService<T extends { timerApiServiceDescriptor?: { url: string } }>(stage: T): T {
  stage.timerApiServiceDescriptor!.url = "localhost:1";
  return stage;
}

export const whole = (value: string, from: number, to: number) =>
  element({ key: { key: value, value: { key: [from, to], value: from } }, value: to - from });

export const values = (worker: TestWorker, id: string): unknown[] =>
  worker.sent(id).map(({ value }) => value);
export const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
export const later = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
