/** Window functions: tables of windows, and what must hold of any. */
import { expect } from "chai";
import fc from "fast-check";
import { beam, standardWindowFns } from "../../../transforms/primitives/beam.js";
import { GLOBAL_WINDOW_END_MS } from "../../../transforms/primitives/timestamp-bounds.js";
import { GLOBAL_WINDOW, IntervalWindow, type Window } from "../../../transforms/primitives/window.js";
import {
  calendarDays,
  calendarMonths,
  fixedWindows,
  globalWindows,
  registeredWindowFn,
  registerWindowFn,
  sessions,
  slidingWindows,
  type WindowFn,
  windowFnFromProto,
} from "../../../transforms/primitives/window-fns.js";
import { checkProperty } from "../../support/check-property.js";

// biome-ignore lint/suspicious/noExplicitAny: of any window type
type AnyFn = WindowFn<any>;
const windowsOf = (fn: AnyFn, timestampMs: number): string =>
  fn
    .assign(timestampMs, undefined)
    .map(({ id }: Window) => id)
    .join(" ");

/** `time: windows`, a line each. */
function expectTable(fn: AnyFn, table: string): void {
  const lines = table
    .trim()
    .split("\n")
    .map((line) => line.trim());
  const found = lines.map((line) => {
    const time = line.slice(0, line.indexOf(":"));
    return `${time}: ${windowsOf(fn, Number(time))}`.trim();
  });
  expect(found).to.deep.equal(lines);
}

const EVEN_ODD = registerWindowFn("test/even-odd@1", ({ sizeMs }: { sizeMs: number }) => ({
  isMerging: true,
  assign: (timestampMs: number, value: unknown) => [
    new IntervalWindow(timestampMs, timestampMs + (value === "odd" ? sizeMs + 1 : sizeMs)),
  ],
  merge: () => [],
}));

describe("fixedWindows", () => {
  it("fixedWindows() holds each time in its window, before 1970 too", () => {
    expectTable(
      fixedWindows(10),
      `-11: -20/-10
       -10: -10/0
       -5: -10/0
       -1: -10/0
       0: 0/10
       9: 0/10
       10: 10/20`,
    );
  });

  it("fixedWindows() starts one window at the offset, whatever its sign and size", () => {
    for (const offsetMs of [3, -7, 13]) {
      expectTable(fixedWindows(10, { offsetMs }), "-8: -17/-7\n-7: -7/3\n2: -7/3\n3: 3/13");
    }
  });

  it("fixedWindows() gives consecutive elements of one window the same window and array", () => {
    const fn = fixedWindows(10);
    const first = fn.assign(1, undefined);
    expect(fn.assign(9, undefined)).to.equal(first);
    expect(fn.assign(10, undefined)).to.not.equal(first);
  });

  it("fixedWindows() ends no window behind the global one, whose last time it holds", () => {
    const [window] = fixedWindows(86_400_000_000).assign(GLOBAL_WINDOW_END_MS, undefined);
    expect(window!.maxTimestampMs).to.equal(GLOBAL_WINDOW_END_MS);
    expect(window!.endMs).to.be.above(GLOBAL_WINDOW_END_MS);
  });

  it("fixedWindows() refuses a size that is not positive and whole", () => {
    expect(() => fixedWindows(0)).to.throw("sizeMs of fixedWindows must be at least 1, got 0");
    expect(() => fixedWindows(1.5)).to.throw("sizeMs of fixedWindows must be a whole number, got 1.5");
  });

  it("fixedWindows() assigns by property: one window, which holds the time, and starts at the offset", () => {
    checkProperty(
      fc.property(
        fc.integer({ min: -1e12, max: 1e12 }),
        fc.integer({ min: 1, max: 1e9 }),
        fc.integer(),
        (timestampMs, sizeMs, offsetMs) => {
          const [window, ...others] = fixedWindows(sizeMs, { offsetMs }).assign(timestampMs, undefined);
          expect(others).to.deep.equal([]);
          expect(window!.endMs - window!.startMs).to.equal(sizeMs);
          expect(window!.startMs <= timestampMs && timestampMs < window!.endMs).to.equal(true);
          expect(Math.abs((window!.startMs - offsetMs) % sizeMs)).to.equal(0);
        },
      ),
      300,
    );
  });
});

