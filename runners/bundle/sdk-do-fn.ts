/** A DoFn that the SDK has serialised into the graph, run as one of ours. */
import type {
  BundleContext,
  DoFn,
  FinishBundleContext,
  ProcessContext,
} from "../../transforms/primitives/do-fn.js";
import { MAIN_OUTPUT } from "../../transforms/primitives/do-fn.js";
import type { Metrics } from "../../transforms/primitives/metrics.js";
import { IterableSideInputSpec } from "../../transforms/primitives/side-input-spec.js";
import { isPromise } from "./maybe-promise.js";
import { deserializeFn } from "./sdk-modules.js";
import {
  fromSdkInstant,
  fromSdkPane,
  fromSdkWindow,
  type SdkPaneInfo,
  toSdkInstant,
  toSdkPane,
  toSdkWindow,
} from "./sdk-values.js";

/** What the SDK's `parDo` puts into the graph. */
interface SerializedDoFn {
  readonly doFn: {
    process(element: unknown, context: unknown): unknown;
    startBundle?(context: unknown): unknown;
    finishBundle?(context: unknown): unknown;
  };
  readonly context: unknown;
}

/** A parameter of the SDK in a DoFn's context object: it asks `provider` when it is used. */
interface Param {
  readonly parDoParamName: string;
  readonly sideInputId?: string;
  readonly accessor?: { toValue(elements: Iterable<unknown>): unknown };
  readonly metricType?: string;
  readonly name?: string;
}

/** What the SDK's `finishBundle` gives. */
interface SdkWindowedValue {
  readonly value: unknown;
  readonly windows: readonly unknown[];
  readonly timestamp: unknown;
  readonly pane?: SdkPaneInfo;
}

/** Parameters that depend on the element; with any of them the DoFn is called once for each window, as the SDK does. */
const ELEMENT_PARAMS = new Set(["window", "timestamp", "paneinfo", "sideInput"]);

/** Runs the SDK's DoFn; it may be asynchronous too. Outputs that are promises are awaited. */
export class SdkDoFn implements DoFn {
  readonly observesWindows: boolean;
  readonly #fn: SerializedDoFn["doFn"];
  readonly #context: unknown;
  /** By the SDK's id of the side input. */
  readonly #sideInputs = new Map<string, IterableSideInputSpec<unknown>>();
  /** The context of the SDK that belongs to a context of ours: used again as long as ours is. */
  #provided: { readonly to: ProcessContext; readonly context: unknown } | undefined;

  constructor(payload: Uint8Array) {
    const { doFn, context } = deserializeFn(payload) as SerializedDoFn;
    this.#fn = doFn;
    this.#context = context;
    const params = paramsOf(context).map(([, param]) => param);
    this.observesWindows = params.some(({ parDoParamName }) => ELEMENT_PARAMS.has(parDoParamName));
    for (const { sideInputId } of params) {
      if (sideInputId === undefined) continue;
      const spec = new IterableSideInputSpec<unknown>();
      this.#sideInputs.set(sideInputId, spec);
      // as a field, where declarations are looked for
      Object.defineProperty(this, sideInputId, { value: spec, enumerable: true });
    }
  }

  startBundle(context: BundleContext): void | Promise<void> {
    this.#provided = undefined;
    const started = this.#fn.startBundle?.(this.#contextFor(undefined, context.metrics));
    if (isPromise(started)) return started.then(() => undefined);
    return undefined;
  }

