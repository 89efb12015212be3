/** assertThat: assertions about a PCollection, checked by the pipeline itself on whatever runner it runs. */
import { BEGIN_FN, CHECK_FN, type CheckConfig, PICK_FN, type Scope } from "./assert-that-fn.js";
import { encoderOf } from "./encoded-order.js";
import { impulse, P, type PCollection, type Pipeline, Root, withName } from "./primitives/beam.js";
import { BytesCoder, StringUtf8Coder } from "./primitives/coders/scalar-coders.js";
import { composite } from "./primitives/composite.js";
import { flattenAll } from "./primitives/flatten-all.js";
import type { JsonValue } from "./primitives/fn-registry.js";
import {
  type CoderJson,
  coderIdOf,
  coderIdOfCollection,
  coderToJson,
  ITERABLE_CODER_URN,
  kvCoderId,
} from "./primitives/graph-coders.js";
import { groupByKey } from "./primitives/group-by-key.js";
import { isBounded, registeredParDo } from "./primitives/par-do.js";
import type { KV, Window } from "./primitives/window.js";
import { globalWindows } from "./primitives/window-fns.js";
import { windowInto } from "./primitives/window-into.js";

export const ASSERT_THAT_URN = "millrace:transform:assert_that:v1";

/** What can be said of a PCollection. Each says one assertion, and gives the same again for the next one. */
export interface Assertion<T> {
  /** Exactly these elements, each as often as it stands here, compared by their encodings. */
  containsInAnyOrder(expected: readonly T[]): Assertion<T>;
  /** No element at all. */
  isEmpty(): Assertion<T>;
  /**
   * The check registered as `fn` (`registerCheck`) is given an array of all elements, in any order; it throws or gives
   * false, or a promise of that, where they are not as they should be.
   */
  satisfies(fn: string, config?: JsonValue): Assertion<T>;
  /** The same about the elements of this window alone, e.g. `new IntervalWindow(0, 10)`. */
  inWindow(window: Window): Assertion<T>;
  /** About the window's early panes alone, all together. */
  inEarlyPanes(window: Window): Assertion<T>;
  /** About the window's on-time pane alone. What no trigger has fired is on time, as all is on Beam's Flink in batch. */
  inOnTimePane(window: Window): Assertion<T>;
  /** About the window's late panes alone, all together. */
  inLatePanes(window: Window): Assertion<T>;
  /** About the window's last pane alone. */
  inFinalPane(window: Window): Assertion<T>;
}

/**
 * Beam's `PAssert`: adds steps to the pipeline that check what is in the PCollection when all of it is there, which
 * is when the watermark is at its end: on an unbounded input that never ends, or a job that is cancelled, nothing is
 * checked. All windows and panes together, unless one is named.
 *
 * Where an assertion does not hold, the job fails with a `PipelineAssertionError`, which names the assertion and
 * what is missing and what was not expected. Where it holds, the counter `assertions_passed` goes up by one. An
 * Impulse makes the check run for an input without elements too, so a test that wants to be sure compares the counter
 * with the number of its assertions.
 *
 * A composite for each assertion, whose leaves are all Beam's: it runs wherever a GroupByKey does. All elements are
 * in one worker's memory at the end.
 *
 * @param name what the assertion is called in messages and in the graph; by default `Assert` and the step that made
 * the PCollection. Slashes become dots, and several of one name are numbered
 * @throws while the graph is built, on an expected value that the PCollection's coder cannot carry
 */
export function assertThat<T>(collection: PCollection<T>, name?: string): Assertion<T> {
  const given = name ?? `Assert(${producerOf(collection)})`;
  return assertionOn(collection, given.replaceAll("/", "."), {}); // a slash would look like a path
}

