/** GeneralObjectCoder: names of fields and their order, which are remembered from object to object. */
import { expect } from "chai";
import "../../../../transforms/primitives/beam.js";
import { ByteReader } from "../../../../transforms/primitives/coders/byte-reader.js";
import { ByteWriter } from "../../../../transforms/primitives/coders/byte-writer.js";
import { GeneralObjectCoder } from "../../../../transforms/primitives/coders/general-object-coder.js";

const coder = new GeneralObjectCoder();

function encoded(value: unknown): Uint8Array {
  const out = new ByteWriter();
  coder.write(value, out, true);
  return out.finish();
}
const throughBytes = (value: unknown) => coder.read(new ByteReader(encoded(value)), true);

describe("the fields of GeneralObjectCoder", () => {
  it("keep their names whatever other objects came before", () => {
    // more names than are remembered, so that they push each other out, twice
    for (let round = 0; round < 2; round++) {
      for (let at = 0; at < 5_000; at++) {
        const object = { [`field_${at}`]: at, [`f${at * 7}`]: { [`inner-${at}`]: true } };
        expect(throughBytes(object)).to.deep.equal(object);
      }
    }
  });

  it("have any names: long, empty, not ASCII, __proto__", () => {
    const names = ["", "é", "e\u0301", "名", "x".repeat(47), "x".repeat(48), "x".repeat(49), "\x7f", "\x80"];
    const object = Object.fromEntries(names.map((name, at) => [name, at]));
    expect(throughBytes(object)).to.deep.equal(object);
    const odd = JSON.parse('{"__proto__": {"a": 1}, "b": 2}') as object;
    const read = throughBytes(odd) as object;
    expect(Object.keys(read)).to.deep.equal(["__proto__", "b"]);
    expect(Object.getPrototypeOf(read)).to.equal(Object.prototype);
  });

  it("are sorted, also of objects that begin with the same field in another order", () => {
    const objects = [
      { b: 1, a: 2, c: 3 },
      { b: 1, c: 3, a: 2 },
      { b: 1, a: 2 },
      { b: 1, a: 2, c: 3 },
      { a: 2, b: 1, c: 3 },
    ];
    const [first, second, third, fourth, fifth] = objects.map((object) =>
      Buffer.from(encoded(object)).toString("hex"),
    );
    expect([second, fourth, fifth]).to.deep.equal([first, first, first]);
    expect(third).not.to.equal(first);
    expect(objects.map((object) => Object.keys(throughBytes(object) as object).join(""))).to.deep.equal([
      "abc",
      "abc",
      "ab",
      "abc",
      "abc",
    ]);
  });

  it("without an end are an error", () => {
    const bytes = encoded({ name: true });
    const at = Buffer.from(bytes).indexOf("name");
    expect(() => coder.read(new ByteReader(bytes.subarray(0, at + 4)), true)).to.throw(/cut off|has no end/);
  });
});
