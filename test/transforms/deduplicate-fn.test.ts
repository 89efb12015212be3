/** DeduplicateFn: which horizons it takes. */
import { expect } from "chai";
import { DeduplicateFn } from "../../transforms/deduplicate-fn.js";
import { HORIZON_RECORDS_MAX } from "../../transforms/recent-values.js";

describe("DeduplicateFn", () => {
  it("takes a horizon of one id, and of as many as the limit", () => {
    for (const records of [1, HORIZON_RECORDS_MAX]) new DeduplicateFn({ key: "id", horizon: { records } });
  });

  for (const records of [0, -1, 1.5, Number.NaN, HORIZON_RECORDS_MAX + 1]) {
    it(`refuses a horizon of ${records}`, () => {
      expect(() => new DeduplicateFn({ key: "id", horizon: { records } })).to.throw(
        `deduplicate's horizon.records must be an integer from 1 to 4194304, got ${records}`,
      );
    });
  }
});
