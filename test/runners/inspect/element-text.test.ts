/** Elements as text: of a bounded length whatever they are, and nothing of them is called. */
import { expect } from "chai";
import { elementText } from "../../../runners/inspect/element-text.js";

describe("elementText()", () => {
  it("shows what elements are made of", () => {
    const element = {
      key: "k",
      bytes: Buffer.from("price,1é"),
      binary: Buffer.from([0xff, 0x00]),
      at: new Date(0),
      big: 10n,
      none: Number.NaN,
      set: new Set([1]),
      map: new Map([["a", null]]),
      missing: undefined,
      call: () => 1,
    };
    expect(JSON.parse(elementText(element))).to.deep.equal({
      ...{ key: "k", bytes: "price,1é", binary: "0xff00", at: "1970-01-01T00:00:00.000Z" },
      ...{ big: "10", none: "NaN", set: [1], map: [["a", null]], call: "[function]" },
    });
    expect([undefined, null, 7, "x", Symbol("s")].map(elementText)).to.deep.equal([
      ...["undefined", "null", "7", '"x"', '"[symbol]"'],
    ]);
  });

  it("is bounded in length, depth and breadth, and cuts no character", () => {
    const huge = { text: "x".repeat(1_000_000), list: Array.from({ length: 10_000 }, () => "y".repeat(999)) };
    expect(elementText(huge)).to.have.length.below(2_010);
    expect(elementText(huge)).to.match(/…$/);
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    expect(elementText(cyclic)).to.equal('{"self":{"self":{"self":{"self":{"self":"…"}}}}}');
    expect(elementText(`${"x".repeat(499)}😀`)).to.equal(`"${"x".repeat(499)}…"`);
    expect(elementText(Buffer.from(`${"x".repeat(63)}é`))).to.equal(`"${"x".repeat(63)}… (65 bytes)"`);
    const wide = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`k${n}`, n]));
    expect(JSON.parse(elementText(wide))).to.include({ k19: 19, "…": "5 more" });
    expect(JSON.parse(elementText(Array.from({ length: 25 }, (_, n) => n)))).to.have.length(21);
  });

  it("reads no getter", () => {
    const trap = Object.defineProperty({}, "secret", {
      enumerable: true,
      get: () => expect.fail("it was read"),
    });
    expect(elementText(trap)).to.equal('{"secret":"[getter]"}');
  });
});
