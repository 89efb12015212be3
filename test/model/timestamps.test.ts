/** Scenarios of event times: who sets them, who keeps them. */
import { withName } from "../../transforms/primitives/beam.js";
import { create } from "../../transforms/primitives/create.js";
import { MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { registerTimestampFn, withTimestamps } from "../../transforms/primitives/with-timestamps.js";
import { grouped, keyed } from "./support/grouping.js";
import { into } from "./support/into.js";
import { localParDo, mapping, parDo } from "./support/local-do-fn.js";
import { collect, expectElements, runModel, runToFailure } from "./support/run-model.js";
import { scenario, scenariosOf } from "./support/scenarios.js";
import { kv, timed } from "./support/sources.js";

const CATEGORY = "timestamps";

/** The event time in a field of the element, in a unit of the configuration. */
const TIME_OF_FIELD = registerTimestampFn(
  "test/model/time-of-field@1",
  ({ field, unitMs }: { field: string; unitMs: number }) =>
    (element: unknown) =>
      Number((element as Record<string, unknown>)[field]) * unitMs,
);

scenariosOf(CATEGORY, () => {
  scenario(CATEGORY, "withTimestamps takes the event time from the element", ["timestamps"], async () => {
    const run = await runModel((root) =>
      root
        .apply(withName("Create", create([{ at: 3 }, { at: -2 }])))
        .apply(withName("Times", withTimestamps(TIME_OF_FIELD, { field: "at", unitMs: 1000 })))
        .apply(collect("elements")),
    );
    expectElements(run, "elements", [
      { value: { at: 3 }, timestampMs: 3000 },
      { value: { at: -2 }, timestampMs: -2000 },
    ]);
  });

  scenario(
    CATEGORY,
    "withTimestamps decides the windows behind it",
    ["timestamps", "fixed windows"],
    async () => {
      const run = await runModel((root) =>
        grouped(
          root
            .apply(withName("Create", create([{ at: 3 }, { at: 4 }, { at: 12 }])))
            .apply(withName("Times", withTimestamps(TIME_OF_FIELD, { field: "at", unitMs: 1 })))
            .apply(into("Window", fixedWindows(10)))
            .apply(mapping("At", ({ at }: { at: number }) => at))
            .apply(keyed("all")),
        ).apply(collect("groups")),
      );
      expectElements(run, "groups", [
        { value: kv("all", [3, 4]), window: "0/10" },
        { value: kv("all", [12]), window: "10/20" },
      ]);
    },
  );

  scenario(
    CATEGORY,
    "withTimestamps leaves an element in the window that it has",
    ["timestamps"],
    async () => {
      const run = await runModel((root) =>
        root
          .apply(timed("Create", [[1, { at: 5 }]]))
          .apply(into("Window", fixedWindows(10)))
          .apply(withName("Times", withTimestamps(TIME_OF_FIELD, { field: "at", unitMs: 1 })))
          .apply(collect("elements")),
      );
      expectElements(run, "elements", [{ value: { at: 5 }, timestampMs: 5, window: "0/10" }]);
    },
  );

  scenario(CATEGORY, "a timestamp that is no number is an error that tells it", ["timestamps"], async () => {
    await runToFailure(
      (root) =>
        root
          .apply(withName("Create", create([{ other: 3 }])))
          .apply(withName("Times", withTimestamps(TIME_OF_FIELD, { field: "at", unitMs: 1 })))
          .apply(collect("elements")),
      /NaN/,
    );
  });

  scenario(CATEGORY, "a DoFn's outputs have its element's event time", ["timestamps", "ParDo"], async () => {
    const run = await runModel((root) =>
      root
        .apply(timed("Create", [[7, "a"]]))
        .apply(
          parDo<string, string>("Emit", () => ({
            *process(text, context) {
              context.output(`${text} by output`);
              yield `${text} by return`;
            },
          })),
        )
        .apply(collect("elements")),
    );
    expectElements(run, "elements", [
      { value: "a by output", timestampMs: 7 },
      { value: "a by return", timestampMs: 7 },
    ]);
  });

  scenario(CATEGORY, "a DoFn may emit at a later event time", ["timestamps", "ParDo"], async () => {
    const run = await runModel((root) =>
      root
        .apply(timed("Create", [[7, "a"]]))
        .apply(
          parDo<string, string>("Emit", () => ({
            process(text, context) {
              for (const later of [0, 1, 100]) context.output(`${text}${later}`, context.timestampMs + later);
            },
          })),
        )
        .apply(collect("elements")),
    );
    expectElements(run, "elements", [
      { value: "a0", timestampMs: 7 },
      { value: "a1", timestampMs: 8 },
      { value: "a100", timestampMs: 107 },
    ]);
  });

  scenario(
    CATEGORY,
    "each tagged output keeps the event time it is given",
    ["timestamps", "ParDo"],
    async () => {
      const run = await runModel((root) => {
        const { odd, even } = root
          .apply(
            timed("Create", [
              [1, 1],
              [2, 2],
              [3, 3],
            ]),
          )
          .apply(
            withName(
              "Split",
              localParDo<number, { odd: number; even: number }>(
                () => ({
                  process(number, context) {
                    if (number % 2 === 1) context.outputTo("odd", number);
                    else context.outputTo("even", number, context.timestampMs + 1000);
                  },
                }),
                { outputs: ["odd", "even"] },
              ),
            ),
          );
        odd.apply(collect("odd"));
        even.apply(collect("even"));
      });
      expectElements(run, "odd", [
        { value: 1, timestampMs: 1 },
        { value: 3, timestampMs: 3 },
      ]);
      expectElements(run, "even", [{ value: 2, timestampMs: 1002 }]);
    },
  );

  scenario(CATEGORY, "a DoFn sees the event time of its element", ["timestamps", "ParDo"], async () => {
    const run = await runModel((root) =>
      root
        .apply(
          timed("Create", [
            [7, "a"],
            [-7, "b"],
          ]),
        )
        .apply(
          parDo<string, unknown>("See", () => ({
            process: (text, { timestampMs }) => [[text, timestampMs]],
          })),
        )
        .apply(collect("seen")),
    );
    expectElements(run, "seen", [{ value: ["a", 7] }, { value: ["b", -7] }]);
  });

  scenario(
    CATEGORY,
    "an element without a time of its own is at the beginning of time",
    ["timestamps"],
    async () => {
      const run = await runModel((root) =>
        root
          .apply(withName("Create", create(["a"])))
          .apply(parDo<string, number>("See", () => ({ process: (_, { timestampMs }) => [timestampMs] })))
          .apply(collect("seen")),
      );
      expectElements(run, "seen", [{ value: MIN_TIMESTAMP_MS, timestampMs: MIN_TIMESTAMP_MS }]);
    },
  );
});
