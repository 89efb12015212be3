/** OffsetRangeTracker: claims, splits, and that nothing is lost or done twice. */
import { expect } from "chai";
import fc from "fast-check";
import { OffsetRangeTracker, OPEN_END } from "../../../transforms/primitives/offset-range-tracker.js";
import { checkProperty } from "../../support/check-property.js";

/** A tracker of which offsets up to `last` are claimed. */
function claimed(start: number, end: number, last?: number): OffsetRangeTracker {
  const tracker = new OffsetRangeTracker({ start, end }, end === OPEN_END ? () => 100 : undefined);
  for (let offset = start; last !== undefined && offset <= last; offset++) tracker.tryClaim(offset);
  return tracker;
}

function splitOf(tracker: OffsetRangeTracker, fraction: number): string {
  const split = tracker.trySplit(fraction);
  if (split === undefined) return "none";
  const text = ({ start, end }: { start: number; end: number }) =>
    `[${start},${end === OPEN_END ? "open" : end})`;
  expect(tracker.currentRestriction()).to.deep.equal(split.primary);
  return `${text(split.primary)} ${text(split.residual)}`;
}

describe("OffsetRangeTracker", () => {
  it("tryClaim() takes offsets of the range in ascending order, gaps allowed", () => {
    const tracker = new OffsetRangeTracker({ start: 10, end: 20 });
    expect([10, 13, 19, 20].map((offset) => tracker.tryClaim(offset))).to.deep.equal([
      true,
      true,
      true,
      false,
    ]);
    tracker.checkDone();
  });

  it("tryClaim() refuses an offset that was passed, or lies before the range", () => {
    expect(() => claimed(10, 20, 12).tryClaim(12)).to.throw("offset 12 is claimed after 12");
    expect(() => claimed(10, 20).tryClaim(9)).to.throw("offset 9 is claimed after 9");
  });

  it("trySplit() splits what is left by the fraction", () => {
    expect(splitOf(claimed(0, 100), 0)).to.equal("[0,0) [0,100)");
    expect(splitOf(claimed(0, 100, 9), 0)).to.equal("[0,10) [10,100)");
    expect(splitOf(claimed(0, 100, 49), 0.5)).to.equal("[0,75) [75,100)");
    expect(splitOf(claimed(0, 100, 49), 1)).to.equal("none");
    expect(splitOf(claimed(0, 10, 9), 0)).to.equal("none");
  });

  it("trySplit() of an open range splits at its estimated end, and a checkpoint at once", () => {
    expect(splitOf(claimed(0, OPEN_END, 19), 0)).to.equal("[0,20) [20,open)");
    expect(splitOf(claimed(0, OPEN_END, 19), 0.5)).to.equal("[0,60) [60,open)");
    expect(splitOf(claimed(0, OPEN_END, 119), 0.5)).to.equal("[0,120) [120,open)");
  });

  it("an open range needs an estimate, and is done when its end is claimed in vain", () => {
    expect(() => new OffsetRangeTracker({ start: 0, end: OPEN_END })).to.throw(
      "the open range from 0 on needs a function that estimates its end",
    );
    const tracker = claimed(0, OPEN_END, 5);
    expect(() => tracker.checkDone()).to.throw("was neither claimed nor split off");
    expect(tracker.tryClaim(OPEN_END)).to.equal(false);
    tracker.checkDone();
  });

  it("checkDone() names what was neither claimed nor split off", () => {
    expect(() => claimed(0, 10, 4).checkDone()).to.throw(
      "of the range [0, 10), [5, 10) was neither claimed nor split off",
    );
    claimed(5, 5).checkDone();
  });

  it("progress() tells what is done and left", () => {
    expect(claimed(10, 20).progress()).to.deep.equal({ completed: 0, remaining: 10 });
    expect(claimed(10, 20, 12).progress()).to.deep.equal({ completed: 3, remaining: 7 });
    expect(claimed(10, OPEN_END, 12).progress()).to.deep.equal({ completed: 3, remaining: 87 });
  });

  it("refuses ranges and fractions that are none", () => {
    expect(() => new OffsetRangeTracker({ start: 5, end: 4 })).to.throw("start first, got [5, 4)");
    expect(() => claimed(0, 9).trySplit(1.5)).to.throw("must be from 0 to 1, got 1.5");
  });

  it("by property: whatever is split off, every offset is done once, by one of the parts", () => {
    const action = fc.oneof(
      fc.constant("claim" as const),
      fc.double({ min: 0, max: 1, noNaN: true }).map((fraction) => ({ fraction })),
    );
    checkProperty(
      fc.property(fc.nat(60), fc.array(action, { maxLength: 120 }), (size, actions) => {
        const done: number[] = [];
        const waiting = [new OffsetRangeTracker({ start: 0, end: size })];
        let step = 0;
        for (let tracker = waiting.pop(); tracker !== undefined; tracker = waiting.pop()) {
          let offset = tracker.currentRestriction().start;
          for (;;) {
            const next = actions[step++];
            if (next !== undefined && next !== "claim") {
              const split = tracker.trySplit(next.fraction);
              if (split !== undefined) waiting.push(new OffsetRangeTracker(split.residual));
              continue;
            }
            if (!tracker.tryClaim(offset)) break;
            done.push(offset++);
          }
          tracker.checkDone();
        }
        expect(done.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: size }, (_, i) => i));
      }),
      300,
    );
  });
});
