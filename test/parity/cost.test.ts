/** perMillion(), perMillionBeyond(): the costs in the table of parity. */
import { expect } from "chai";
import { perMillion, perMillionBeyond } from "./cost.js";

describe("the costs of parity", () => {
  const start = { records: 1_000, cpuS: 20, postgresCpuS: 0.5 };
  const run = { records: 51_000, cpuS: 24, postgresCpuS: 1.5 };

  it("perMillion() counts the command and PostgreSQL", () => {
    expect(perMillion(run)).to.equal(500);
    expect(perMillion({ ...run, postgresCpuS: 0 })).to.be.closeTo(470.59, 0.01);
  });

  it("perMillionBeyond() leaves out what a run on hardly any records costs too", () => {
    expect(perMillionBeyond(start, run)).to.equal(100);
  });

  it("both refuse a cost of no records", () => {
    expect(() => perMillion({ ...run, records: 0 })).to.throw("at least one record, got 0");
    expect(() => perMillionBeyond(run, start)).to.throw("at least one record, got -50000");
  });
});
