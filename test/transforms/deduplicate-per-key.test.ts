/** deduplicatePerKey and deduplicateBy on the direct runner: what passes, when a key is forgotten, what is held back. */
import { expect } from "chai";
import { deduplicateBy } from "../../transforms/deduplicate-by.js";
import { registerRepresentativeFn } from "../../transforms/deduplicate-by-fn.js";
import { deduplicatePerKey } from "../../transforms/deduplicate-per-key.js";
import { type PCollection, type Root, withName } from "../../transforms/primitives/beam.js";
import { StringUtf8Coder } from "../../transforms/primitives/coders/scalar-coders.js";
import type { SplittableProcessContext } from "../../transforms/primitives/do-fn.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import type { TimeDomain } from "../../transforms/primitives/timer-spec.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows, sessions, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { mapping, splittable } from "../model/support/local-do-fn.js";
import type { OffsetRange } from "../model/support/offset-range.js";
import {
  collect,
  expectInOrder,
  expectOutputs,
  expectPanes,
  type ModelRun,
  runModel,
  startModel,
} from "../model/support/run-model.js";
import { at, elements, elementsAt, kv, streamed } from "../model/support/sources.js";
import { ManualTicksFn } from "../model/support/ticks-fn.js";

type Pair = KV<string, number>;

const script = () => testStream<Pair>();

const dedupe = (timeDomain: TimeDomain, durationMs: number) =>
  withName("Dedupe", deduplicatePerKey<string, number>({ horizon: { timeDomain, durationMs } }));

/** What passes of a stream, in the windows that `into` gives it. */
function pass(
  stream: ReturnType<typeof script>,
  timeDomain: TimeDomain,
  durationMs: number,
  into: (input: PCollection<Pair>) => PCollection<Pair> = (input) => input,
): Promise<ModelRun> {
  return runModel((root) =>
    into(streamed(root, stream)).apply(dedupe(timeDomain, durationMs)).apply(collect("out")),
  );
}

function duplicatesOf(run: ModelRun): unknown {
  const [counter] = run.result.metrics({ name: "duplicates" }).counters;
  return counter?.committed;
}

/** Ticks without end, all of one key. */
class EndlessTicksFn extends ManualTicksFn {
  readonly onTick: () => void;
  constructor(onTick: () => void) {
    super(Number.MAX_SAFE_INTEGER, 1);
    this.onTick = onTick;
  }
  override ticked(timestampMs: number, context: SplittableProcessContext<number>): void {
    super.ticked(timestampMs, context);
    if (timestampMs >= 30) this.onTick();
  }
}

const BY_USER = registerRepresentativeFn(
  "test/by-user@1",
  ({ lowerCase }: { lowerCase: boolean }) =>
    ({ user }: { user: string }) =>
      lowerCase ? user.toLowerCase() : user,
);

