/** Validation with any schema: reasons, messages, and the DoFn that a graph names. */
import { expect } from "chai";
import { z } from "zod";
import type { InputRecord } from "../../transforms/input-record.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { createDoFn } from "../../transforms/primitives/fn-registry.js";
import { defineSchema, VALIDATE, type ValidateConfig, validateRecord } from "../../transforms/validate.js";
import { inputRecord, problemRecord, recordOf } from "../support/input-records.js";

const definition = z.object({
  name: z
    .string()
    .min(2, "must have 2 characters")
    .regex(/^[a-z]+$/, "must be lower-case letters"),
  age: z.string().regex(/^\d+$/, "must be digits").transform(Number),
  note: z.string().max(5).optional(),
});
const person = defineSchema("test-person", definition);

const interval = defineSchema(
  "test-interval",
  z
    .object({ from: z.string(), to: z.string() })
    .refine(({ from, to }) => from <= to, { error: "from must not be after to" }),
);

/** A context in which nothing but the main output exists. */
function outputsOf(fn: DoFn<InputRecord>, record: InputRecord): unknown[] {
  const outputs: unknown[] = [];
  const onlyOutput = { output: (...output: unknown[]) => outputs.push(output) };
  const context = new Proxy(onlyOutput, {
    get(target, key) {
      if (key !== "output") throw new Error(`validate used ${String(key)} of its context`);
      return target.output;
    },
  });
  outputs.push(fn.process(record, context as unknown as ProcessContext));
  return outputs;
}

describe("validateRecord()", () => {
  it("gives the record with the schema's output, without unknown fields", () => {
    const record = recordOf({ extra: "x", age: "42", name: "ada" });
    expect(validateRecord(person, record)).to.deep.equal({
      valid: { record: record.origin, value: { name: "ada", age: 42 } },
    });
  });

  it("passes a problem of the reader on, unchanged", () => {
    const problem = { reason: "field_count", messages: ["5 fields, the header has 6"] };
    const record = problemRecord(problem);
    const result = validateRecord(person, record);
    expect(result).to.deep.equal({ invalid: { record: record.origin, problem } });
    expect("invalid" in result && result.invalid.problem).to.equal(problem);
  });

  it("names the field, the rule and the value", () => {
    const record = recordOf({ name: "ada", age: "old" });
    expect(validateRecord(person, record)).to.deep.equal({
      invalid: {
        record: record.origin,
        problem: { reason: "invalid_age", messages: ['age: must be digits, got "old"'] },
      },
    });
  });

  it("lists every failure in the schema's order, and takes the reason from the first", () => {
    const record = recordOf({ note: "too long", age: "", name: "A" });
    expect(validateRecord(person, record)).to.deep.equal({
      invalid: {
        record: record.origin,
        problem: {
          reason: "invalid_name",
          messages: [
            'name: must have 2 characters, got "A"',
            'name: must be lower-case letters, got "A"',
            'age: must be digits, got ""',
            'note: Too big: expected string to have <=5 characters, got "too long"',
          ],
        },
      },
    });
  });

  it("says that a field is not there", () => {
    const result = validateRecord(person, recordOf({ age: "1" }));
    expect(result).to.have.nested.property("invalid.problem.reason", "invalid_name");
    expect(result)
      .to.have.nested.property("invalid.problem.messages")
      .that.deep.equals(["name: Invalid input: expected string, received undefined, got nothing"]);
  });

  it("calls the failure of a rule over the whole record invalid_record", () => {
    expect(validateRecord(interval, recordOf({ from: "b", to: "a" })))
      .to.have.nested.property("invalid.problem")
      .that.deep.equals({ reason: "invalid_record", messages: ["record: from must not be after to"] });
  });

  it("escapes control characters of the value", () => {
    expect(validateRecord(person, recordOf({ name: "ada", age: "\0\r\u001b[31m" })))
      .to.have.nested.property("invalid.problem.messages")
      .that.deep.equals(['age: must be digits, got "\\u0000\\r\\u001b[31m"']);
  });

  it("cuts each message at 200 bytes between code points", () => {
    const result = validateRecord(
      person,
      recordOf({ name: "📏".repeat(500_000), age: "9x".repeat(500_000) }),
    );
    expect(result)
      .to.have.nested.property("invalid.problem.messages")
      .that.deep.equals([
        `name: must be lower-case letters, got "${"📏".repeat(39)}…`,
        `age: must be digits, got "${"9x".repeat(85)}9…`,
      ]);
  });

  it("throws when the schema is asynchronous", () => {
    const slow = defineSchema("test-slow", z.object({ name: z.string().refine(async () => true) }));
    expect(() => validateRecord(slow, recordOf({ name: "ada" }))).to.throw(z.core.$ZodAsyncError);
  });

  it("throws when a record has neither fields nor a problem", () => {
    expect(() => validateRecord(person, inputRecord({}))).to.throw(
      "record at events.csv:2 has neither fields nor a problem",
    );
  });
});

describe("defineSchema()", () => {
  it("gives the same schema when the same definition is registered again", () => {
    expect(defineSchema("test-person", definition)).to.equal(person);
  });

  it("refuses a name that another definition has", () => {
    expect(() => defineSchema("test-person", z.object({}))).to.throw(
      'schema name "test-person" is already registered',
    );
  });
});

describe("validate@1", () => {
  const create = (config: ValidateConfig) => createDoFn(VALIDATE, config) as DoFn<InputRecord>;

  it("is found by its name and emits one object with one key on the main output, without a promise", () => {
    const fn = create({ schema: "test-person" });
    const good = recordOf({ name: "ada", age: "42" });
    const bad = recordOf({ name: "ada", age: "-" });
    expect(VALIDATE).to.equal("validate@1");
    expect(outputsOf(fn, good)).to.deep.equal([
      [{ valid: { record: good.origin, value: { name: "ada", age: 42 } } }],
      undefined,
    ]);
    expect(outputsOf(fn, bad)).to.deep.equal([
      [
        {
          invalid: {
            record: bad.origin,
            problem: { reason: "invalid_age", messages: ['age: must be digits, got "-"'] },
          },
        },
      ],
      undefined,
    ]);
  });

  it("names the schemas it knows when its own is not registered", () => {
    expect(() => create({ schema: "no-such" })).to.throw(
      /^no schema is registered as "no-such" \(registered: .*test-interval, test-person.*\)$/,
    );
  });
});
