/** Scenarios of windows: which window an event time falls into, and what becomes one window. */
import { type PCollection, withName } from "../../transforms/primitives/beam.js";
import { combinePerKey } from "../../transforms/primitives/combine-per-key.js";
import { create } from "../../transforms/primitives/create.js";
import type { KV } from "../../transforms/primitives/window.js";
import {
  calendarDays,
  calendarMonths,
  fixedWindows,
  globalWindows,
  registeredWindowFn,
  sessions,
  slidingWindows,
} from "../../transforms/primitives/window-fns.js";
import { type WindowingOptions, windowInto } from "../../transforms/primitives/window-into.js";
import { COUNT, MEAN } from "./support/combine-fns.js";
import { both, grouped, keyed, kv, sorted, timed } from "./support/grouping.js";
import { mapping, parDo } from "./support/local-do-fn.js";
import type { ModelFeature } from "./support/model-features.js";
import { collect, expectElements, expectOutputs, runModel } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { GAP_BY_VALUE, WINDOW_BY_VALUE } from "./support/window-fns-of-tests.js";

const CATEGORY = "windows";
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

type WindowFnSpec = Parameters<typeof windowInto>[0];

/** A scenario that only assigns windows: `value → windows` of elements given by event time. */
function assigns(
  name: string,
  features: readonly [ModelFeature, ...ModelFeature[]],
  windowFn: WindowFnSpec,
  expected: Readonly<Record<string, { at: number; windows: readonly string[] }>>,
): void {
  scenario(CATEGORY, name, features, async () => {
    const elements = Object.entries(expected).map(([value, { at }]) => [at, value] as const);
    const run = await runModel((root) =>
      root
        .apply(timed("Elements", elements))
        .apply(withName("Window", windowInto(windowFn)))
        .apply(collect("assigned")),
    );
    expectElements(
      run,
      "assigned",
      Object.entries(expected).flatMap(([value, { at, windows }]) =>
        windows.map((window) => ({ value, timestampMs: at, window })),
      ),
    );
  });
}

/** A scenario that groups everything under one key: windows with the values that end in them. */
function groups(
  name: string,
  features: readonly [ModelFeature, ...ModelFeature[]],
  windowFn: WindowFnSpec,
  elements: readonly (readonly [timestampMs: number, value: string])[],
  expected: Readonly<Record<string, readonly string[]>>,
  options: WindowingOptions = {},
): void {
  scenario(CATEGORY, name, features, async () => {
    const run = await runModel((root) =>
      grouped(
        root
          .apply(timed("Elements", elements))
          .apply(withName("Window", windowInto(windowFn, options)))
          .apply(keyed("all")),
      ).apply(collect("groups")),
    );
    expectElements(
      run,
      "groups",
      Object.entries(expected).map(([window, values]) => ({ value: kv("all", values), window })),
    );
  });
}

const midnightUtc = (text: string) => Date.parse(`${text}T00:00:00Z`);
const interval = (from: string, to: string) => `${Date.parse(from)}/${Date.parse(to)}`;

