/** Ids of keys: equal exactly where encodings are equal. */
import { expect } from "chai";
import fc from "fast-check";
import { KVCoder } from "../../../../transforms/primitives/coders/composite-coders.js";
import { encodeToBytes, keyIdOf } from "../../../../transforms/primitives/coders/encode.js";
import { GeneralObjectCoder } from "../../../../transforms/primitives/coders/general-object-coder.js";
import {
  BytesCoder,
  StringUtf8Coder,
  VarIntCoder,
} from "../../../../transforms/primitives/coders/scalar-coders.js";
import { checkProperty } from "../../../support/check-property.js";
import { hexOf, messageOf } from "./encodings.js";
import { pristineSdk } from "./pristine-sdk.js";

const general = new GeneralObjectCoder();

describe("keyIdOf", () => {
  it("gives a string under a coder of strings or of anything as it is", () => {
    for (const coder of [general, new StringUtf8Coder()]) {
      const keyId = keyIdOf(coder);
      for (const key of ["", "user-1", "käse", "\u0000", "😀"]) expect(keyId(key)).to.equal(key);
    }
  });

  it("gives any other key as the prefix and its encoding, each byte a character", () => {
    expect(keyIdOf(general)(7)).to.equal("\u0001\u0001N\u0001i\u0007");
    expect(keyIdOf(new VarIntCoder())(200)).to.equal("\u0001\u00c8\u0001");
    expect(keyIdOf(new BytesCoder())(Uint8Array.of(0, 255))).to.equal("\u0001\u0000\u00ff");
    expect(keyIdOf(new KVCoder(general, general))({ key: "a", value: 1 })).to.equal(
      "\u0001\u0001S\u0001a\u0001N\u0001i\u0001",
    );
  });

  it("gives a string that begins with the prefix by its encoding, so that it is nobody else's id", () => {
    const keyId = keyIdOf(general);
    expect(keyId("\u0001\u0001N\u0001i\u0007")).not.to.equal(keyId(7));
    expect(keyId("\u0001a")).to.equal("\u0001\u0001S\u0001a");
  });

  it("gives the same id exactly to keys with the same encoding", () => {
    const keys = fc.oneof(
      fc.string(),
      fc.string().map((text) => `\u0001${text}`),
      fc.string().map((text) => keyIdOf(general)([text])),
      fc.integer({ min: -3, max: 3 }),
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(-0, null, undefined, 1n, Number.NaN),
    );
    const keyId = keyIdOf(general);
    checkProperty(
      fc.property(keys, keys, (a, b) => {
        const sameEncoding = hexOf(encodeToBytes(general, a)) === hexOf(encodeToBytes(general, b));
        expect(keyId(a) === keyId(b)).to.equal(sameEncoding);
      }),
      1000,
    );
  });

  it("groups objects whatever the order of their fields", () => {
    const keyId = keyIdOf(general);
    expect(keyId({ shop: "a", day: 1 })).to.equal(keyId({ day: 1, shop: "a" }));
    expect(keyId({ shop: "a", day: 1 })).not.to.equal(keyId({ day: 2, shop: "a" }));
  });

  it("refuses a key without an encoding, also a string", () => {
    expect(messageOf(() => keyIdOf(general)("\ud800"))).to.match(/lone surrogate/);
    expect(messageOf(() => keyIdOf(general)({ f: () => 1 }))).to.equal(
      "value.f: a function cannot be encoded",
    );
    expect(messageOf(() => keyIdOf(new StringUtf8Coder())(1))).to.equal("value: must be a string, got 1");
  });

  it("takes a foreign coder too", () => {
    const keyId = keyIdOf(new pristineSdk["StrUtf8Coder"]!());
    expect(keyId("ab")).to.equal("\u0001ab");
  });
});
