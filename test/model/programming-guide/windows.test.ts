/** What the programming guide shows of event times, windows and coders, in the SDK's API. */
import * as beam from "apache-beam";
import { assertDeepEqual } from "apache-beam/testing/assert";
import { withRowCoder } from "apache-beam/transforms/internal";
import { expect } from "chai";
import { directRunner } from "../../../runners/index.js";
import { collect, runModel } from "../support/run-model.js";

/** The SDK's class of 64-bit numbers, which is not the project's dependency. */
const Long = new beam.GlobalWindow().maxTimestamp().constructor as unknown as {
  fromValue(ms: number): beam.Instant;
};

/** Event time by number of seconds; `__closure` is how the SDK is told what a function uses. */
const ofSeconds = Object.assign((seconds: number) => Long.fromValue(seconds * 1000), {
  __closure: () => ({ Long }),
});

/** The numbers, each at its second, grouped in windows: a list for each. */
function groupedIn(windows: () => beam.WindowFn<beam.Window>, seconds: number[], expected: number[][]) {
  return directRunner().run((root) =>
    root
      .apply(beam.create(seconds))
      .apply(beam.assignTimestamps(ofSeconds))
      .apply(beam.windowInto(windows()))
      .apply(beam.groupBy(() => ""))
      .map(({ value }: { value: Iterable<number> }) => [...value].sort((a, b) => a - b))
      .apply(assertDeepEqual(expected)),
  );
}

describe("programming guide: event times and windows", () => {
  it("fixedWindows", () =>
    groupedIn(() => beam.fixedWindows(60), [1, 2, 60, 61, 125], [[1, 2], [60, 61], [125]]));

  it("fixedWindows before 1970 hold their elements, where the SDK's do not", () =>
    groupedIn(() => beam.fixedWindows(10), [-5, 5, -15], [[-15], [-5], [5]]));

  it("slidingWindows", () =>
    groupedIn(() => beam.slidingWindows(30, 15), [1, 14, 20], [[1, 14], [1, 14, 20], [20]]));

  it("sessions", () =>
    groupedIn(
      () => beam.sessions(600),
      [1, 2, 600, 1800, 1900],
      [
        [1, 2, 600],
        [1800, 1900],
      ],
    ));

  it("globalWindows", () => groupedIn(() => beam.globalWindows(), [1, 2, 60], [[1, 2, 60]]));

  it("assigned times and windows are those that a function sees", async () => {
    const run = await runModel((root) =>
      root
        .apply(beam.create([5, 65]))
        .apply(beam.assignTimestamps(ofSeconds))
        .apply(beam.windowInto(beam.fixedWindows(60)))
        .map(
          function seen(
            seconds: number,
            context: { time: { lookup(): beam.Instant }; window: { lookup(): beam.IntervalWindow } },
          ) {
            return [seconds, context.time.lookup().toString(), context.window.lookup().start.toString()];
          },
          { time: beam.timestampParam(), window: beam.windowParam() } as never,
        )
        .apply(collect("seen")),
    );
    expect(run.values("seen").toSorted()).to.deep.equal([
      [5, "5000", "0"],
      [65, "65000", "60000"],
    ]);
  });

  it("the pane of a group says that it came on time", async () => {
    const run = await runModel((root) =>
      root
        .apply(beam.create(["a", "b"]))
        .apply(beam.groupBy(() => "all"))
        .map(
          function paneOf(_group: unknown, context: { pane: { lookup(): beam.PaneInfo } }) {
            const { timing, index, isFirst, isLast } = context.pane.lookup();
            return { timing, index, isFirst, isLast };
          },
          { pane: beam.paneInfoParam() } as never,
        )
        .apply(collect("panes")),
    );
    expect(run.values("panes")).to.have.length(1);
    expect(run.values("panes")[0]).to.include({ timing: "ON_TIME", index: 0, isFirst: true });
  });
});

describe("programming guide: schemas", () => {
  it("withRowCoder carries rows of the exemplar's fields", async () => {
    const rows = [
      { intField: 1, stringField: "a" },
      { intField: 2, stringField: "b" },
    ];
    await directRunner().run((root) =>
      root
        .apply(beam.create(rows))
        .apply(withRowCoder({ intField: 0, stringField: "" }))
        .map((row: { intField: number; stringField: string }) => row.stringField.repeat(row.intField))
        .apply(assertDeepEqual(["a", "bb"])),
    );
  });
});

describe("what the SDK's own runner changes", () => {
  it("large whole numbers stay as they are, as values and as keys", async () => {
    const large = [2 ** 31, 1_700_000_000_000, Number.MAX_SAFE_INTEGER];
    await directRunner().run((root) =>
      root
        .apply(beam.create(large))
        .apply(beam.groupBy((value: number) => value))
        .map(({ key, value }: { key: number; value: Iterable<number> }) => [key, ...value])
        .apply(assertDeepEqual(large.map((value) => [value, value]))),
    );
  });
});
