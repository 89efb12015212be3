/** Split: elements go where their key says. */
import { expect } from "chai";
import type { ProcessContext } from "../../transforms/primitives/do-fn.js";
import { createDoFn } from "../../transforms/primitives/fn-registry.js";
import { SPLIT_FN } from "../../transforms/split.js";

function splitAll(elements: readonly unknown[]): [string, unknown][] {
  const out: [string, unknown][] = [];
  const fn = createDoFn(SPLIT_FN, { tags: ["valid", "invalid"] });
  const context = {
    outputTo: (tag: string, value: unknown) => out.push([tag, value]),
  } as unknown as ProcessContext;
  for (const element of elements) (fn.process as (e: unknown, c: ProcessContext) => void)(element, context);
  return out;
}

describe("split", () => {
  it("SplitFn emits each value to the output that its key names, null and false included", () => {
    expect(splitAll([{ valid: 1 }, { invalid: "x" }, { valid: null }, { valid: false }])).to.deep.equal([
      ["valid", 1],
      ["invalid", "x"],
      ["valid", null],
      ["valid", false],
    ]);
  });

  it("SplitFn refuses an element without a known tag, naming what it has", () => {
    expect(() => splitAll([{ other: 1 }])).to.throw("split takes one of the tags valid, invalid, got other");
    expect(() => splitAll([{}])).to.throw("split takes one of the tags valid, invalid, got none");
  });
});
