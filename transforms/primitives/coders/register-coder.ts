/** Coders of one's own: known by their URN to every process that imports the module which registers them. */
import type { BeamCoder } from "./beam-coder.js";
import type { CoderFactory } from "./coder-from-proto.js";
import { type Coder, globalRegistry, requireForSerialization } from "./sdk.js";

/** As `CoderFactory`; without a number of components, any number will do. */
type AnyCoderFactory = Pick<CoderFactory, "make"> & Partial<CoderFactory>;

/**
 * From now on a graph's coders of this URN are made by `factory`, for us and for the SDK. `coderClass` is what it
 * makes: the SDK writes its name where it writes a pipeline into a payload.
 * @throws when the URN is taken
 */
export function registerCoder(
  urn: string,
  factory: AnyCoderFactory,
  // biome-ignore lint/suspicious/noExplicitAny: a coder of anything, made from anything
  coderClass: new (...args: any[]) => BeamCoder<any>,
): void {
  if (Object.hasOwn(globalRegistry().internal_registry, urn)) {
    throw new Error(`coder URN "${urn}" is already registered`);
  }
  globalRegistry().registerConstructor(urn, registryConstructor(urn, factory));
  requireForSerialization("apache-beam", { [`millrace.${coderClass.name}`]: coderClass });
}

/** The registry puts a payload before the components, and leaves out an empty one. */
export function registryConstructor(
  urn: string,
  factory: AnyCoderFactory,
): (...args: unknown[]) => Coder<unknown> {
  return (...args) => {
    const payload = args[0] instanceof Uint8Array ? args[0] : new Uint8Array();
    const components = (args[0] instanceof Uint8Array ? args.slice(1) : args) as Coder<unknown>[];
    const wanted = factory.components ?? components.length;
    if (components.length !== wanted) {
      throw new Error(`a coder ${urn} must have ${wanted} components, got ${components.length}`);
    }
    return factory.make(components, payload);
  };
}