describe("slidingWindows", () => {
  it("slidingWindows() has windows at the end of the global window, where numbers are two apart", () => {
    for (const [sizeMs, periodMs] of [
      [7, 7],
      [27, 27],
      [1, 1],
      [10, 3],
    ] as const) {
      const windows = slidingWindows({ sizeMs, periodMs }).assign(GLOBAL_WINDOW_END_MS, undefined);
      expect(windows.length, `${sizeMs} every ${periodMs}`).to.be.within(
        Math.floor(sizeMs / periodMs),
        Math.ceil(sizeMs / periodMs),
      );
    }
  });

  it("slidingWindows() lists all windows that hold the time, in the order of their starts", () => {
    expectTable(
      slidingWindows({ sizeMs: 10, periodMs: 5 }),
      `-6: -15/-5 -10/0
       -1: -10/0 -5/5
       0: -5/5 0/10
       4: -5/5 0/10
       5: 0/10 5/15`,
    );
  });

  it("slidingWindows() with a size that is no multiple of the period", () => {
    expectTable(
      slidingWindows({ sizeMs: 7, periodMs: 5, offsetMs: 1 }),
      `0: -4/3
       1: -4/3 1/8
       2: -4/3 1/8
       3: 1/8
       5: 1/8
       6: 1/8 6/13`,
    );
  });

  it("slidingWindows() with a period above the size leaves the times between in no window", () => {
    expectTable(slidingWindows({ sizeMs: 2, periodMs: 5 }), "0: 0/2\n1: 0/2\n2:\n4:\n5: 5/7");
  });

  it("slidingWindows() keeps the windows that consecutive times share the same objects", () => {
    const fn = slidingWindows({ sizeMs: 10, periodMs: 5 });
    const first = fn.assign(0, undefined);
    expect(fn.assign(4, undefined)).to.equal(first);
    expect(fn.assign(5, undefined)[0]).to.equal(first[1]);
  });

  it("slidingWindows() gives a side input the earliest window that holds the main window's end", () => {
    const fn = slidingWindows({ sizeMs: 10, periodMs: 5 });
    expect(fn.sideInputWindow(new IntervalWindow(0, 8)).id).to.equal("0/10");
  });

  it("slidingWindows() assigns by property exactly the windows that hold the time", () => {
    const small = fc.integer({ min: 1, max: 40 });
    checkProperty(
      fc.property(
        fc.integer({ min: -200, max: 200 }),
        small,
        small,
        small,
        (timestampMs, sizeMs, periodMs, offsetMs) => {
          const expected: string[] = [];
          for (let start = offsetMs - 500 * periodMs; start <= timestampMs; start += periodMs) {
            if (timestampMs < start + sizeMs) expected.push(`${start}/${start + sizeMs}`);
          }
          expect(windowsOf(slidingWindows({ sizeMs, periodMs, offsetMs }), timestampMs)).to.equal(
            expected.join(" "),
          );
        },
      ),
      300,
    );
  });
});

describe("sessions", () => {
  const merged = (...windows: [number, number][]) =>
    sessions(1).merge!(windows.map(([start, end]) => new IntervalWindow(start, end))).map(
      ({ merged, from }) => `${merged.id} from ${from.map(({ id }) => id).join(" ")}`,
    );

  it("sessions() gives each element a window of the gap", () => {
    expectTable(sessions(10), "-5: -5/5\n0: 0/10");
  });

  it("sessions() merges what overlaps, whatever the order, and leaves the rest out", () => {
    expect(merged([20, 30], [0, 10], [5, 15], [14, 16])).to.deep.equal(["0/16 from 0/10 5/15 14/16"]);
  });

  it("sessions() does not merge windows that only touch", () => {
    expect(merged([0, 10], [10, 20])).to.deep.equal([]);
  });

  it("sessions() merges a window into one that holds it whole", () => {
    expect(merged([0, 100], [10, 20], [50, 60])).to.deep.equal(["0/100 from 0/100 10/20 50/60"]);
  });

  it("sessions() are refused as windows of a side input", () => {
    expect(() => sessions(10).sideInputWindow(GLOBAL_WINDOW)).to.throw(
      "a side input must not be in merging windows (sessions)",
    );
  });
});

