/** How the pages write figures. */
import { expect } from "chai";
import {
  ago,
  baseName,
  bytes,
  count,
  duration,
  rate,
  share,
  short,
  words,
} from "../../../../runners/monitor/pages/format.js";

describe("the pages' figures", () => {
  it("count() groups digits and shows a dash for what is not known", () => {
    expect([0, 1_234_567, null, undefined, Number.NaN].map(count)).to.deep.equal([
      "0",
      "1,234,567",
      "–",
      "–",
      "–",
    ]);
  });

  it("short() has three digits and a unit, and never 1000 of a unit", () => {
    const shown = [0, 0.25, 7, 950, 999.6, 1_000, 1_234, 45_600, 999_499, 999_600, 12_345_678, -4_200].map(
      short,
    );
    expect(shown).to.deep.equal([
      "0",
      "0.25",
      "7",
      "950",
      "1.00 k",
      "1.00 k",
      "1.23 k",
      "45.6 k",
      "999 k",
      "1.00 M",
      "12.3 M",
      "-4.20 k",
    ]);
    expect(rate(1_234)).to.equal("1.23 k/s");
  });

  it("bytes() goes by 1024", () => {
    expect([0, 1_023, 1_024, 1_500, 1_048_576, 1_048_575, 5e12].map(bytes)).to.deep.equal([
      "0 B",
      "1,023 B",
      "1.00 KiB",
      "1.46 KiB",
      "1.00 MiB",
      "1.00 MiB",
      "4.55 TiB",
    ]);
  });

  it("duration() takes two units at most and carries at their borders", () => {
    const shown = [
      0, 0.42, 350, 999.6, 1_200, 59_940, 59_960, 192_000, 3_599_700, 14_700_000, 187_200_000, -1_200,
    ];
    expect(shown.map(duration)).to.deep.equal([
      "0 ms",
      "0.4 ms",
      "350 ms",
      "1.00 s",
      "1.20 s",
      "59.9 s",
      "1 min 00 s",
      "3 min 12 s",
      "1 h 00 min",
      "4 h 05 min",
      "2 d 04 h",
      "−1.20 s",
    ]);
  });

  it("share() says that something is there before it is 1 %", () => {
    expect([0, 0.0004, 0.87, 1, null].map(share)).to.deep.equal(["0 %", "<1 %", "87 %", "100 %", "–"]);
  });

  it("ago() takes a clock that is ahead for now", () => {
    expect([ago(5_000, 4_000), ago(5_000, 17_000), ago(null, 0)]).to.deep.equal([
      "just now",
      "12.0 s ago",
      "–",
    ]);
  });

  it("words() reads names of both spellings, baseName() the end of a path", () => {
    expect(["add_to_cart", "blockedShare", "field-count"].map(words)).to.deep.equal([
      "Add to cart",
      "Blocked share",
      "Field count",
    ]);
    expect([baseName("data/raw/a.csv"), baseName("a.csv")]).to.deep.equal(["a.csv", "a.csv"]);
  });
});