scenariosOf(CATEGORY, () => {
  groups(
    "the global window holds every event time",
    ["global window"],
    globalWindows(),
    [
      [-1_000_000_000_000, "past"],
      [0, "now"],
      [4_000_000_000_000, "future"],
    ],
    { "": ["future", "now", "past"] },
  );

  assigns("fixed windows hold their start and not their end", ["fixed windows"], fixedWindows(10), {
    first: { at: 0, windows: ["0/10"] },
    last: { at: 9, windows: ["0/10"] },
    next: { at: 10, windows: ["10/20"] },
  });

  assigns("fixed windows start at their offset", ["fixed windows"], fixedWindows(10, { offsetMs: 3 }), {
    before: { at: 2, windows: ["-7/3"] },
    at: { at: 3, windows: ["3/13"] },
    behind: { at: 13, windows: ["13/23"] },
  });

  assigns(
    "fixed windows before 1970 hold the event time they are given for",
    ["fixed windows"],
    fixedWindows(10_000),
    {
      inside: { at: -5_000, windows: ["-10000/0"] },
      start: { at: -10_000, windows: ["-10000/0"] },
      last: { at: -1, windows: ["-10000/0"] },
      earlier: { at: -10_001, windows: ["-20000/-10000"] },
    },
  );

  assigns(
    "sliding windows hold an element in each window that covers it",
    ["sliding windows"],
    slidingWindows({ sizeMs: 10, periodMs: 5 }),
    {
      start: { at: 0, windows: ["-5/5", "0/10"] },
      middle: { at: 7, windows: ["0/10", "5/15"] },
      end: { at: 10, windows: ["5/15", "10/20"] },
    },
  );

  assigns(
    "sliding windows before 1970 hold the event time they are given for",
    ["sliding windows"],
    slidingWindows({ sizeMs: 10, periodMs: 5 }),
    {
      inside: { at: -3, windows: ["-10/0", "-5/5"] },
      start: { at: -5, windows: ["-10/0", "-5/5"] },
      earlier: { at: -6, windows: ["-15/-5", "-10/0"] },
    },
  );

  assigns(
    "sliding windows start at their offset",
    ["sliding windows"],
    slidingWindows({ sizeMs: 4, periodMs: 2, offsetMs: 1 }),
    { one: { at: 4, windows: ["1/5", "3/7"] } },
  );

  assigns(
    "sliding windows whose period is no divisor of their size differ in number by event time",
    ["sliding windows"],
    slidingWindows({ sizeMs: 5, periodMs: 3 }),
    {
      two: { at: 4, windows: ["0/5", "3/8"] },
      one: { at: 5, windows: ["3/8"] },
    },
  );

  groups(
    "sessions end when the gap has passed without an element",
    ["session windows"],
    sessions(10),
    [
      [0, "a"],
      [9, "b"],
      [30, "c"],
      [35, "d"],
    ],
    { "0/19": ["a", "b"], "30/45": ["c", "d"] },
  );

  groups(
    "sessions that only touch stay apart",
    ["session windows"],
    sessions(10),
    [
      [0, "a"],
      [10, "b"],
    ],
    { "0/10": ["a"], "10/20": ["b"] },
  );

  groups(
    "an element that comes last bridges two sessions",
    ["session windows"],
    sessions(10),
    [
      [0, "a"],
      [16, "b"],
      [8, "bridge"],
    ],
    { "0/26": ["a", "b", "bridge"] },
  );

  groups(
    "sessions merge across 1970",
    ["session windows"],
    sessions(10),
    [
      [-4, "before"],
      [3, "after"],
      [-40, "long before"],
    ],
    { "-4/13": ["after", "before"], "-40/-30": ["long before"] },
  );

  groups(
    "sessions far out of order end as if they had come in order",
    ["session windows"],
    sessions(10),
    [18, 0, 45, 9, 36, 27, 100].map((timestampMs) => [timestampMs, `at ${timestampMs}`] as const),
    { "0/55": ["at 0", "at 18", "at 27", "at 36", "at 45", "at 9"], "100/110": ["at 100"] },
  );

  assigns(
    "calendar days follow the time zone through the change of clocks",
    ["calendar windows"],
    calendarDays({ timeZone: "Europe/Berlin" }),
    {
      "23 hours": {
        at: Date.parse("2024-03-31T12:00:00Z"),
        windows: [interval("2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z")],
      },
      "24 hours": {
        at: Date.parse("2024-07-01T21:59:59.999Z"),
        windows: [interval("2024-06-30T22:00:00Z", "2024-07-01T22:00:00Z")],
      },
      "25 hours": {
        at: Date.parse("2024-10-27T12:00:00Z"),
        windows: [interval("2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z")],
      },
    },
  );

  assigns("calendar days are UTC's unless told otherwise", ["calendar windows"], calendarDays(), {
    summer: {
      at: midnightUtc("2024-07-01"),
      windows: [`${midnightUtc("2024-07-01")}/${midnightUtc("2024-07-02")}`],
    },
    "before 1970": { at: -1, windows: [`${-DAY_MS}/0`] },
  });

  assigns(
    "calendar days taken seven at a time start on the weekday that they are told",
    ["calendar windows"],
    calendarDays({ days: 7, startDay: "2024-01-01" }),
    {
      monday: {
        at: midnightUtc("2024-02-05"),
        windows: [`${midnightUtc("2024-02-05")}/${midnightUtc("2024-02-12")}`],
      },
      sunday: {
        at: midnightUtc("2024-02-04") + 23 * HOUR_MS,
        windows: [`${midnightUtc("2024-01-29")}/${midnightUtc("2024-02-05")}`],
      },
      "before the start": {
        at: midnightUtc("2023-12-31"),
        windows: [`${midnightUtc("2023-12-25")}/${midnightUtc("2024-01-01")}`],
      },
    },
  );

  assigns("calendar months are as long as they are", ["calendar windows"], calendarMonths(), {
    "leap day": {
      at: midnightUtc("2024-02-29"),
      windows: [`${midnightUtc("2024-02-01")}/${midnightUtc("2024-03-01")}`],
    },
    december: {
      at: midnightUtc("2023-12-31") + DAY_MS - 1,
      windows: [`${midnightUtc("2023-12-01")}/${midnightUtc("2024-01-01")}`],
    },
    "before 1970": { at: -1, windows: [`${midnightUtc("1969-12-01")}/0`] },
  });

  assigns(
    "calendar quarters in New York start at its midnight, on the day they are told",
    ["calendar windows"],
    calendarMonths({ months: 3, dayOfMonth: 15, timeZone: "America/New_York" }),
    {
      "day before": {
        at: Date.parse("2024-04-15T03:59:59.999Z"),
        windows: [interval("2024-01-15T05:00:00Z", "2024-04-15T04:00:00Z")],
      },
      first: {
        at: Date.parse("2024-04-15T04:00:00Z"),
        windows: [interval("2024-04-15T04:00:00Z", "2024-07-15T04:00:00Z")],
      },
    },
  );

  assigns(
    "a window function of one's own may look at the element",
    ["custom windows"],
    registeredWindowFn(WINDOW_BY_VALUE, { smallMs: 10, largeMs: 100 }),
    {
      "small 1": { at: 15, windows: ["10/20"] },
      "large 1": { at: 15, windows: ["0/100"] },
      "both 1": { at: 15, windows: ["0/100", "10/20"] },
    },
  );

  groups(
    "a merging window function of one's own decides what merges",
    ["custom windows"],
    registeredWindowFn(GAP_BY_VALUE, { longMs: 50, shortMs: 5 }),
    [
      [0, "long a"],
      [40, "short b"],
      [44, "short c"],
      [60, "short d"],
      [100, "long e"],
    ],
    { "0/50": ["long a", "short b", "short c"], "60/65": ["short d"], "100/150": ["long e"] },
  );

  scenario(
    CATEGORY,
    "a window function assigns once, however many windows an element had",
    ["sliding windows", "fixed windows"],
    async () => {
      const run = await runModel((root) =>
        root
          .apply(timed("Elements", [[7, "a"]]))
          .apply(withName("Slide", windowInto(slidingWindows({ sizeMs: 20, periodMs: 5 }))))
          .apply(withName("Fix", windowInto(fixedWindows(10))))
          .apply(collect("assigned")),
      );
      expectElements(run, "assigned", [{ value: "a", window: "0/10", timestampMs: 7 }]);
    },
  );

  scenario(
    CATEGORY,
    "the global window takes elements back",
    ["global window", "fixed windows"],
    async () => {
      const run = await runModel((root) =>
        grouped(
          root
            .apply(
              timed("Elements", [
                [1, "a"],
                [11, "b"],
              ]),
            )
            .apply(withName("Fix", windowInto(fixedWindows(10))))
            .apply(withName("Unfix", windowInto(globalWindows())))
            .apply(keyed("all")),
        ).apply(collect("groups")),
      );
      expectElements(run, "groups", [{ value: kv("all", ["a", "b"]), window: "" }]);
    },
  );

  scenario(
    CATEGORY,
    "steps behind a window function keep its windows and times",
    ["fixed windows"],
    async () => {
      const run = await runModel((root) =>
        root
          .apply(
            timed("Elements", [
              [1, "a"],
              [11, "b"],
            ]),
          )
          .apply(withName("Fix", windowInto(fixedWindows(10))))
          .apply(mapping("Upper", (text: string) => text.toUpperCase()))
          .apply(parDo<string, string>("Twice", () => ({ process: (text) => [text, text] })))
          .apply(collect("out")),
      );
      expectElements(run, "out", [
        { value: "A", window: "0/10", timestampMs: 1 },
        { value: "A", window: "0/10", timestampMs: 1 },
        { value: "B", window: "10/20", timestampMs: 11 },
        { value: "B", window: "10/20", timestampMs: 11 },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "a DoFn that observes windows is called for each, another once for all",
    ["ParDo", "sliding windows"],
    async () => {
      const run = await runModel((root) => {
        const windowed = root
          .apply(timed("Elements", [[7, "a"]]))
          .apply(withName("Slide", windowInto(slidingWindows({ sizeMs: 10, periodMs: 5 }))));
        windowed
          .apply(
            parDo<string, string>("Each", () => ({
              observesWindows: true,
              process: (value, { window }) => [`${value} in ${window.id}`],
            })),
          )
          .apply(withName("Each globally", windowInto(globalWindows())))
          .apply(collect("each"));
        windowed
          .apply(
            parDo<string, string>("Once", () => ({
              process: (value, { windows }) => [
                `${value} in ${sorted(windows.map(({ id }) => id)).join(" ")}`,
              ],
            })),
          )
          .apply(withName("Once globally", windowInto(globalWindows())))
          .apply(collect("once"));
      });
      expectOutputs(run, "each", ["a in 0/10", "a in 5/15"]);
      expectOutputs(run, "once", ["a in 0/10 5/15"]);
    },
  );

  scenario(CATEGORY, "words are counted in fixed windows", ["fixed windows", "Combine"], async () => {
    const run = await runModel((root) =>
      root
        .apply(
          timed("Words", [
            [1, "b"],
            [2, "a"],
            [3, "a"],
            [11, "c"],
            [12, "b"],
            [13, "b"],
          ]),
        )
        .apply(withName("Fix", windowInto(fixedWindows(10))))
        .apply(mapping("Pair", (word: string) => kv(word, word)))
        .apply(withName("Count", combinePerKey<string, string, number>(COUNT, null)))
        .apply(collect("counts")),
    );
    expectElements(run, "counts", [
      { value: kv("a", 2), window: "0/10", timestampMs: 9 },
      { value: kv("b", 1), window: "0/10", timestampMs: 9 },
      { value: kv("b", 2), window: "10/20", timestampMs: 19 },
      { value: kv("c", 1), window: "10/20", timestampMs: 19 },
    ]);
  });

  scenario(CATEGORY, "means are taken in sliding windows", ["sliding windows", "Combine"], async () => {
    const run = await runModel((root) =>
      root
        .apply(
          timed("Numbers", [
            [1, kv("k", 10)],
            [7, kv("k", 20)],
            [12, kv("k", 60)],
          ]),
        )
        .apply(withName("Slide", windowInto(slidingWindows({ sizeMs: 10, periodMs: 5 }))))
        .apply(withName("Mean", combinePerKey<string, number, number>(MEAN, null)))
        .apply(collect("means")),
    );
    expectElements(run, "means", [
      { value: kv("k", 10), window: "-5/5" },
      { value: kv("k", 15), window: "0/10" },
      { value: kv("k", 40), window: "5/15" },
      { value: kv("k", 60), window: "10/20" },
    ]);
  });

  scenario(
    CATEGORY,
    "windows survive Flatten on the way to a grouping",
    ["fixed windows", "Flatten"],
    async () => {
      const run = await runModel((root) => {
        const window = (name: string, input: PCollection<string>) =>
          input.apply(withName(name, windowInto(fixedWindows(10))));
        const left = window(
          "Left windows",
          root.apply(
            timed("Left", [
              [1, "a"],
              [11, "b"],
            ]),
          ),
        );
        const right = window(
          "Right windows",
          root.apply(
            timed("Right", [
              [2, "c"],
              [21, "d"],
            ]),
          ),
        );
        grouped(both("Both", [left, right]).apply(keyed("all"))).apply(collect("groups"));
      });
      expectElements(run, "groups", [
        { value: kv("all", ["a", "c"]), window: "0/10" },
        { value: kv("all", ["b"]), window: "10/20" },
        { value: kv("all", ["d"]), window: "20/30" },
      ]);
    },
  );

  scenario(CATEGORY, "an empty input has no windows", ["fixed windows", "GroupByKey"], async () => {
    const run = await runModel((root) =>
      grouped(
        root
          .apply(withName("None", create<KV<string, number>>([])))
          .apply(withName("Fix", windowInto(fixedWindows(10)))),
      ).apply(collect("groups")),
    );
    expectOutputs(run, "groups", []);
  });
});
