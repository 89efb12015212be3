/** The coder of any JavaScript value: exact, canonical, readable by the SDK where the SDK has a form. */
import { expect } from "chai";
import fc from "fast-check";
import { decodeFromBytes, encodeToBytes } from "../../../../transforms/primitives/coders/encode.js";
import { GeneralObjectCoder } from "../../../../transforms/primitives/coders/general-object-coder.js";
import { type Coder, Context } from "../../../../transforms/primitives/coders/sdk.js";
import { checkProperty } from "../../../support/check-property.js";
import { assertCarries, hexOf, messageOf } from "./encodings.js";
import { pristineSdk, protobuf } from "./pristine-sdk.js";

const coder = new GeneralObjectCoder();
const sdkCoder: Coder<unknown> = new pristineSdk["GeneralObjectCoder"]!();

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

class Circle extends Point {
  area(): number {
    return this.x * this.y;
  }
}

const text = fc.string({ unit: "binary" });
const names = fc.oneof(
  fc.string({ unit: "binary" }).map((name) => name.replaceAll("\0", "")),
  fc.constantFrom("__proto__", "constructor", "1", "10", "$ref", "_bsontype", "key"),
);
const scalars = fc.oneof(
  text,
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, -(2 ** 31) - 1, 1e300),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array().map((bytes) => Uint8Array.from(bytes)),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);
const { value: values } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalars,
    tie("array"),
    tie("object"),
    tie("map"),
    tie("set"),
  ),
  array: fc.array(tie("value"), { maxLength: 5 }),
  object: fc.array(fc.tuple(names, tie("value")), { maxLength: 5 }).map(objectOf),
  map: fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
  set: fc.array(tie("value"), { maxLength: 4 }).map((elements) => new Set(elements)),
}));
/** What the SDK's coder carries as well. */
const { value: sdkValues } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    tie("array"),
    tie("object"),
  ),
  array: fc.array(tie("value"), { maxLength: 5 }),
  object: fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), tie("value"), {
    maxKeys: 5,
    noNullPrototype: true,
  }),
}));

/** Fields as they are named, `__proto__` among them. */
function objectOf(fields: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [name, value] of fields) {
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  }
  return object;
}

/** Exact: as deep equality, but also the same prototypes, -0, and the order of maps and sets. */
function sameForm(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sameForm);
  if (value instanceof Map) return ["Map", [...value].map(sameForm)];
  if (value instanceof Set) return ["Set", [...value].map(sameForm)];
  if (value instanceof Date) return ["Date", value.getTime()];
  if (value instanceof Uint8Array) return [value.constructor.name, ...value];
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? ["-0"] : value;
  return [
    "object",
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(sameForm),
  ];
}

function sdkEncode(value: unknown): Uint8Array {
  const writer = protobuf.Writer.create();
  sdkCoder.encode(value, writer, Context.needsDelimiters);
  return writer.finish();
}

