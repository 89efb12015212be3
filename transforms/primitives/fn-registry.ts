/** DoFns found by name and JSON configuration, so that any process that imports the pipeline can build them. */
import type { DoFn, SplittableDoFn } from "./do-fn.js";

/** Configuration of a registered function: plain JSON, nothing captured. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

// biome-ignore lint/suspicious/noExplicitAny: a factory makes DoFns of its own element types
export type DoFnFactory<Config = JsonValue> = (config: Config) => DoFn<any> | SplittableDoFn<any, any, any>;

const factories = new Map<string, DoFnFactory<never>>();

/**
 * Registers a DoFn under a versioned name such as `deduplicate@1`. Returns the name.
 * @throws when the name is taken by another factory.
 */
export function registerDoFn<Config>(name: string, factory: DoFnFactory<Config>): string {
  const known = factories.get(name);
  if (known !== undefined && known !== factory) {
    throw new Error(`DoFn name "${name}" is already registered`);
  }
  factories.set(name, factory as DoFnFactory<never>);
  return name;
}

/** Builds a fresh instance. @throws when no such name is registered in this process. */
export function createDoFn(name: string, config: JsonValue): DoFn | SplittableDoFn {
  const factory = factories.get(name);
  if (factory === undefined) {
    const names = [...factories.keys()].sort().join(", ");
    throw new Error(`no DoFn is registered as "${name}" (registered: ${names || "none"})`);
  }
  return factory(config as never) as DoFn | SplittableDoFn;
}

/** Whether a DoFn with this name can be built here. */
export function isDoFnRegistered(name: string): boolean {
  return factories.has(name);
}