function assertionOn<T>(collection: PCollection<T>, name: string, scope: Scope): Assertion<T> {
  const { pipeline } = collection;
  const coder = coderToJson(
    pipeline.getProto().components!.coders,
    coderIdOfCollection(pipeline, collection),
  );
  const contains = (expected: readonly T[]) => {
    const encode = encoderOf(coder);
    const encoded = expected.map((value, index) => {
      try {
        return Buffer.from(encode(value)).toString("base64");
      } catch (cause) {
        const what = `expected[${index}]: ${(cause as Error).message}`;
        throw new TypeError(
          `assertion "${name}" expects what the coder of its PCollection cannot carry: ${what}`,
          { cause },
        );
      }
    });
    return add({ kind: "contains", expected: encoded });
  };
  const scoped = (panes: Scope["panes"], { id }: Window) =>
    assertionOn(collection, `${name} in ${textOf(id)}${panes === undefined ? "" : `, ${panes}`}`, {
      window: id,
      ...(panes !== undefined && { panes }),
    });
  const add = (check: CheckKind): Assertion<T> => {
    addAssertion(collection, coder, scope, unused(pipeline, name), check);
    return assertion;
  };
  const assertion: Assertion<T> = {
    containsInAnyOrder: contains,
    isEmpty: () => contains([]),
    satisfies: (fn, config = null) => add({ kind: "satisfies", fn, config }),
    inWindow: (window) => scoped(undefined, window),
    inEarlyPanes: (window) => scoped("early", window),
    inOnTimePane: (window) => scoped("on-time", window),
    inLatePanes: (window) => scoped("late", window),
    inFinalPane: (window) => scoped("final", window),
  };
  return assertion;
}

/** A window's id as part of a step's name, without its slash. */
function textOf(windowId: string): string {
  return windowId === "" ? "the global window" : `window ${windowId.replaceAll("/", "..")}`;
}

type CheckKind =
  | { readonly kind: "contains"; readonly expected: readonly string[] }
  | { readonly kind: "satisfies"; readonly fn: string; readonly config: JsonValue };

/** No element, or the encoding of one: under the key that all have. */
type Picked = KV<string, readonly Uint8Array[]>;

function addAssertion(
  collection: PCollection<unknown>,
  coder: CoderJson,
  scope: Scope,
  name: string,
  check: CheckKind,
): void {
  const assertion = composite<PCollection<unknown>, PCollection<unknown>>(
    ASSERT_THAT_URN,
    { name, scope },
    (input) => {
      const { pipeline } = input;
      const bytes = coderIdOf(pipeline, ITERABLE_CODER_URN, pipeline.getCoderId(new BytesCoder()));
      const coders = { main: kvCoderId(pipeline, pipeline.getCoderId(new StringUtf8Coder()), bytes) };
      const picked = P(input)
        .apply(withName("Pick", registeredParDo<unknown, Picked>(PICK_FN, { scope, coder }, { coders })))
        .apply(withName("Window", windowInto<Picked>(globalWindows())));
      const bounded = isBounded(pipeline, input);
      const begin = P(new Root(pipeline).apply(withName("Impulse", impulse()))).apply(
        withName("Begin", registeredParDo<unknown, Picked>(BEGIN_FN, null, { coders, bounded })),
      );
      const all = P([picked, begin]).apply(withName("Flatten", flattenAll<Picked>()));
      const together = P(all).apply(withName("GroupByKey", groupByKey<string, readonly Uint8Array[]>()));
      const config: CheckConfig = { name, coder, ...check };
      return P(together).apply(withName("Check", registeredParDo<unknown, unknown>(CHECK_FN, config)));
    },
  );
  P(collection).apply(withName(name, assertion));
}

/** Path of the outermost step that gives the PCollection. */
function producerOf(collection: PCollection<unknown>): string {
  const { transforms } = collection.pipeline.getProto().components!;
  const names = Object.values(transforms)
    .filter(({ outputs }) => Object.values(outputs).includes(collection.getId()))
    .map(({ uniqueName }) => uniqueName)
    .sort((a, b) => a.length - b.length);
  return names[0] ?? collection.getId();
}

/** The name, or the name with a number: several assertions may be about one PCollection. */
function unused(pipeline: Pipeline, name: string): string {
  const { transforms } = pipeline.getProto().components!;
  const used = new Set(Object.values(transforms).map(({ uniqueName }) => uniqueName.split("/").at(-1)));
  for (let number = 2, free = name; ; number++) {
    if (!used.has(free)) return free;
    free = `${name} ${number}`;
  }
}
