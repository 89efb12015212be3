/** Configurations are JSON: what its text would drop or change is refused, as another process would be given something else. */
import { describe, fieldSegment } from "./coders/coder-error.js";
import type { JsonValue } from "./fn-registry.js";

/** @throws when a part of the configuration of `what` is not JSON. Fields that are undefined are as good as not there. */
export function mustBeJson(what: string, config: JsonValue): void {
  const found = firstNotJson(config, "config", []);
  if (found === undefined) return;
  const { path, value } = found;
  throw new TypeError(`the configuration of "${what}" must be JSON, but ${path} is ${describe(value)}`);
}

interface Found {
  readonly path: string;
  readonly value: unknown;
}

function firstNotJson(value: unknown, path: string, around: readonly unknown[]): Found | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : { path, value };
  if (typeof value !== "object" || around.includes(value)) return { path, value };
  const within = [...around, value];
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const found = firstNotJson(value[i], `${path}[${i}]`, within);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return { path, value };
  for (const [name, field] of Object.entries(value)) {
    const found = field === undefined ? undefined : firstNotJson(field, path + fieldSegment(name), within);
    if (found !== undefined) return found;
  }
  return undefined;
}
