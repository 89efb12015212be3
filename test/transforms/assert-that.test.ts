/** assertThat on the direct runner: what holds is counted, what does not fails the job and says what is missing. */
import { expect } from "chai";
import { assertThat } from "../../transforms/assert-that.js";
import { PipelineAssertionError, registerCheck } from "../../transforms/assert-that-fn.js";
import { type PCollection, type Root, withName } from "../../transforms/primitives/beam.js";
import { StringUtf8Coder } from "../../transforms/primitives/coders/scalar-coders.js";
import { create } from "../../transforms/primitives/create.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { testStream } from "../../transforms/primitives/test-stream.js";
import { afterCount, afterWatermark } from "../../transforms/primitives/triggers.js";
import { GLOBAL_WINDOW, IntervalWindow, type KV } from "../../transforms/primitives/window.js";
import { fixedWindows, sessions, slidingWindows } from "../../transforms/primitives/window-fns.js";
import { into } from "../model/support/into.js";
import { mapping } from "../model/support/local-do-fn.js";
import { type ModelRun, runModel } from "../model/support/run-model.js";
import { at, elements, elementsAt, kv, streamed } from "../model/support/sources.js";
import { startGraph, transformNamed } from "./primitives/graph-under-test.js";

const SUMS_TO = registerCheck("test/sums-to@1", (total: number) => (numbers: number[]) => {
  const sum = numbers.reduce((a, b) => a + b, 0);
  if (sum !== total) throw new RangeError(`they sum to ${sum}, not ${total}`);
});
const IS_LONG = registerCheck(
  "test/is-long@1",
  (_: null) => async (elements: unknown[]) => elements.length > 2,
);

async function passed(run: ModelRun): Promise<number> {
  return (await run.result.counters())["assertions_passed"] ?? 0;
}

async function failureOf(build: (root: Root) => unknown): Promise<PipelineAssertionError> {
  let failure: unknown;
  await runModel(build).catch((error: unknown) => {
    failure = error;
  });
  for (let error = failure; error instanceof Error; error = error.cause) {
    if (error instanceof PipelineAssertionError) return error;
  }
  throw new Error(`no assertion failed, but: ${failure}`);
}

