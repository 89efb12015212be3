/** Beam's pipeline options for a job server: by the server's own names, and of the types that it takes. */
import { PipelineOptionType_Enum as Type } from "apache-beam/proto/beam_job_api";
import type { JsonValue } from "../../transforms/primitives/fn-registry.js";
import { didYouMean } from "../nearest-name.js";

export interface PipelineOptions {
  /** In snake case, as Beam's job servers know them. */
  readonly [name: string]: JsonValue;
}

/** Types by name. Empty for a server that describes none (Prism). */
export type DescribedOptions = ReadonlyMap<string, Type>;

/** The server gets an option wrongly, or gets one that it does not know. */
export class PipelineOptionsError extends Error {
  override readonly name = "PipelineOptionsError";

  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

/**
 * The options by the server's names: `checkpointingInterval` is `checkpointing_interval`. What a server describes
 * it is held to: it would pass over a misspelt name in silence.
 * @throws PipelineOptionsError with a line for each option that is unknown, given twice, or of another type
 */
export function serverOptions(given: PipelineOptions, described: DescribedOptions): PipelineOptions {
  const problems: string[] = [];
  const options: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const known = snakeCase(name);
    if (Object.hasOwn(options, known)) problems.push(`pipeline option ${known} is given twice`);
    const problem = described.size === 0 ? undefined : refuse(name, known, value, described);
    if (problem !== undefined) problems.push(problem);
    options[known] = value;
  }
  if (problems.length > 0) throw new PipelineOptionsError(problems);
  return options;
}

/** As the Job API wants them. */
export function optionUrns(options: PipelineOptions): PipelineOptions {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [`beam:option:${name}:v1`, value]),
  );
}

function refuse(
  name: string,
  known: string,
  value: JsonValue,
  described: DescribedOptions,
): string | undefined {
  const type = described.get(known);
  if (type === undefined) {
    return `the job server has no pipeline option "${name}".${didYouMean(known, [...described.keys()])}`;
  }
  const rule = RULES.get(type);
  if (rule === undefined || rule.isMet(value)) return undefined;
  return `pipeline option ${known} must be ${rule.text}, got ${JSON.stringify(value)}`;
}

interface Rule {
  readonly text: string;
  isMet(value: JsonValue): boolean;
}

/** Java reads a text also where it is given a number or truth value. */
const RULES: ReadonlyMap<Type, Rule> = new Map([
  [Type.STRING, { text: "a text", isMet: (value) => value === null || typeof value !== "object" }],
  [Type.BOOLEAN, { text: "true or false", isMet: (value) => typeof value === "boolean" }],
  [Type.INTEGER, { text: "an integer", isMet: (value) => Number.isSafeInteger(value) }],
  [Type.NUMBER, { text: "a number", isMet: (value) => typeof value === "number" }],
  [Type.ARRAY, { text: "an array", isMet: (value) => Array.isArray(value) }],
]);

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