describe("deduplicatePerKey", () => {
  it("deduplicatePerKey() passes the first element of each key of a bounded input and counts the others", async () => {
    const run = await runModel((root) =>
      elements(root, [kv("a", 1), kv("b", 2), kv("a", 3), kv("a", 4)])
        .apply(dedupe("event-time", 1000))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [kv("a", 1), kv("b", 2)]);
    expect(duplicatesOf(run)).to.equal(2);
  });

  it("deduplicatePerKey() in event time passes a repeat once the watermark is past the horizon", async () => {
    const run = await pass(
      script()
        .addElements(at(5, kv("a", 1)), at(6, kv("a", 2)))
        .advanceWatermarkTo(15)
        .addElements(at(15, kv("a", 3)))
        .advanceWatermarkTo(16)
        .addElements(at(16, kv("a", 4)), at(17, kv("a", 5)))
        .advanceWatermarkToInfinity(),
      "event-time",
      10,
    );
    expectPanes(run, "out", [
      { value: kv("a", 1), timestampMs: 5 },
      { value: kv("a", 4), timestampMs: 16 },
    ]);
    expect(duplicatesOf(run)).to.equal(3);
  });

  it("deduplicatePerKey() in event time takes what comes first, also before a repeat of an earlier time", async () => {
    const run = await pass(
      script()
        .addElements(at(9, kv("a", 1)), at(2, kv("a", 2)))
        .advanceWatermarkToInfinity(),
      "event-time",
      10,
    );
    expectPanes(run, "out", [{ value: kv("a", 1), timestampMs: 9 }]);
  });

  it("deduplicatePerKey() in processing time passes a repeat once the clock is at the horizon", async () => {
    const run = await pass(
      script()
        .addElements(at(5, kv("a", 1)))
        .advanceWatermarkTo(1_000_000)
        .advanceProcessingTime(9)
        .addElements(at(1_000_000, kv("a", 2)))
        .advanceProcessingTime(1)
        .addElements(at(1_000_000, kv("a", 3)))
        .advanceWatermarkToInfinity(),
      "processing-time",
      10,
    );
    expectInOrder(run, "out", [kv("a", 1), kv("a", 3)]);
    expect(duplicatesOf(run)).to.equal(1);
  });

  for (const timeDomain of ["event-time", "processing-time"] as const) {
    it(`deduplicatePerKey() in ${timeDomain} does not hold back a grouping behind it`, async () => {
      const log: string[] = [];
      await runModel((root) => {
        const kept = streamed(
          root,
          script()
            .addElements(at(1, kv("a", 1)), at(2, kv("a", 2)))
            .advanceWatermarkTo(10)
            .addElements(at(10, kv("b", 3)))
            .advanceWatermarkToInfinity(),
        ).apply(dedupe(timeDomain, 1_000_000));
        kept.apply(mapping<Pair, unknown>("Log", ({ value }) => log.push(`passed ${value}`)));
        kept
          .apply(withName("Window", windowInto<Pair>(fixedWindows(10))))
          .apply(withName("Group", groupByKey<string, number>()))
          .apply(
            mapping<KV<string, Iterable<number>>, unknown>("Log panes", ({ value }) =>
              log.push(`pane ${[...value].join(" ")}`),
            ),
          );
      });
      expect(log).to.deep.equal(["passed 1", "pane 1", "passed 3", "pane 3"]);
    });

    it(`deduplicatePerKey() in ${timeDomain} passes a key once in each window`, async () => {
      const run = await pass(
        script()
          .addElements(at(1, kv("a", 1)), at(2, kv("a", 2)), at(11, kv("a", 3)), at(12, kv("a", 4)))
          .advanceWatermarkToInfinity(),
        timeDomain,
        1000,
        (input) => input.apply(withName("Window", windowInto<Pair>(fixedWindows(10)))),
      );
      expectPanes(run, "out", [
        { value: kv("a", 1), window: "0/10" },
        { value: kv("a", 3), window: "10/20" },
      ]);
      expect(duplicatesOf(run)).to.equal(2);
    });

    it(`deduplicatePerKey() in ${timeDomain} drops repeats in the allowed lateness of their window, then all`, async () => {
      const run = await pass(
        script()
          .addElements(at(1, kv("a", 1)))
          .advanceWatermarkTo(12)
          .addElements(at(2, kv("a", 2)), at(3, kv("b", 3)))
          .advanceWatermarkTo(20)
          .addElements(at(4, kv("a", 4)), at(5, kv("c", 5)))
          .advanceWatermarkToInfinity(),
        timeDomain,
        1000,
        (input) =>
          input.apply(withName("Window", windowInto<Pair>(fixedWindows(10), { allowedLatenessMs: 10 }))),
      );
      expectInOrder(run, "out", [kv("a", 1), kv("b", 3)]);
      expect(duplicatesOf(run)).to.equal(1);
    });
  }

  it("deduplicatePerKey() forgets before the window ends where the horizon is shorter", async () => {
    const run = await pass(
      script()
        .addElements(at(1, kv("a", 1)))
        .advanceWatermarkTo(5)
        .addElements(at(5, kv("a", 2)))
        .advanceWatermarkToInfinity(),
      "event-time",
      3,
      (input) => input.apply(withName("Window", windowInto<Pair>(fixedWindows(10)))),
    );
    expectInOrder(run, "out", [kv("a", 1), kv("a", 2)]);
  });

  it("deduplicatePerKey() remembers by each of an element's windows", async () => {
    const run = await pass(
      script()
        .addElements(at(6, kv("a", 1)), at(11, kv("a", 2)))
        .advanceWatermarkToInfinity(),
      "event-time",
      1000,
      (input) =>
        input.apply(withName("Window", windowInto<Pair>(slidingWindows({ sizeMs: 10, periodMs: 5 })))),
    );
    expectPanes(run, "out", [
      { value: kv("a", 1), window: "0/10" },
      { value: kv("a", 1), window: "5/15" },
      { value: kv("a", 2), window: "10/20" },
    ]);
  });

  it("deduplicatePerKey() takes sessions that no grouping has merged as the windows that they are", async () => {
    const run = await pass(
      script()
        .addElements(at(1, kv("a", 1)), at(1, kv("a", 2)), at(2, kv("a", 3)))
        .advanceWatermarkToInfinity(),
      "event-time",
      1000,
      (input) => input.apply(withName("Window", windowInto<Pair>(sessions(10)))),
    );
    expectPanes(run, "out", [
      { value: kv("a", 1), window: "1/11" },
      { value: kv("a", 3), window: "2/12" },
    ]);
  });

  it("deduplicatePerKey() remembers a late key with its bundle alone, where its horizon is past already", async () => {
    const run = await pass(
      script()
        .advanceWatermarkTo(100)
        .addElements(at(5, kv("a", 1)), at(5, kv("a", 2)))
        .addElements(at(5, kv("a", 3)))
        .advanceWatermarkToInfinity(),
      "event-time",
      10,
    );
    expectInOrder(run, "out", [kv("a", 1), kv("a", 3)]);
  });

  for (const timeDomain of ["event-time", "processing-time"] as const) {
    it(`deduplicatePerKey() in ${timeDomain} lets a drain come to its end and emits nothing for it`, async () => {
      let ticked: () => void = () => undefined;
      const enough = new Promise<void>((resolve) => {
        ticked = resolve;
      });
      const run = await startModel((root) =>
        elements(root, ["a"])
          .apply(
            splittable<string, Pair, OffsetRange, number, number>("Ticks", () => new EndlessTicksFn(ticked), {
              bounded: false,
            }),
          )
          .apply(dedupe(timeDomain, 1_000_000_000))
          .apply(collect("out")),
      );
      await enough;
      await run.result.drain();
      expect(run.state).to.equal("DRAINED");
      expectInOrder(run, "out", [kv("a", 0)]);
      expect(duplicatesOf(run)).to.be.at.least(2);
    });
  }

  it("deduplicatePerKey() takes keys whose encodings are equal as one", async () => {
    const run = await runModel((root) =>
      elements<KV<unknown, number>>(root, [
        { key: { id: 1 }, value: 1 },
        { key: { id: 1 }, value: 2 },
        { key: { id: 2 }, value: 3 },
        { key: 1, value: 4 },
        { key: "1", value: 5 },
      ])
        .apply(
          withName(
            "Dedupe",
            deduplicatePerKey<unknown, number>({ horizon: { timeDomain: "event-time", durationMs: 5 } }),
          ),
        )
        .apply(mapping<KV<unknown, number>, number>("Value", ({ value }) => value))
        .apply(collect("out")),
    );
    expectOutputs(run, "out", [1, 3, 4, 5]);
  });

  for (const [what, horizon, message] of [
    [
      "a duration that is not positive",
      { timeDomain: "event-time", durationMs: 0 },
      "durationMs must be a positive number, got 0",
    ],
    [
      "a duration without end",
      { timeDomain: "event-time", durationMs: Number.POSITIVE_INFINITY },
      "durationMs must be a positive number, got Infinity",
    ],
    [
      "a time domain that is none",
      { timeDomain: "eternity", durationMs: 1 },
      "timeDomain must be event-time or processing-time, got eternity",
    ],
  ] as [string, { timeDomain: TimeDomain; durationMs: number }, string][]) {
    it(`deduplicatePerKey() refuses ${what} while the graph is built`, async () => {
      const build = (root: Root) =>
        elements(root, [kv("a", 1)]).apply(
          withName("Dedupe", deduplicatePerKey<string, number>({ horizon })),
        );
      let failure: unknown;
      await runModel(build).catch((error: unknown) => {
        failure = error;
      });
      expect((failure as Error).message).to.equal(`deduplicatePerKey's horizon.${message}`);
    });
  }
});