  process(element: unknown, context: ProcessContext): never {
    if (this.#provided?.to !== context) {
      this.#provided = { to: context, context: this.#contextFor(context, context.metrics) };
    }
    try {
      return emitYielded(this.#fn.process(element, this.#provided.context), context) as never;
    } catch (error) {
      throw explained(error);
    }
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    const outputs = await this.#fn.finishBundle?.(this.#contextFor(undefined, context.metrics));
    if (outputs === undefined || outputs === null) return;
    for await (const output of outputs as Iterable<unknown> | AsyncIterable<unknown>) {
      emitWindowed(output as SdkWindowedValue, context);
    }
  }

  #contextFor(element: ProcessContext | undefined, metrics: Metrics): unknown {
    const context = this.#context;
    if (typeof context !== "object" || context === null) return context;
    const provider = new ParamProvider(element, metrics, this.#sideInputs);
    const provided = Object.create(context) as Record<string, unknown>;
    for (const [name, param] of paramsOf(context)) {
      provided[name] = Object.assign(Object.create(param) as object, { provider });
    }
    return provided;
  }
}

/**
 * Emits what a generator yields; anything else is left to the step. The SDK's `map` is a generator that yields what
 * its function gives: of an asynchronous one a promise, which is awaited.
 */
function emitYielded(outputs: unknown, context: ProcessContext): unknown {
  if (!isGenerator(outputs)) return outputs;
  for (;;) {
    const next = outputs.next();
    if (next.done === true) return undefined;
    if (isPromise(next.value)) return awaitEach(next.value, outputs);
    context.output(next.value);
  }
}

/** The commonest mistake with the SDK's functions, whose message alone does not tell what the rule is. */
function explained(error: unknown): unknown {
  if (!(error instanceof ReferenceError)) return error;
  const rule =
    "a function given to the SDK travels as its text, without what stands around it; give it that as its context, " +
    "or register a DoFn";
  return new ReferenceError(`${error.message} (${rule})`, { cause: error });
}

function isGenerator(outputs: unknown): outputs is Generator<unknown> {
  const { next } = (outputs ?? {}) as Partial<Generator<unknown>>;
  return typeof next === "function" && Symbol.iterator in (outputs as object);
}

async function* awaitEach(first: unknown, rest: Generator<unknown>): AsyncGenerator<unknown> {
  yield await first;
  for (const output of rest) yield await output;
}

function paramsOf(context: unknown): [string, Param][] {
  if (typeof context !== "object" || context === null) return [];
  const isParam = (value: unknown): value is Param =>
    typeof value === "object" && value !== null && (value as Partial<Param>).parDoParamName !== undefined;
  return Object.entries(context).filter((entry): entry is [string, Param] => isParam(entry[1]));
}

function emitWindowed(output: SdkWindowedValue, context: FinishBundleContext): void {
  if (output.windows === undefined || output.timestamp === undefined) {
    throw new TypeError("finishBundle must give windowed values: { value, windows, timestamp, pane }");
  }
  context.outputWindowed(MAIN_OUTPUT, {
    value: output.value,
    timestampMs: fromSdkInstant(output.timestamp),
    windows: output.windows.map(fromSdkWindow),
    pane: fromSdkPane(output.pane),
  });
}

/** Answers the SDK's parameters from a context of ours. */
class ParamProvider {
  /** What the accessors made of side inputs: the same for the same elements. */
  readonly #values = new Map<Param, { readonly elements: unknown; readonly value: unknown }>();

  constructor(
    private readonly element: ProcessContext | undefined,
    private readonly metrics: Metrics,
    private readonly sideInputs: ReadonlyMap<string, IterableSideInputSpec<unknown>>,
  ) {}

  lookup(param: Param): unknown {
    const { element } = this;
    if (element === undefined) {
      throw new Error(`${param.parDoParamName} is not defined outside of a process() call`);
    }
    switch (param.parDoParamName) {
      case "window":
        return toSdkWindow(element.window);
      case "timestamp":
        return toSdkInstant(element.timestampMs);
      case "paneinfo":
        return toSdkPane(element.pane);
      case "sideInput":
        return this.#sideInput(param, element);
      default:
        throw new Error(`unknown context parameter "${param.parDoParamName}"`);
    }
  }

  update(param: Param, value: number): void {
    const { name = "" } = param;
    switch (param.metricType) {
      case "beam:metric:user:sum_int64:v1":
        this.metrics.counter(name).inc(value);
        return;
      case "beam:metric:user:distribution_int64:v1":
        this.metrics.distribution(name).update(value);
        return;
      default:
        throw new Error(`metric "${name}" is of an unknown type "${param.metricType}"`);
    }
  }

  #sideInput(param: Param, element: ProcessContext): unknown {
    const elements = element.sideInput(this.sideInputs.get(param.sideInputId!)!);
    const known = this.#values.get(param);
    if (known?.elements === elements) return known.value;
    const value = param.accessor!.toValue(elements);
    this.#values.set(param, { elements, value });
    return value;
  }
}
