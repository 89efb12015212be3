/** The pure parts of charts, panels, letters and addresses. */
import { expect } from "chai";
import fc from "fast-check";
import type { PanelData } from "../../../../runners/job/job-view.js";
import { type Drawing, KeptPlot } from "../../../../runners/monitor/pages/charts/kept-plot.js";
import { recycledKeys } from "../../../../runners/monitor/pages/charts/recycled-keys.js";
import { RollingWindow } from "../../../../runners/monitor/pages/charts/rolling-window.js";
import { type Drawn, drawnData } from "../../../../runners/monitor/pages/charts/stacked.js";
import { barsOf, funnelOf, linesOf, toMs, toNumber } from "../../../../runners/monitor/pages/panel-shape.js";
import {
  fromBase64,
  hexLines,
  hexOf,
  parseHex,
  toBase64,
  visibleRuns,
} from "../../../../runners/monitor/pages/raw-bytes.js";
import { unaccounted } from "../../../../runners/monitor/pages/record-counts.js";
import { parseRoute, pathOf } from "../../../../runners/monitor/pages/route.js";

describe("RollingWindow", () => {
  it("keeps the last of points too close to one another, lets old ones go, takes none from before", () => {
    const window = new RollingWindow(["a"], 10_000, 10);
    for (const at of [0, 900, 1_100, 1_500, 2_200, 2_100, 12_000]) window.add(at, { a: at });
    expect(window.data()).to.deep.equal({ atSeconds: [2.2, 12], values: { a: [2_200, 12_000] } });
  });

  it("puts what the server kept in front of what came meanwhile", () => {
    const window = new RollingWindow(["a", "b"], 60_000, 60);
    window.add(5_000, { a: 5 });
    window.seed([1_000, 3_000, 6_000], { a: [1, 3, 6] });
    expect(window.data()).to.deep.equal({
      atSeconds: [1, 3, 5],
      values: { a: [1, 3, 5], b: [null, null, null] },
    });
  });

  it("never has more points than it may", () => {
    const window = new RollingWindow(["a"], 1_000_000, 50);
    for (let at = 0; at < 5_000; at += 500) window.add(at * 100, { a: at });
    expect(window.data().atSeconds.length).to.be.at.most(50);
  });
});

describe("KeptPlot", () => {
  it("gives figures to the plot that was made for their series, and to no other", () => {
    const log: string[] = [];
    const drawing = (madeFor: string, value: number): Drawing => ({
      madeFor,
      data: () => [[1], ...[...madeFor].map(() => [value])] as Drawn,
      make: (first) => {
        log.push(`make ${madeFor} ${JSON.stringify(first)}`);
        return {
          width: 100,
          height: 50,
          setData: (data) => log.push(`feed ${madeFor} ${JSON.stringify(data)}`),
          setSize: ({ width, height }) => log.push(`size ${madeFor} ${width} ${height}`),
          destroy: () => log.push(`destroy ${madeFor}`),
        };
      },
    });
    const kept = new KeptPlot();
    kept.fit(90);
    kept.draw(drawing("ab", 1));
    kept.draw(drawing("ab", 2));
    kept.draw(drawing("a", 3));
    kept.draw(drawing("abc", 4));
    kept.draw(drawing("abc", 5));
    for (const width of [100, 0, 90]) kept.fit(width);
    kept.destroy();
    kept.draw(drawing("abc", 6));
    expect(log).to.deep.equal([
      "make ab [[1],[1],[1]]",
      "feed ab [[1],[2],[2]]",
      "destroy ab",
      "make a [[1],[3]]",
      "destroy a",
      "make abc [[1],[4],[4],[4]]",
      "feed abc [[1],[5],[5],[5]]",
      "size abc 90 50",
      "destroy abc",
      "make abc [[1],[6],[6],[6]]",
    ]);
  });
});

describe("recycledKeys()", () => {
  it("lets rows that stay keep their keys, and gives those of gone ones to new ones", () => {
    const first = recycledKeys(new Map(), ["a", "b", "c"]);
    expect([...first]).to.deep.equal([
      ["a", 0],
      ["b", 1],
      ["c", 2],
    ]);
    expect([...recycledKeys(first, ["d", "a", "b"])]).to.deep.equal([
      ["d", 2],
      ["a", 0],
      ["b", 1],
    ]);
    expect([...recycledKeys(first, ["x", "y", "z"]).values()]).to.deep.equal([0, 1, 2]);
  });

  it("never gives two rows one key, whatever comes and goes", () => {
    const lists = fc.array(fc.uniqueArray(fc.constantFrom(..."abcdefgh"), { maxLength: 8 }), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(lists, (all) => {
        let keys = new Map<string, number>();
        for (const names of all) {
          const now = recycledKeys(keys, names);
          expect([...now.keys()]).to.deep.equal(names);
          expect(new Set(now.values()).size).to.equal(names.length);
          for (const [name, key] of now) if (keys.has(name)) expect(key).to.equal(keys.get(name));
          keys = now;
        }
      }),
    );
  });
});

describe("drawnData()", () => {
  it("stacks sums with the highest first, and leaves lines as they are", () => {
    const data = { atSeconds: [1, 2], values: { a: [1, null], b: [2, 5] } };
    const series = [{ name: "a" }, { name: "b" }];
    expect(drawnData(data, series, true)).to.deep.equal([
      [1, 2],
      [3, 5],
      [1, 0],
    ]);
    expect(drawnData(data, series, false)).to.deep.equal([
      [1, 2],
      [1, null],
      [2, 5],
    ]);
  });
});

