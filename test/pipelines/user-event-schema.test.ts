/** The rules of user events, field by field. */
import { expect } from "chai";
import fc from "fast-check";
import { userEventSchema } from "../../pipelines/user-event-schema.js";
import type { Problem } from "../../transforms/input-record.js";
import { validateRecord } from "../../transforms/validate.js";
import { recordOf } from "../support/input-records.js";
import { seeded } from "../support/property-seed.js";

const event = {
  event_id: "3f2b8c1a-0d4e-4f6a-9b7c-1e2d3c4b5a69",
  user_id: "42",
  event_type: "view",
  product_id: "7",
  price: "19.90",
  event_timestamp: "2025-01-01T00:00:00.001000Z",
};
type Field = keyof typeof event;
const fields = Object.keys(event) as Field[];

const idRule = "must be 1 to 64 characters without whitespace or control characters";
const typeRule = "must be one of view, add_to_cart, purchase";
const priceRule = "must be 1 to 8 digits and at most 2 more after a point";
const timeRule =
  "must be an existing YYYY-MM-DD[T ]HH:MM:SS[.1 to 9 digits][Z or +-HH:MM] in the years 0001 to 9999 UTC";

function outcomeOf(changes: Partial<Record<string, string>>): unknown {
  const result = validateRecord(
    userEventSchema,
    recordOf({ ...event, ...changes } as Record<string, string>),
  );
  return "valid" in result ? result.valid.value : result.invalid.problem;
}

function problemOf(changes: Partial<Record<Field, string>>): Problem | undefined {
  const result = validateRecord(userEventSchema, recordOf({ ...event, ...changes }));
  return "invalid" in result ? result.invalid.problem : undefined;
}

