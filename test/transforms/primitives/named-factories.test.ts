/** The registry of one kind of functions: what it builds, and what it says where it cannot. */
import { expect } from "chai";
import { NamedFactories } from "../../../transforms/primitives/named-factories.js";

describe("NamedFactories", () => {
  it("builds a function from the configuration, and takes the same factory twice", () => {
    const adders = new NamedFactories<(n: number) => number>("adder");
    const factory = (by: number) => (n: number) => n + by;
    expect(adders.register("add@1", factory)).to.equal("add@1");
    expect(adders.register("add@1", factory)).to.equal("add@1");
    expect(adders.create("add@1", 3)(4)).to.equal(7);
  });

  it("says which names there are where one is unknown or taken", () => {
    const adders = new NamedFactories<() => number>("adder");
    expect(() => adders.create("a@1", null)).to.throw('no adder is registered as "a@1" (registered: none)');
    adders.register("b@1", () => () => 1);
    adders.register("a@1", () => () => 1);
    expect(() => adders.create("c@1", null)).to.throw(
      'no adder is registered as "c@1" (registered: a@1, b@1)',
    );
    expect(() => adders.register("a@1", () => () => 2)).to.throw('adder name "a@1" is already registered');
  });
});
