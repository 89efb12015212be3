/** Which runner the scenarios of this process run on, by the variable MILLRACE_MODEL_RUNNER. */

/** In the order of the columns of docs/model-coverage.md. */
export const portableTargets = {
  spark: "Spark batch",
  flink: "Flink batch",
  "flink-streaming": "Flink streaming",
  prism: "Prism",
} as const;

export type PortableTargetName = keyof typeof portableTargets;

/** Undefined: the direct runner. */
export const portableTarget = ofEnvironment(process.env["MILLRACE_MODEL_RUNNER"] ?? "");

function ofEnvironment(name: string): PortableTargetName | undefined {
  if (name === "" || name === "direct") return undefined;
  if (Object.hasOwn(portableTargets, name)) return name as PortableTargetName;
  const known = ["direct", ...Object.keys(portableTargets)].join(", ");
  throw new Error(`MILLRACE_MODEL_RUNNER must be one of ${known}, got "${name}"`);
}

/** A scenario asks for what only the direct runner has. */
export class DirectOnlyError extends Error {
  override readonly name = "DirectOnlyError";

  constructor(readonly what: string) {
    super(`only the direct runner has ${what}`);
  }
}
