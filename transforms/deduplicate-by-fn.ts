/** The DoFn of `deduplicateBy` that gives each element its representative value as key. */
import type { DoFn, ProcessContext } from "./primitives/do-fn.js";
import { type JsonValue, registerDoFn } from "./primitives/fn-registry.js";

/** Makes the function that gives the value which stands for an element; it must always be the same for the same element. */
// biome-ignore lint/suspicious/noExplicitAny: a representative function takes elements of its own type
type RepresentativeFnFactory<Config> = (config: Config) => (element: any) => unknown;

const factories = new Map<string, RepresentativeFnFactory<never>>();

/** Registers a representative function under a versioned name. Returns the name. @throws when the name is taken. */
export function registerRepresentativeFn<Config>(
  name: string,
  factory: RepresentativeFnFactory<Config>,
): string {
  const known = factories.get(name);
  if (known !== undefined && known !== factory) {
    throw new Error(`representative function name "${name}" is already registered`);
  }
  factories.set(name, factory as RepresentativeFnFactory<never>);
  return name;
}

export interface WithRepresentativesConfig {
  readonly fn: string;
  readonly config: JsonValue;
}

export class WithRepresentativesFn implements DoFn {
  readonly #representativeOf: (element: unknown) => unknown;

  constructor({ fn, config }: WithRepresentativesConfig) {
    const factory = factories.get(fn);
    if (factory === undefined) {
      const names = [...factories.keys()].sort().join(", ");
      throw new Error(`no representative function is registered as "${fn}" (registered: ${names || "none"})`);
    }
    this.#representativeOf = factory(config as never);
  }

  process(element: unknown, context: ProcessContext): void {
    context.output({ key: this.#representativeOf(element), value: element });
  }
}

export const WITH_REPRESENTATIVES_FN = registerDoFn(
  "with-representatives@1",
  (config: WithRepresentativesConfig) => new WithRepresentativesFn(config),
);
