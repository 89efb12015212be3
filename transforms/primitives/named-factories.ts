/** Functions found by name and JSON configuration: the registry of one kind of them. */
import type { JsonValue } from "./fn-registry.js";

/** `kind` names what is registered in messages, e.g. `size function`. */
export class NamedFactories<Fn> {
  readonly #factories = new Map<string, (config: never) => Fn>();

  constructor(private readonly kind: string) {}

  /** Returns the name. @throws when it is taken by another factory. */
  register<Config>(name: string, factory: (config: Config) => Fn): string {
    const known = this.#factories.get(name);
    if (known !== undefined && known !== factory) {
      throw new Error(`${this.kind} name "${name}" is already registered`);
    }
    this.#factories.set(name, factory);
    return name;
  }

  /** Builds the function. @throws when no such name is registered in this process. */
  create(name: string, config: JsonValue): Fn {
    const factory = this.#factories.get(name);
    if (factory === undefined) {
      const names = [...this.#factories.keys()].sort().join(", ");
      throw new Error(`no ${this.kind} is registered as "${name}" (registered: ${names || "none"})`);
    }
    return factory(config as never);
  }
}
