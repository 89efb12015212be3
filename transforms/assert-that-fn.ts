/** The DoFns of `assertThat`: one picks the elements that an assertion is about, one checks them all together. */
import { inspect } from "node:util";
import { encoderOf } from "./encoded-order.js";
import { decodeFromBytes } from "./primitives/coders/encode.js";
import type { DoFn, ProcessContext } from "./primitives/do-fn.js";
import { type JsonValue, registerDoFn } from "./primitives/fn-registry.js";
import { type CoderJson, coderFromJson, fromBase64 } from "./primitives/graph-coders.js";
import { NamedFactories } from "./primitives/named-factories.js";
import type { KV, PaneInfo } from "./primitives/window.js";

/** Throws, gives false, or a promise of either, where the elements are not as they should be. */
// biome-ignore lint/suspicious/noExplicitAny: a check takes elements of its own type
type Check = (elements: any[]) => unknown;

const checks = new NamedFactories<Check>("check");

/** Registers a check under a versioned name. Returns the name. @throws when the name is taken. */
export function registerCheck<Config>(name: string, factory: (config: Config) => Check): string {
  return checks.register(name, factory);
}

/** Counts assertions that were checked and hold. */
export const ASSERTIONS_PASSED = "assertions_passed";

/** Which elements an assertion is about. */
export type Scope = {
  /** Id of the window; all windows without. */
  readonly window?: string;
  readonly panes?: "early" | "on-time" | "late" | "final";
};

export type PickConfig = { readonly scope: Scope; readonly coder: CoderJson };

/** Gives each element that is in the scope by its encoding, under the one key. */
class PickFn implements DoFn {
  readonly observesWindows = true;
  readonly #scope: Scope;
  readonly #encode: (value: unknown) => Uint8Array;

  constructor({ scope, coder }: PickConfig) {
    this.#scope = scope;
    this.#encode = encoderOf(coder);
  }

  process(element: unknown, context: ProcessContext): void {
    const { window, panes } = this.#scope;
    if (window !== undefined && window !== context.window.id) return;
    if (panes !== undefined && !isOf(panes, context.pane)) return;
    context.output({ key: "", value: [this.#encode(element)] });
  }
}

/** What no trigger has fired is on time: elements in front of a grouping, and groups of a runner that knows no panes. */
function isOf(panes: NonNullable<Scope["panes"]>, { timing, isLast }: PaneInfo): boolean {
  switch (panes) {
    case "early":
      return timing === "EARLY";
    case "on-time":
      return timing === "ON_TIME" || timing === "UNKNOWN";
    case "late":
      return timing === "LATE";
    case "final":
      return isLast;
  }
}

/** What makes the check run also where there is no element. */
class BeginFn implements DoFn {
  process(_impulse: unknown, context: ProcessContext): void {
    context.output({ key: "", value: [] });
  }
}

export type CheckConfig = {
  /** Name of the assertion. */
  readonly name: string;
  readonly coder: CoderJson;
} & (
  | { readonly kind: "contains" /** Encodings in base64. */; readonly expected: readonly string[] }
  | { readonly kind: "satisfies"; readonly fn: string; readonly config: JsonValue }
);

/** An assertion of a pipeline does not hold: the job fails with it. */
export class PipelineAssertionError extends Error {
  override readonly name = "PipelineAssertionError";
  readonly code = "assertion_failed";

  constructor(assertion: string, what: string, options?: ErrorOptions) {
    super(`assertion "${assertion}" does not hold: ${what}`, options);
  }
}

type Picked = KV<string, Iterable<readonly Uint8Array[]>>;

class CheckFn implements DoFn<Picked> {
  readonly #check: (encoded: readonly Uint8Array[]) => Promise<void> | void;

  constructor(config: CheckConfig) {
    this.#check = config.kind === "contains" ? containsCheck(config) : satisfiesCheck(config);
  }

  async process({ value }: Picked, context: ProcessContext): Promise<void> {
    const encoded = [...value].flatMap((some) => [...some]);
    await this.#check(encoded);
    context.metrics.counter(ASSERTIONS_PASSED).inc();
  }
}

function containsCheck({ name, coder, expected }: CheckConfig & { readonly kind: "contains" }) {
  const show = shower(coder);
  return (encoded: readonly Uint8Array[]): void => {
    const left = new Map<string, number>();
    for (const one of expected) left.set(one, (left.get(one) ?? 0) + 1);
    const unexpected: string[] = [];
    for (const bytes of encoded) {
      const one = Buffer.from(bytes).toString("base64");
      const count = left.get(one) ?? 0;
      if (count === 0) unexpected.push(one);
      else left.set(one, count - 1);
    }
    const missing = [...left].flatMap(([one, count]) => Array.from({ length: count }, () => one));
    if (missing.length === 0 && unexpected.length === 0) return;
    throw new PipelineAssertionError(
      name,
      `expected ${countOf(expected.length)}, got ${countOf(encoded.length)}; ` +
        `missing: ${list(missing, show)}; unexpected: ${list(unexpected, show)}`,
    );
  };
}

function satisfiesCheck({ name, coder: json, fn, config }: CheckConfig & { readonly kind: "satisfies" }) {
  const coder = coderFromJson(json);
  const check = checks.create(fn, config);
  return async (encoded: readonly Uint8Array[]): Promise<void> => {
    const elements = encoded.map((bytes) => decodeFromBytes(coder, bytes));
    const given = `"${fn}", given ${countOf(elements.length)},`;
    let answer: unknown;
    try {
      answer = await check(elements);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new PipelineAssertionError(name, `${given} says: ${message}`, { cause });
    }
    if (answer === false) throw new PipelineAssertionError(name, `${given} says false`);
  };
}

function countOf(count: number): string {
  return `${count} element${count === 1 ? "" : "s"}`;
}

/** Enough of them to find the others by. */
const SHOWN_ELEMENTS_MAX = 10;
const SHOWN_CHARACTERS_MAX = 200;

function list(encoded: readonly string[], show: (encoded: string) => string): string {
  if (encoded.length === 0) return "none";
  const shown = encoded.slice(0, SHOWN_ELEMENTS_MAX).map(show).join(", ");
  const rest = encoded.length - SHOWN_ELEMENTS_MAX;
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}

function shower(json: CoderJson): (encoded: string) => string {
  const coder = coderFromJson(json);
  return (encoded) => {
    const value = decodeFromBytes(coder, fromBase64(encoded));
    const text = inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 6 });
    return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text;
  };
}

export const PICK_FN = registerDoFn("assert-that/pick@1", (config: PickConfig) => new PickFn(config));
export const BEGIN_FN = registerDoFn("assert-that/begin@1", (_config: null) => new BeginFn());
export const CHECK_FN = registerDoFn("assert-that/check@1", (config: CheckConfig) => new CheckFn(config));
