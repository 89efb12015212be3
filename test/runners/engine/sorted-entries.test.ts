/** SortedEntries against a list that is sorted anew each time. */
import { assert } from "chai";
import fc from "fast-check";
import { SortedEntries } from "../../../runners/engine/sorted-entries.js";
import { checkProperty } from "../../support/check-property.js";

const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("set" as const), place: fc.nat(2000) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("delete" as const), place: fc.nat(2000) }) },
);

describe("SortedEntries", () => {
  it("gives what is between two places and the last before, whatever was set and deleted", () => {
    checkProperty(
      fc.property(
        fc.array(action, { minLength: 0, maxLength: 3000, size: "max" }),
        fc.array(fc.tuple(fc.integer({ min: -5, max: 2005 }), fc.nat(300)), { minLength: 1, maxLength: 20 }),
        (actions, ranges) => {
          const entries = new SortedEntries<string>();
          const naive = new Map<number, string>();
          actions.forEach(({ kind, place }, turn) => {
            if (kind === "set") {
              entries.set(place, `${place}#${turn}`);
              naive.set(place, `${place}#${turn}`);
            } else {
              entries.delete(place);
              naive.delete(place);
            }
          });
          const places = [...naive.keys()].sort((a, b) => a - b);
          for (const [from, length] of ranges) {
            const before = places.filter((place) => place < from).at(-1) ?? from;
            const expected = places.filter((place) => place >= before && place <= from + length);
            assert.deepEqual(
              [...entries.between(from, from + length)],
              expected.map((place) => naive.get(place)),
            );
          }
        },
      ),
      200,
    );
  });
});
