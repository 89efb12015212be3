/** The parts of a combine that a runner has lifted, as DoFns. */
import { createCombineFn, REGISTERED_COMBINE_FN_URN } from "../../transforms/primitives/combine-per-key.js";
import {
  type DoFn,
  type FinishBundleContext,
  MAIN_OUTPUT,
  type OutputContext,
  type ProcessContext,
} from "../../transforms/primitives/do-fn.js";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";
import type { CombineFn } from "../../transforms/primitives/state-spec.js";
import { type KV, NO_FIRING, type Window } from "../../transforms/primitives/window.js";
import { readJsonPayload } from "../../transforms/primitives/window-fn.js";
import type { CombineFnSpec, CombinePart } from "../graph/step.js";
import { deserializeFn } from "./sdk-modules.js";

/** The URN of a CombineFn that the SDK has serialised. */
const SERIALIZED_COMBINE_FN_URN = "beam:dofn:serialized_js_combinefn_info:v1";
/** How many accumulators a precombine keeps before it emits the oldest. */
const GROUPS_MAX = 10_000;
/** How many it emits then, so that not every new key costs an output. */
const GROUPS_EMITTED = 1000;

type AnyCombineFn = CombineFn<unknown, unknown, unknown>;
type Grouped = KV<unknown, Iterable<unknown>>;

/** @throws when the CombineFn cannot be built here. */
export function combinePart(part: CombinePart): DoFn {
  const combineFn = createFn(part.combineFn);
  const each = (combine: (value: never) => unknown): DoFn => ({
    process(element, context) {
      const { key, value } = element as KV<unknown, never>;
      context.output({ key, value: combine(value) });
    },
  });
  switch (part.work) {
    case "precombine":
      return new Precombine(combineFn, part) as DoFn<never> as DoFn;
    case "merge":
      return each((accumulators: Grouped["value"]) => combineFn.mergeAccumulators(accumulators));
    case "extract":
      return each((accumulator: unknown) => combineFn.extractOutput(accumulator));
    case "convert":
      return each((input: unknown) => combineFn.addInput(combineFn.createAccumulator(), input));
    case "combineGrouped":
      return each((inputs: Grouped["value"]) => combineFn.extractOutput(accumulate(combineFn, inputs)));
  }
}

function createFn({ urn, payload }: CombineFnSpec): AnyCombineFn {
  if (urn === REGISTERED_COMBINE_FN_URN) {
    const { fn, config } = readJsonPayload<{ fn: string; config: JsonValue }>(payload);
    return createCombineFn(fn, config);
  }
  if (urn === SERIALIZED_COMBINE_FN_URN) {
    return (deserializeFn(payload) as { combineFn: AnyCombineFn }).combineFn;
  }
  throw new Error(`its CombineFn stands under "${urn}", which is not known`);
}

function accumulate(combineFn: AnyCombineFn, inputs: Iterable<unknown>): unknown {
  let accumulator = combineFn.createAccumulator();
  for (const input of inputs) accumulator = combineFn.addInput(accumulator, input);
  return accumulator;
}

interface Group {
  readonly key: unknown;
  readonly window: Window;
  accumulator: unknown;
  /** As the input's windowing strategy combines those of its inputs. */
  timestampMs: number;
}

/** Makes accumulators of inputs, of one key and window as few as fit into its memory. */
class Precombine implements DoFn<KV<unknown, unknown>> {
  readonly #groups = new Map<string, Group>();

  constructor(
    private readonly combineFn: AnyCombineFn,
    private readonly part: CombinePart & { readonly work: "precombine" },
  ) {}

  startBundle(): void {
    this.#groups.clear();
  }

  process({ key, value }: KV<unknown, unknown>, context: ProcessContext): void {
    const keyId = this.part.keyId(key);
    for (const window of context.windows) {
      const group = this.#groupOf(keyId, key, window, context.timestampMs);
      group.accumulator = this.combineFn.addInput(group.accumulator, value);
    }
    if (this.#groups.size > GROUPS_MAX) this.#emit(GROUPS_EMITTED, context);
  }

  finishBundle(context: FinishBundleContext): void {
    this.#emit(this.#groups.size, context);
  }

  #groupOf(keyId: string, key: unknown, window: Window, timestampMs: number): Group {
    const id = `${window.id}\n${keyId}`;
    const known = this.#groups.get(id);
    if (known !== undefined) {
      known.timestampMs = this.#combinedMs(known.timestampMs, timestampMs, window);
      return known;
    }
    const group = {
      key,
      window,
      accumulator: this.combineFn.createAccumulator(),
      timestampMs: this.#combinedMs(timestampMs, timestampMs, window),
    };
    this.#groups.set(id, group);
    return group;
  }

  #combinedMs(a: number, b: number, window: Window): number {
    if (this.part.timestampCombiner === "end-of-window") return window.maxTimestampMs;
    return this.part.timestampCombiner === "earliest" ? Math.min(a, b) : Math.max(a, b);
  }

  /** The oldest ones. */
  #emit(count: number, context: OutputContext & Pick<ProcessContext, "outputWindowed">): void {
    let left = count;
    for (const [id, { key, window, accumulator, timestampMs }] of this.#groups) {
      if (left-- === 0) return;
      this.#groups.delete(id);
      const value = { key, value: accumulator };
      context.outputWindowed(MAIN_OUTPUT, { value, timestampMs, windows: [window], pane: NO_FIRING });
    }
  }
}