describe("panels", () => {
  const data = (columns: PanelData["columns"], rows: PanelData["rows"]): PanelData => ({
    name: "p",
    columns,
    rows,
    queriedAtMs: 0,
    tookMs: 0,
    staleReason: null,
  });

  it("funnelOf() takes its steps from columns or from rows, and shares of nobody are null", () => {
    const wide = data(
      [
        { name: "views", type: "number" },
        { name: "carts", type: "number" },
      ],
      [[200, "50"]],
    );
    expect(funnelOf({ name: "p", title: "P", chart: "funnel" }, wide)).to.deep.equal([
      { name: "views", value: 200, ofFirst: null, ofPrevious: null },
      { name: "carts", value: 50, ofFirst: 0.25, ofPrevious: 0.25 },
    ]);
    const long = data(
      [
        { name: "step", type: "text" },
        { name: "users", type: "number" },
      ],
      [
        ["view", 0],
        ["cart", 0],
      ],
    );
    expect(funnelOf({ name: "p", title: "P", chart: "funnel", x: "step", y: ["users"] }, long)).to.deep.equal(
      [
        { name: "view", value: 0, ofFirst: null, ofPrevious: null },
        { name: "cart", value: 0, ofFirst: null, ofPrevious: null },
      ],
    );
  });

  it("linesOf() makes a line for each value of `by`, in the order of time, null where there was no row", () => {
    const rows = [
      ["2026-01-01 01:00:00", "view", 3],
      ["2026-01-01 00:00:00", "view", 2],
      ["2026-01-01 01:00:00", "cart", 1],
    ];
    const columns = [
      { name: "hour", type: "time" },
      { name: "kind", type: "text" },
      { name: "n", type: "number" },
    ] as const;
    const start = Date.UTC(2026, 0, 1) / 1_000;
    const panel = { name: "p", title: "P", chart: "lines", x: "hour", y: ["n"], by: "kind" } as const;
    expect(linesOf(panel, data(columns, rows))).to.deep.equal({
      atSeconds: [start, start + 3_600],
      series: [
        { name: "view", values: [2, 3] },
        { name: "cart", values: [null, 1] },
      ],
    });
  });

  it("barsOf() reads numbers that came as text", () => {
    const columns = [
      { name: "product", type: "text" },
      { name: "revenue", type: "number" },
    ] as const;
    const panel = { name: "p", title: "P", chart: "bars", x: "product", y: ["revenue"] } as const;
    expect(
      barsOf(
        panel,
        data(columns, [
          ["p1", "12.50"],
          ["p2", null],
        ]),
      ),
    ).to.deep.equal({
      columns: ["revenue"],
      rows: [
        { name: "p1", values: [12.5] },
        { name: "p2", values: [null] },
      ],
    });
  });

  it("toMs() takes times without a zone for UTC, toNumber() takes no text for a number", () => {
    const noon = Date.UTC(2026, 4, 1, 12);
    expect(
      ["2026-05-01 12:00:00", "2026-05-01T12:00:00Z", "2026-05-01 14:00:00+02", noon, "soon"].map(toMs),
    ).to.deep.equal([noon, noon, noon, noon, null]);
    expect(["1e3", "", " ", "x", null].map((cell) => toNumber(cell))).to.deep.equal([
      1_000,
      null,
      null,
      null,
      null,
    ]);
  });
});

describe("a letter's bytes", () => {
  it("base 64 and hexadecimal give back any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (raw) => {
        expect(Buffer.from(fromBase64(toBase64(raw)))).to.deep.equal(Buffer.from(raw));
        expect(Buffer.from(parseHex(hexOf(raw)))).to.deep.equal(Buffer.from(raw));
      }),
    );
  });

  it("parseHex() names what is wrong", () => {
    expect(() => parseHex("0g")).to.throw(
      RangeError,
      'Hexadecimal has digits 0-9 and a-f only, got "g" at 1',
    );
    expect(() => parseHex("abc")).to.throw(
      RangeError,
      "A byte has two hexadecimal digits, got 3 digits in all",
    );
  });

  it("hexLines() shows offset, digits and what is printable", () => {
    expect(hexLines(Buffer.from("<img>\n0123456789ab"))).to.deep.equal([
      {
        offset: "00000000",
        hex: "3c 69 6d 67 3e 0a 30 31 32 33 34 35 36 37 38 39",
        ascii: "<img>.0123456789",
      },
      { offset: "00000010", hex: "61 62", ascii: "ab" },
    ]);
  });

  it("visibleRuns() names controls and what turns the reading direction, and leaves the rest", () => {
    expect(visibleRuns("a\tb\u202E<é>\r\n")).to.deep.equal([
      { text: "a", isSign: false },
      { text: "TAB", isSign: true },
      { text: "b", isSign: false },
      { text: "U+202E", isSign: true },
      { text: "<é>", isSign: false },
      { text: "CR", isSign: true },
      { text: "LF", isSign: true },
    ]);
  });
});

describe("unaccounted()", () => {
  it("is what is read and in no other count", () => {
    const counts = { recordsRead: 10, eventsWritten: 5, duplicates: 2, conflicts: 1, deadLetters: { a: 1 } };
    expect(unaccounted(counts)).to.equal(1);
  });
});

describe("parseRoute()", () => {
  it("knows every page, with what of it, and no other address", () => {
    expect(
      ["/", "/graph/Read%2FFiles", "/batches/17/", "/nowhere", "/files/%E0%A4%A"].map(parseRoute),
    ).to.deep.equal([
      { page: "overview", id: null },
      { page: "graph", id: "Read/Files" },
      { page: "batches", id: "17" },
      null,
      { page: "files", id: "%E0%A4%A" },
    ]);
  });

  it("takes back what pathOf() gives", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }).filter((id) => !/^\.+$/.test(id)),
        (id) => {
          expect(parseRoute(pathOf({ page: "graph", id }))).to.deep.equal({ page: "graph", id });
        },
      ),
    );
  });
});