describe("windowFnFromProto", () => {
  const all: readonly [string, AnyFn][] = [
    ["globalWindows", globalWindows()],
    ["fixedWindows", fixedWindows(1500, { offsetMs: -250 })],
    ["slidingWindows", slidingWindows({ sizeMs: 1500, periodMs: 400, offsetMs: 50 })],
    ["sessions", sessions(2500)],
    ["calendarDays", calendarDays({ days: 2, timeZone: "Asia/Tokyo", startDay: "2020-01-03" })],
    ["calendarMonths", calendarMonths({ months: 2, dayOfMonth: 3, timeZone: "America/Chicago" })],
    ["registeredWindowFn", registeredWindowFn(EVEN_ODD, { sizeMs: 5 })],
  ];
  for (const [name, fn] of all) {
    it(`windowFnFromProto() of ${name}() assigns as it does`, () => {
      const again = windowFnFromProto(fn.toProto());
      for (const timestampMs of [-1e12, -1, 0, 1, 1.7e12]) {
        expect(windowsOf(again, timestampMs)).to.equal(windowsOf(fn, timestampMs));
      }
      expect(again.isMerging).to.equal(fn.isMerging);
      expect(again.toProto()).to.deep.equal(fn.toProto());
    });
  }

  it("windowFnFromProto() reads what the SDK writes, in seconds", () => {
    const of = (fn: { toProto(): { urn: string; payload: Uint8Array } }) => windowFnFromProto(fn.toProto());
    expect(windowsOf(of(beam.fixedWindows(60)), -1)).to.equal("-60000/0");
    expect(windowsOf(of(beam.slidingWindows(60, 30)), 0)).to.equal("-30000/30000 0/60000");
    expect(windowsOf(of(beam.sessions(5)), 7)).to.equal("7/5007");
    expect(of(beam.globalWindows()).assign(7, undefined)).to.deep.equal([GLOBAL_WINDOW]);
  });

  it("fixedWindows() writes Beam's payload: seconds and nanoseconds, never negative ones", () => {
    const { payload } = fixedWindows(1500, { offsetMs: -250 }).toProto();
    const { size, offset } = standardWindowFns.FixedWindowsPayload.fromBinary(payload);
    expect([size!.seconds, size!.nanos]).to.deep.equal([1n, 500_000_000]);
    expect([offset!.seconds, offset!.nanos]).to.deep.equal([-1n, 750_000_000]);
  });

  it("windowFnFromProto() refuses a size below a millisecond, and functions that nobody knows", () => {
    const size = { seconds: 1n, nanos: 5 };
    const payload = standardWindowFns.FixedWindowsPayload.toBinary({ size });
    expect(() => windowFnFromProto({ urn: "beam:window_fn:fixed_windows:v1", payload })).to.throw(
      "size of a window function must be whole milliseconds, got 1 s 5 ns",
    );
    const odd = { urn: "beam:window_fn:odd:v1", payload: new Uint8Array() };
    expect(() => windowFnFromProto(odd)).to.throw('window function "beam:window_fn:odd:v1" is not known');
  });

  it("registeredWindowFn() hands the value to the function, and refuses a name that is not registered", () => {
    const fn = registeredWindowFn(EVEN_ODD, { sizeMs: 5 });
    expect(fn.assign(0, "odd")[0]!.id).to.equal("0/6");
    expect(() => registeredWindowFn("test/none@1", null)).to.throw(
      'no window function is registered as "test/none@1"',
    );
  });
});
