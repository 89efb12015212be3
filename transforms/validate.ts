/** Validation: a record becomes a value with canonical fields, or a dead letter that says what is wrong with it. */
import type { z } from "zod";
import { MESSAGE_BYTES_MAX, printable } from "../sql/printable.js";
import type { DeadLetter, InputRecord, Problem, Sourced } from "./input-record.js";
import type { DoFn, ProcessContext } from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";

/** What validation makes of a record: an object with one key, the tag by which `split` parts the two. */
export type Validated<T> = { readonly valid: Sourced<T> } | { readonly invalid: DeadLetter };

/**
 * Validates one record. A problem that its reader found is passed on; otherwise the record's fields go
 * through the schema. The reason is `invalid_<field>` for the first failing field in the schema's order of
 * keys (`invalid_record` when only a rule over the whole record failed); the messages list every failure.
 *
 * @throws when the record has neither fields nor a problem, or when the schema is asynchronous: both are bugs.
 */
export function validateRecord<T>(schema: RecordSchema<T>, record: InputRecord): Validated<T> {
  const { origin, fields, problem } = record;
  if (problem !== undefined) return { invalid: { record: origin, problem } };
  if (fields === undefined) {
    throw new Error(`record at ${origin.file.path}:${origin.line} has neither fields nor a problem`);
  }
  const parsed = schema.definition.safeParse(fields);
  return parsed.success
    ? { valid: { record: origin, value: parsed.data } }
    : { invalid: { record: origin, problem: problemOf(schema, fields, parsed.error.issues) } };
}

/** A schema for records under the name by which a graph's JSON refers to it. */
export class RecordSchema<T> {
  /** Place of each field in the schema's order of keys. */
  readonly order: ReadonlyMap<PropertyKey, number>;

  constructor(
    readonly name: string,
    readonly definition: z.ZodType<T>,
    keys: readonly string[],
  ) {
    this.order = new Map(keys.map((key, index) => [key, index]));
  }
}

/**
 * Registers a synchronous zod object schema under a name, at module level, so that every process that
 * imports the pipeline knows it. Keys are the record's field names; other fields of a record are ignored
 * unless the schema says otherwise.
 * @throws when the name is taken by another schema.
 */
export function defineSchema<S extends z.ZodObject>(name: string, definition: S): RecordSchema<z.output<S>> {
  const known = schemas.get(name);
  if (known === undefined) {
    const typed = definition as unknown as z.ZodType<z.output<S>>;
    const schema = new RecordSchema(name, typed, Object.keys(definition.shape));
    schemas.set(name, schema);
    return schema;
  }
  if (known.definition !== (definition as z.ZodType)) {
    throw new Error(`schema name "${name}" is already registered`);
  }
  return known as RecordSchema<z.output<S>>;
}

/** Configuration of `validate@1`: the name of a registered schema. */
export type ValidateConfig = { readonly schema: string };

/** `validate@1`: emits one `Validated` element for every record, on the main output. Counts nothing. */
export class ValidateFn implements DoFn<InputRecord> {
  private readonly schema: RecordSchema<unknown>;

  /** @throws when no schema of that name is registered in this process. */
  constructor(config: ValidateConfig) {
    const schema = schemas.get(config.schema);
    if (schema === undefined) {
      const names = [...schemas.keys()].sort().join(", ");
      throw new Error(`no schema is registered as "${config.schema}" (registered: ${names || "none"})`);
    }
    this.schema = schema;
  }

  process(record: InputRecord, context: ProcessContext): void {
    context.output(validateRecord(this.schema, record));
  }
}

/** The registered name of `ValidateFn`. */
export const VALIDATE = registerDoFn("validate@1", (config: ValidateConfig) => new ValidateFn(config));

type Fields = Readonly<Record<string, string>>;

const schemas = new Map<string, RecordSchema<unknown>>();

function problemOf(
  schema: RecordSchema<unknown>,
  fields: Fields,
  issues: readonly z.core.$ZodIssue[],
): Problem {
  const place = (issue: z.core.$ZodIssue) => schema.order.get(issue.path[0]!) ?? schema.order.size;
  const inOrder = issues.length === 1 ? issues : issues.toSorted((a, b) => place(a) - place(b));
  const first = inOrder[0]!;
  const reason = place(first) < schema.order.size ? `invalid_${String(first.path[0])}` : "invalid_record";
  return { reason, messages: inOrder.map((issue) => messageOf(issue, fields)) };
}

/** Names the field, the rule and the value: `price: must be …, got "1e5"`. */
function messageOf(issue: z.core.$ZodIssue, fields: Fields): string {
  if (issue.path.length === 0) return printable(`record: ${issue.message}`);
  const value = fields[String(issue.path[0])];
  // Cut first: a field may be as long as a record, and only the start of it can show.
  const got = value === undefined ? "nothing" : `"${value.slice(0, MESSAGE_BYTES_MAX)}"`;
  return printable(`${issue.path.map(String).join(".")}: ${issue.message}, got ${got}`);
}