describe("assertThat", () => {
  it("assertThat() counts each assertion that holds, those about empty inputs too", async () => {
    const run = await runModel((root) => {
      const some = elements(root, [3, 1, 2, 1], "Some");
      assertThat(some).containsInAnyOrder([1, 1, 2, 3]).satisfies(SUMS_TO, 7);
      const none = elements<number>(root, [], "None");
      assertThat(none).isEmpty();
      assertThat(none).containsInAnyOrder([]).satisfies(SUMS_TO, 0);
    });
    expect(run.state).to.equal("DONE");
    expect(await passed(run)).to.equal(5);
  });

  it("assertThat() checks an empty input: what is expected of it is missing", async () => {
    const error = await failureOf((root) =>
      assertThat(elements<number>(root, []), "The numbers").containsInAnyOrder([5]),
    );
    expect(error.message).to.equal(
      'assertion "The numbers" does not hold: expected 1 element, got 0 elements; missing: 5; unexpected: none',
    );
    expect(error.code).to.equal("assertion_failed");
  });

  it("assertThat() says what is missing and what was not expected, each as often as it is", async () => {
    const error = await failureOf((root) =>
      assertThat(elements<unknown>(root, ["a", "a", { n: 1 }, "b"])).containsInAnyOrder([
        "a",
        { n: 2 },
        "c",
        "c",
      ]),
    );
    expect(error.message).to.match(
      /^assertion "Assert\(Create\)" does not hold: expected 4 elements, got 4 elements; /,
    );
    expect(error.message).to.contain("missing: { n: 2 }, 'c', 'c'; unexpected:");
    for (const one of ["'a'", "{ n: 1 }", "'b'"])
      expect(error.message.split("unexpected: ")[1]).to.contain(one);
  });

  it("assertThat() shows ten of many, and no more of a long value than its beginning", async () => {
    const error = await failureOf((root) =>
      assertThat(elements(root, [...Array.from({ length: 15 }, (_, i) => i), "x".repeat(1000)])).isEmpty(),
    );
    expect(error.message).to.match(
      /expected 0 elements, got 16 elements; missing: none; unexpected: .* and 6 more$/,
    );
    expect(error.message.length).to.be.below(700);
  });

  it("assertThat().isEmpty() fails where there is an element", async () => {
    const error = await failureOf((root) => assertThat(elements(root, [null])).isEmpty());
    expect(error.message).to.contain("expected 0 elements, got 1 element; missing: none; unexpected: null");
  });

  it("assertThat().satisfies() passes on what the check says, or that it says false", async () => {
    const sum = await failureOf((root) => assertThat(elements(root, [1, 2]), "Sum").satisfies(SUMS_TO, 4));
    expect(sum.message).to.equal(
      'assertion "Sum" does not hold: "test/sums-to@1", given 2 elements, says: they sum to 3, not 4',
    );
    expect(sum.cause).to.be.instanceOf(RangeError);
    const long = await failureOf((root) => assertThat(elements(root, [1, 2]), "Long").satisfies(IS_LONG));
    expect(long.message).to.equal(
      'assertion "Long" does not hold: "test/is-long@1", given 2 elements, says false',
    );
    const run = await runModel((root) => assertThat(elements(root, [1, 2, 3])).satisfies(IS_LONG));
    expect(await passed(run)).to.equal(1);
  });

  it("assertThat() compares under the PCollection's coder, groups and their iterables too", async () => {
    const run = await runModel((root) => {
      const groups = elements(root, [kv("a", 1), kv("b", 2)], "Pairs").apply(
        withName("Group", groupByKey<string, number>()),
      );
      assertThat(groups as PCollection<KV<string, Iterable<number>>>).containsInAnyOrder([
        kv("b", [2]),
        kv("a", [1]),
      ]);
      assertThat(
        elements<unknown>(root, [undefined, Number.NaN, 5n, { a: 1, b: 2 }], "Values"),
      ).containsInAnyOrder([{ b: 2, a: 1 }, 5n, Number.NaN, undefined]);
    });
    expect(await passed(run)).to.equal(2);
  });

  it("assertThat() takes all windows together, or the one that is named", async () => {
    const run = await runModel((root) => {
      const windowed = elementsAt(root, [
        ["a", 1],
        ["b", 2],
        ["c", 15],
      ]).apply(into("Window", fixedWindows(10)));
      assertThat(windowed).containsInAnyOrder(["a", "b", "c"]);
      assertThat(windowed).inWindow(new IntervalWindow(0, 10)).containsInAnyOrder(["a", "b"]);
      assertThat(windowed).inWindow(new IntervalWindow(10, 20)).containsInAnyOrder(["c"]);
      assertThat(windowed).inWindow(new IntervalWindow(20, 30)).isEmpty();
      assertThat(windowed).inFinalPane(new IntervalWindow(10, 20)).containsInAnyOrder(["c"]);
      const sliding = elementsAt(root, [["x", 7]], "Sliding").apply(
        into("Slide", slidingWindows({ sizeMs: 10, periodMs: 5 })),
      );
      assertThat(sliding).containsInAnyOrder(["x", "x"]);
      assertThat(sliding).inWindow(new IntervalWindow(5, 15)).containsInAnyOrder(["x"]);
      const inSessions = elementsAt(root, [["y", 7]], "Sessions").apply(into("Session", sessions(10)));
      assertThat(inSessions).inWindow(new IntervalWindow(7, 17)).containsInAnyOrder(["y"]);
    });
    expect(await passed(run)).to.equal(8);
  });

  it("assertThat() names the window, and a pane, that an assertion is about", async () => {
    const error = await failureOf((root) => {
      const windowed = elementsAt(root, [["a", 1]]).apply(into("Window", fixedWindows(10)));
      assertThat(windowed).inEarlyPanes(new IntervalWindow(0, 10)).containsInAnyOrder(["a"]);
    });
    expect(error.message).to.contain('assertion "Assert(Window) in window 0..10, early" does not hold');
  });

  it("assertThat() takes what no trigger has fired for on time and the last", async () => {
    const run = await runModel((root) => {
      const window = new IntervalWindow(0, 10);
      const windowed = elementsAt(root, [["a", 1]]).apply(into("Window", fixedWindows(10)));
      assertThat(windowed).inOnTimePane(window).containsInAnyOrder(["a"]);
      assertThat(windowed).inFinalPane(window).containsInAnyOrder(["a"]);
      assertThat(windowed).inEarlyPanes(window).isEmpty();
      assertThat(windowed).inLatePanes(window).isEmpty();
    });
    expect(await passed(run)).to.equal(4);
  });

  it("assertThat() tells early, on-time, late and last panes apart", async () => {
    const window = new IntervalWindow(0, 10);
    const run = await runModel((root) => {
      const counts = streamed(
        root,
        testStream<KV<string, number>>()
          .addElements(at(1, kv("k", 1)))
          .addElements(at(2, kv("k", 2)), at(25, kv("k", 9)))
          .advanceWatermarkTo(12)
          .addElements(at(3, kv("k", 3)))
          .advanceWatermarkToInfinity(),
      )
        .apply(
          into<KV<string, number>>("Window", fixedWindows(10), {
            trigger: afterWatermark({ early: afterCount(1), late: afterCount(1) }),
            accumulation: "accumulating",
            allowedLatenessMs: 100,
          }),
        )
        .apply(withName("Group", groupByKey<string, number>()))
        .apply(
          mapping("Sum", ({ value }: KV<string, Iterable<number>>) => [...value].reduce((a, b) => a + b, 0)),
        );
      assertThat(counts).inEarlyPanes(window).containsInAnyOrder([1, 3]);
      assertThat(counts).inOnTimePane(window).containsInAnyOrder([3]);
      assertThat(counts).inLatePanes(window).containsInAnyOrder([6]);
      assertThat(counts).inWindow(window).containsInAnyOrder([1, 3, 3, 6]);
      assertThat(counts).inFinalPane(window).isEmpty();
    });
    expect(await passed(run)).to.equal(5);
  });

  it("assertThat() holds in the global window, of a grouping's on-time pane", async () => {
    const run = await runModel((root) => {
      const keys = elements(root, [kv("a", 1)])
        .apply(withName("Group", groupByKey<string, number>()))
        .apply(mapping("Key", ({ key }: KV<string, Iterable<number>>) => key));
      assertThat(keys).inOnTimePane(GLOBAL_WINDOW).containsInAnyOrder(["a"]);
      assertThat(keys).inFinalPane(GLOBAL_WINDOW).containsInAnyOrder(["a"]);
    });
    expect(await passed(run)).to.equal(2);
  });

  it("assertThat() is a composite of Beam's leaves, with a name of its own each time", () => {
    const { pipeline, root } = startGraph();
    const texts = root.apply(withName("Texts", create(["a"], { coder: new StringUtf8Coder() })));
    assertThat(texts).containsInAnyOrder(["a"]).isEmpty();
    assertThat(texts).isEmpty();
    assertThat(texts, "a/b").isEmpty().isEmpty();
    expect(transformNamed(pipeline, "a.b 2/Check").spec!.urn).to.equal("beam:transform:pardo:v1");
    const outer = transformNamed(pipeline, "Assert(Texts)");
    expect(outer.spec!.urn).to.equal("millrace:transform:assert_that:v1");
    expect(transformNamed(pipeline, "Assert(Texts) 2").spec!.urn).to.equal(outer.spec!.urn);
    expect(transformNamed(pipeline, "Assert(Texts) 3").spec!.urn).to.equal(outer.spec!.urn);
    const { transforms } = pipeline.getProto().components!;
    const leaves = Object.values(transforms).filter(({ subtransforms }) => subtransforms.length === 0);
    expect(new Set(leaves.map(({ spec }) => spec!.urn))).to.deep.equal(
      new Set([
        "beam:transform:impulse:v1",
        "beam:transform:pardo:v1",
        "beam:transform:flatten:v1",
        "beam:transform:group_by_key:v1",
      ]),
    );
  });

  it("assertThat() refuses an expected value that the coder cannot carry, while the graph is built", () => {
    const { root } = startGraph();
    const texts = root.apply(withName("Texts", create(["a"], { coder: new StringUtf8Coder() })));
    expect(() => assertThat(texts, "Texts are").containsInAnyOrder(["a", 5 as never])).to.throw(
      'assertion "Texts are" expects what the coder of its PCollection cannot carry: expected[1]',
    );
  });
});