const goodIds: readonly (readonly [why: string, id: string])[] = [
  ["one character", "a"],
  ["64 characters", "x".repeat(64)],
  ["64 astral characters", "📏".repeat(64)],
  ["63 ASCII and one astral character", `${"x".repeat(63)}📏`],
  ["letters with marks, 64 code points", "e\u0301".repeat(32)],
  ["printable ASCII of any kind", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"],
  ["a soft hyphen and a zero-width joiner, which are neither blank nor control", "a\u00adb\u200dc"],
];

const badIds: readonly (readonly [why: string, id: string])[] = [
  ["nothing", ""],
  ["65 characters", "x".repeat(65)],
  ["65 astral characters", "📏".repeat(65)],
  ["64 ASCII and one astral character", `${"x".repeat(64)}📏`],
  ["letters with marks, 65 code points", `${"e\u0301".repeat(32)}e`],
  ["a blank before", " a"],
  ["a blank after", "a "],
  ["a blank within", "a b"],
  ["a tab", "a\tb"],
  ["NUL", "a\0"],
  ["a newline at the end", "a\n"],
  ["a lone CR", "a\rb"],
  ["DEL", "a\u007f"],
  ["NEL, a C1 control", "a\u0085b"],
  ["NBSP", "a\u00a0b"],
  ["an ideographic blank", "a\u3000b"],
  ["a line separator", "a\u2028b"],
  ["a byte order mark", "\ufeffa"],
  ["a lone high surrogate", "a\ud83d"],
  ["a lone low surrogate", "\udccfa"],
];

describe("userEventSchema", () => {
  it("is known to a graph as user-event", () => {
    expect(userEventSchema.name).to.equal("user-event");
  });

  it("gives the six canonical texts in the schema's order and leaves unknown columns out", () => {
    const value = outcomeOf({
      price: "007.5",
      event_timestamp: "2025-01-01 01:30:00+01:30",
      campaign: "spring",
    });
    expect(value).to.deep.equal({ ...event, price: "7.50", event_timestamp: "2025-01-01T00:00:00.000000Z" });
    expect(Object.keys(value as object)).to.deep.equal(fields);
  });

  it("takes the columns in any order", () => {
    const record = recordOf(Object.fromEntries(Object.entries(event).reverse()));
    expect(validateRecord(userEventSchema, record)).to.deep.equal({
      valid: { record: record.origin, value: event },
    });
  });

  it("gives one value to spellings of one price and one instant", () => {
    expect(outcomeOf({ price: "1.0", event_timestamp: "2025-01-01T00:00:00Z" })).to.deep.equal(
      outcomeOf({ price: "01.00", event_timestamp: "2024-12-31 19:00:00.000-05:00" }),
    );
  });

  for (const field of ["event_id", "user_id", "product_id"] as const) {
    for (const [why, id] of goodIds) {
      it(`takes ${why} as ${field}`, () =>
        expect(outcomeOf({ [field]: id })).to.deep.equal({ ...event, [field]: id }));
    }
    for (const [why, id] of badIds) {
      it(`refuses ${why} as ${field}`, () => {
        expect(problemOf({ [field]: id })?.reason).to.equal(`invalid_${field}`);
        expect(problemOf({ [field]: id })?.messages).to.have.length(1);
      });
    }
  }

  for (const type of ["view", "add_to_cart", "purchase"]) {
    it(`takes the event type ${type}`, () =>
      expect(outcomeOf({ event_type: type })).to.deep.equal({ ...event, event_type: type }));
  }
  for (const type of ["", "View", "VIEW", " view", "view ", "view\0", "clicked", "toString", "__proto__"]) {
    it(`refuses the event type ${JSON.stringify(type)}`, () => {
      const shown = type.replace("\0", "\\u0000");
      expect(problemOf({ event_type: type })).to.deep.equal({
        reason: "invalid_event_type",
        messages: [`event_type: ${typeRule}, got "${shown}"`],
      });
    });
  }

  for (const price of ["", "-1.00", "1.234", "123456789", "1e2", ".5", "5.", "1,50", " 1"]) {
    it(`refuses the price ${JSON.stringify(price)}`, () =>
      expect(problemOf({ price })).to.deep.equal({
        reason: "invalid_price",
        messages: [`price: ${priceRule}, got "${price}"`],
      }));
  }

  for (const time of [
    "",
    "2025-13-45T99:61:00Z",
    "2023-02-29T00:00:00Z",
    "2025-01-01T24:00:00Z",
    "2025-01-01",
  ]) {
    it(`refuses the time ${JSON.stringify(time)}`, () =>
      expect(problemOf({ event_timestamp: time })).to.deep.equal({
        reason: "invalid_event_timestamp",
        messages: [`event_timestamp: ${timeRule}, got "${time}"`],
      }));
  }

  it("lists every failing field in the order id, user, type, product, price, time", () => {
    const bad = Object.fromEntries(fields.map((field) => [field, ""]).reverse());
    expect(validateRecord(userEventSchema, recordOf(bad)))
      .to.have.nested.property("invalid.problem")
      .that.deep.equals({
        reason: "invalid_event_id",
        messages: [
          `event_id: ${idRule}, got ""`,
          `user_id: ${idRule}, got ""`,
          `event_type: ${typeRule}, got ""`,
          `product_id: ${idRule}, got ""`,
          `price: ${priceRule}, got ""`,
          `event_timestamp: ${timeRule}, got ""`,
        ],
      });
  });

  it("takes the reason from the first of any set of failing fields", () => {
    const failing = fc.subarray(fields, { minLength: 1 });
    fc.assert(
      fc.property(failing, (names) => {
        const problem = problemOf(Object.fromEntries(names.map((name) => [name, "\u0001"])));
        expect(problem?.reason).to.equal(`invalid_${names[0]}`);
        expect(problem?.messages.map((message) => message.split(":")[0])).to.deep.equal(names);
      }),
      seeded(),
    );
  });

  it("takes an id exactly when it is 1 to 64 code points, none of them blank, control or half", () => {
    const character = fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
      fc.constantFrom("x", "\ud800"),
    );
    const id = fc.array(character, { maxLength: 70 }).map((characters) => characters.join(""));
    fc.assert(
      fc.property(id, (text) => {
        const characters = [...text];
        const valid =
          characters.length >= 1 &&
          characters.length <= 64 &&
          !characters.some(
            (one) =>
              one.trim() === "" ||
              /\p{Cc}/u.test(one) ||
              (one.length === 1 && one >= "\ud800" && one <= "\udfff"),
          );
        expect(problemOf({ user_id: text }) === undefined).to.equal(valid);
      }),
      seeded({ numRuns: 1000 }),
    );
  });
});
