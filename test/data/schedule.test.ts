/** The schedule of arbitrary runs keeps its limits. */
import { expect } from "chai";
import fc from "fast-check";
import { Schedule } from "../../data/generate/schedule.js";

const shapes = fc.record({
  eventsPerSecond: fc.oneof(
    fc.double({ min: 0.001, max: 1_000_000, noNaN: true }),
    fc.integer({ min: 1, max: 50_000 }),
  ),
  rowsPlanned: fc.integer({ min: 1, max: 3000 }),
  rowsPerFile: fc.integer({ min: 1, max: 1000 }),
  isPaced: fc.boolean(),
});

describe("Schedule", () => {
  it("cuts all records into files, in order, each within its limits and due in order", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const schedule = new Schedule(shape);
        let row = 0;
        let dueMs = 0;
        while (row < shape.rowsPlanned) {
          const batch = schedule.batchFrom(row);
          expect(batch.from).to.equal(row);
          expect(batch.to - row).to.be.within(1, shape.rowsPerFile);
          expect(batch.dueMs).to.be.at.least(dueMs);
          if (shape.isPaced) {
            const [first, last] = [schedule.offsetMicros(row), schedule.offsetMicros(batch.to - 1)];
            expect(Math.floor(last / 1e6)).to.equal(Math.floor(first / 1e6));
            expect(schedule.rowsDueAt(batch.dueMs)).to.be.at.least(batch.to);
          }
          row = batch.to;
          dueMs = batch.dueMs;
        }
        expect(row).to.equal(shape.rowsPlanned);
      }),
    );
  });

  it("has at every moment as many records due as the rate says", () => {
    const schedule = new Schedule({ eventsPerSecond: 10, rowsPlanned: 100, rowsPerFile: 100, isPaced: true });
    expect([0, 99, 100, 450, 1000].map((elapsedMs) => schedule.rowsDueAt(elapsedMs))).to.deep.equal([
      1, 1, 2, 5, 11,
    ]);
  });
});
