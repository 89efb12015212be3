/** Scenarios of global, fixed, sliding and session windows: which one an event time falls into. */
import {
  fixedWindows,
  globalWindows,
  sessions,
  slidingWindows,
} from "../../transforms/primitives/window-fns.js";
import { scenariosOf } from "./support/scenarios.js";
import { assigns, CATEGORY, groups } from "./support/window-scenarios.js";

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
});