describe("GeneralObjectCoder", () => {
  it("carries every value exactly, nested anyhow", () => {
    checkProperty(
      fc.property(values, (value) => {
        const decoded = decodeFromBytes(coder, encodeToBytes(coder, value));
        expect(sameForm(decoded)).to.deep.equal(sameForm(value));
      }),
      1500,
    );
  });

  it("encodes in both contexts, through our buffer and protobufjs alike", () => {
    const samples = [
      "",
      "käse",
      1,
      -0,
      2 ** 40,
      1.5,
      true,
      null,
      undefined,
      2n ** 70n,
      [1, ["a"]],
      { a: { b: [1n] } },
    ];
    for (const sample of samples) assertCarries(coder, sample);
  });

  it("gives an object the same bytes whatever the order of its fields", () => {
    checkProperty(
      fc.property(fc.dictionary(names, values), (object) => {
        const fields = Object.entries(object);
        const forwards = encodeToBytes(coder, objectOf(fields));
        expect(hexOf(encodeToBytes(coder, objectOf(fields.toReversed())))).to.equal(hexOf(forwards));
      }),
      300,
    );
    const one = encodeToBytes(coder, { user: "u", at: { hour: 1, day: 2 } });
    expect(encodeToBytes(coder, { at: { day: 2, hour: 1 }, user: "u" })).to.deep.equal(one);
  });

  it("gives different values different bytes", () => {
    const samples = [
      0,
      -0,
      1,
      "1",
      1n,
      true,
      "true",
      null,
      undefined,
      "",
      [],
      {},
      [null],
      [undefined],
      new Map(),
      new Set(),
      new Date(1),
      new Date(Number.NaN),
      Uint8Array.of(1),
      Buffer.of(1),
      { a: undefined },
      { a: null },
    ];
    const encodings = new Set(samples.map((sample) => hexOf(encodeToBytes(coder, sample))));
    expect(encodings.size).to.equal(samples.length);
  });

  it("reads what the SDK's coder wrote", () => {
    checkProperty(
      fc.property(sdkValues, (value) => {
        const input = protobuf.Reader.create(sdkEncode(value));
        expect(coder.decode(input, Context.needsDelimiters)).to.deep.equal(value);
        expect(input.pos).to.equal(input.len);
      }),
      500,
    );
  });

  it("writes what the SDK's coder reads", () => {
    checkProperty(
      fc.property(sdkValues, (value) => {
        const writer = protobuf.Writer.create();
        coder.encode(value, writer, Context.needsDelimiters);
        const decoded = sdkCoder.decode(protobuf.Reader.create(writer.finish()), Context.needsDelimiters);
        expect(decoded).to.deep.equal(value);
      }),
      500,
    );
  });

  it("writes the SDK's very bytes where field order does not matter", () => {
    for (const sample of [
      "a",
      "",
      1,
      0,
      -1,
      1.5,
      true,
      false,
      null,
      [1, "a", [2.5]],
      { a: 1, b: "x", c: [1, { d: 2.5 }] },
    ]) {
      const writer = protobuf.Writer.create();
      coder.encode(sample, writer, Context.needsDelimiters);
      expect(hexOf(writer.finish())).to.equal(hexOf(sdkEncode(sample)));
    }
  });

  it("reads dates, binary data and regular expressions out of the SDK's objects", () => {
    const date = new Date(1_700_000_000_000);
    const written = sdkEncode({
      date,
      bytes: Buffer.of(1, 2),
      pattern: /a+/i,
      missing: undefined,
      big: 2 ** 40,
    });
    expect(coder.decode(protobuf.Reader.create(written), Context.needsDelimiters)).to.deep.equal({
      date,
      bytes: Uint8Array.of(1, 2),
      pattern: /a+/i,
      big: 2 ** 40,
    });
  });

  it("carries an instance of a class without methods as its fields", () => {
    expect(decodeFromBytes(coder, encodeToBytes(coder, new Point(1, 2)))).to.deep.equal({ x: 1, y: 2 });
  });

  it("refuses what it cannot carry, with the path to it", () => {
    const cycle: Record<string, unknown> = { a: [1] };
    (cycle["a"] as unknown[]).push({ back: cycle });
    const holes = [1, 2];
    delete holes[0];
    const deep = Array.from({ length: 1100 }).reduce((inner) => [inner], 0);
    const cases: [unknown, string][] = [
      [() => 1, "value: a function cannot be encoded"],
      [{ items: [1, 2, 3, { f: () => 1 }] }, "value.items[3].f: a function cannot be encoded"],
      [{ "odd name": Symbol("s") }, 'value["odd name"]: a symbol cannot be encoded'],
      [{ [Symbol("s")]: 1 }, "value: a field named by a symbol cannot be encoded"],
      [[new Circle(1, 2)], "value[0]: an instance of Circle cannot be encoded: it has methods"],
      [{ later: Promise.resolve() }, "value.later: an instance of Promise cannot be encoded: it has methods"],
      [
        { floats: new Float32Array(1) },
        "value.floats: an instance of Float32Array cannot be encoded: it has methods",
      ],
      [/a/, "value: an instance of RegExp cannot be encoded: it has methods"],
      [cycle, "value.a[1].back: a cycle cannot be encoded"],
      ["a\ud800", "value: a string with a lone surrogate cannot be encoded"],
      [{ text: `\udc00${"a".repeat(100)}` }, "value.text: a string with a lone surrogate cannot be encoded"],
      [{ "a\0b": 1 }, 'value["a\\u0000b"]: the name of a field cannot be encoded: it holds a NUL'],
      [new Map([["k", { f: Symbol.iterator }]]), 'value.get("k").f: a symbol cannot be encoded'],
      [new Map([[() => 1, 1]]), "value.keys()[0]: a function cannot be encoded"],
      [{ s: new Set([1, () => 1]) }, "value.s.values()[1]: a function cannot be encoded"],
      [{ list: holes }, "value.list: an array with holes cannot be encoded"],
      ["ab".match(/b/), 'value: an array with the field "index" cannot be encoded'],
      [
        Object.assign(new Date(0), { zone: "UTC" }),
        "value: an instance of Date with fields of its own cannot be encoded",
      ],
    ];
    for (const [value, message] of cases)
      expect(messageOf(() => encodeToBytes(coder, value))).to.equal(message);
    expect(messageOf(() => encodeToBytes(coder, deep))).to.match(/objects nested more than 1000 deep cannot/);
    // A failed encoding leaves nothing behind.
    expect(hexOf(encodeToBytes(coder, "a"))).to.equal("015361");
  });

  it("refuses bytes that are no encoding", () => {
    const decode = (hex: string) => messageOf(() => decodeFromBytes(coder, Buffer.from(hex, "hex")));
    expect(decode("")).to.equal("the encoding is cut off: 2 bytes are needed at byte 0, 0 are there");
    expect(decode("0251")).to.equal("no letter of a type at byte 0");
    expect(decode("0151")).to.equal('the string "Q" is no letter of a type');
    expect(decode("0153ff")).to.equal("the 1 bytes at byte 2 are not UTF-8");
    expect(decode("015a00")).to.equal("1 bytes are left over at byte 2");
    expect(decode("01620501")).to.equal("the encoding is cut off: length 5 at byte 2, 1 bytes are left");
  });
});