describe("deduplicateBy", () => {
  type Visit = { readonly user: string; readonly page: string };
  const visits: readonly (readonly [Visit, number])[] = [
    [{ user: "Ada", page: "/" }, 1],
    [{ user: "ada", page: "/cart" }, 2],
    [{ user: "Bob", page: "/" }, 3],
  ];
  const horizon = { timeDomain: "event-time", durationMs: 1000 } as const;

  it("deduplicateBy() passes an element for each value that the function gives, as it came", async () => {
    const run = await runModel((root) =>
      elementsAt(root, visits)
        .apply(withName("Window", windowInto<Visit>(fixedWindows(10))))
        .apply(withName("Dedupe", deduplicateBy<Visit>(BY_USER, { lowerCase: true }, { horizon })))
        .apply(collect("out")),
    );
    expectPanes(run, "out", [
      { value: { user: "Ada", page: "/" }, timestampMs: 1, window: "0/10" },
      { value: { user: "Bob", page: "/" }, timestampMs: 3, window: "0/10" },
    ]);
    expect(duplicatesOf(run)).to.equal(1);
  });

  it("deduplicateBy() gives the function its configuration", async () => {
    const run = await runModel((root) =>
      elementsAt(root, visits)
        .apply(
          withName(
            "Dedupe",
            deduplicateBy<Visit>(BY_USER, { lowerCase: false }, { horizon, coder: new StringUtf8Coder() }),
          ),
        )
        .apply(collect("out")),
    );
    expect(run.values("out")).to.have.length(3);
  });

  it("deduplicateBy() refuses a function that is not registered while the graph is built", async () => {
    let failure: unknown;
    await runModel((root) =>
      elementsAt(root, visits).apply(withName("Dedupe", deduplicateBy<Visit>("nobody@1", null, { horizon }))),
    ).catch((error: unknown) => {
      failure = error;
    });
    expect((failure as Error).message).to.contain('no representative function is registered as "nobody@1"');
  });
});
