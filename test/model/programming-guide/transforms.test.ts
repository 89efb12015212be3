/**
 * What the programming guide shows of transforms, as a user writes it: the SDK's API alone, compiled by plain
 * tsc, with the direct runner in the place of the SDK's.
 */
import * as beam from "apache-beam";
import { assertDeepEqual } from "apache-beam/testing/assert";
import * as combiners from "apache-beam/transforms/combiners";
import { expect } from "chai";
import { createRunner, directRunner } from "../../../runners/index.js";
import { thrownBy } from "./thrown-by.js";

describe("programming guide: pipelines", () => {
  it("a pipeline is a function of the root; an empty one runs", async () => {
    const result = await createRunner({ runner: "default" }).run(() => undefined);
    expect(result.rawMetrics).to.be.a("function");
  });

  it("create gives the elements in it", async () => {
    const lines = ["To be, or not to be", "that is the question"];
    await directRunner().run((root) => root.apply(beam.create(lines)).apply(assertDeepEqual([...lines])));
  });

  it("an assertion on elements that are others fails the pipeline", async () => {
    const error = await thrownBy(
      directRunner().run((root) => root.apply(beam.create([1, 2])).apply(assertDeepEqual([1, 3]))),
    );
    expect(error.message).to.match(/loosely deep-equal/);
  });
});

describe("programming guide: ParDo", () => {
  it("a DoFn emits what its process yields", async () => {
    function wordLengths(): beam.DoFn<string, number> {
      return {
        process: function* (word) {
          yield word.length;
        },
      };
    }
    await directRunner().run((root) =>
      root
        .apply(beam.create(["a", "bb", "cccc"]))
        .apply(beam.withName("Lengths", beam.parDo(wordLengths())))
        .apply(assertDeepEqual([1, 2, 4])),
    );
  });

  it("flatMap gives any number of outputs, map one", async () => {
    await directRunner().run((root) => {
      const words = root.apply(beam.create(["a", "bb", "cccc"]));
      words
        .flatMap((word: string) => [...word])
        .apply(beam.withName("Letters", assertDeepEqual(["a", "b", "b", "c", "c", "c", "c"])));
      words.map((word: string) => word.length).apply(beam.withName("Sizes", assertDeepEqual([1, 2, 4])));
    });
  });

  it("split parts a DoFn's outputs by tag, and an element may be in two", async () => {
    await directRunner().run((root) => {
      const { below, above, marked } = root
        .apply(beam.create(["a", "bb", "cccccc", "xx"]))
        .flatMap(function* tagged(
          word: string,
        ): Generator<{ below?: string; above?: string; marked?: string }> {
          yield word.length < 5 ? { below: word } : { above: word };
          if (word.includes("x")) yield { marked: word };
        })
        .apply(beam.split(["below", "above", "marked"]));
      below!.apply(beam.withName("Below", assertDeepEqual(["a", "bb", "xx"])));
      above!.apply(beam.withName("Above", assertDeepEqual(["cccccc"])));
      marked!.apply(beam.withName("Marked", assertDeepEqual(["xx"])));
    });
  });

  it("a function reads a side input through its context", async () => {
    await directRunner().run((root) => {
      const words = root.apply(beam.create(["a", "bb", "cccc"]));
      const meanLength = words
        .apply(beam.groupGlobally<string>().combining((word) => word.length, combiners.mean, "mean"))
        .map(({ mean }: { mean: number }) => mean) as beam.PCollection<number>;
      words
        .flatMap(
          function* shorter(word: string, context: { mean: { lookup(): number } }) {
            if (word.length < context.mean.lookup()) yield word;
          },
          { mean: beam.singletonSideInput(meanLength) },
        )
        .apply(assertDeepEqual(["a", "bb"]));
    });
  });

  it("a function reads all elements of an iterable side input", async () => {
    await directRunner().run((root) => {
      const stops = root.apply(beam.withName("Stops", beam.create(["b", "c"])));
      root
        .apply(beam.withName("Letters", beam.create(["a", "b", "c", "d"])))
        .flatMap(
          function* kept(letter: string, context: { stops: { lookup(): Iterable<string> } }) {
            if (![...context.stops.lookup()].includes(letter)) yield letter;
          },
          { stops: beam.iterableSideInput(stops) },
        )
        .apply(assertDeepEqual(["a", "d"]));
    });
  });

  it("a function counts by its context, and the result has what it counted", async () => {
    const result = await directRunner().run((root) => {
      root.apply(beam.create([1, 2, 3])).map(
        beam.withName(
          "Counted",
          beam.withContext(
            (x: unknown, context: { seen: beam.Counter; sizes: beam.Metric<number> }) => {
              context.seen.increment();
              context.sizes.update(x as number);
              return x;
            },
            { seen: beam.counter("seen"), sizes: beam.distribution("sizes") },
          ) as (x: unknown) => unknown,
        ),
      );
    });
    expect((await result.counters())["seen"]).to.equal(3);
    expect((await result.distributions())["sizes"]).to.deep.include({ count: 3, sum: 6, min: 1, max: 3 });
  });
});

describe("programming guide: grouping and combining", () => {
  it("groupBy groups by a field or by what a function says", async () => {
    const scores = [
      { word: "cat", score: 1 },
      { word: "cat", score: 5 },
      { word: "dog", score: 5 },
    ];
    await directRunner().run((root) => {
      const pcoll = root.apply(beam.create(scores));
      pcoll
        .apply(beam.groupBy("word"))
        .map(
          beam.withName("Field", ({ key, value }: { key: string; value: Iterable<{ score: number }> }) => [
            key,
            ...[...value].map(({ score }) => score).sort(),
          ]),
        )
        .apply(
          beam.withName(
            "By word",
            assertDeepEqual([
              ["cat", 1, 5],
              ["dog", 5],
            ]),
          ),
        );
      pcoll
        .apply(beam.groupBy((x: { word: string }) => x.word.length))
        .map(
          beam.withName("Length", ({ key, value }: { key: number; value: Iterable<unknown> }) => [
            key,
            [...value].length,
          ]),
        )
        .apply(beam.withName("By length", assertDeepEqual([[3, 3]])));
    });
  });

  it("coGroupBy joins collections by a common field", async () => {
    await directRunner().run((root) => {
      const emails = root.apply(
        beam.withName(
          "Emails",
          beam.create([
            { name: "amy", email: "amy@example.com" },
            { name: "carl", email: "carl@example.com" },
            { name: "carl", email: "carl@email.com" },
          ]),
        ),
      );
      const phones = root.apply(
        beam.withName(
          "Phones",
          beam.create([
            { name: "amy", phone: "111-222-3333" },
            { name: "james", phone: "222-333-4444" },
          ]),
        ),
      );
      beam
        .P({ emails, phones } as never)
        .apply(beam.coGroupBy("name") as never as () => beam.PCollection<never>)
        .map(function format({
          key,
          values,
        }: {
          key: string;
          values: { emails: { email: string }[]; phones: { phone: string }[] };
        }) {
          const all = [...values.emails.map((x) => x.email), ...values.phones.map((x) => x.phone)];
          return `${key}: ${all.sort().join(" ")}`;
        })
        .apply(
          assertDeepEqual([
            "amy: 111-222-3333 amy@example.com",
            "carl: carl@email.com carl@example.com",
            "james: 222-333-4444",
          ]),
        );
    });
  });

  it("combining takes binary functions, one result a name", async () => {
    await directRunner().run((root) =>
      root
        .apply(beam.create([1, 10, 100, 1000]))
        .apply(
          beam
            .groupGlobally<number>()
            .combining(
              (c) => c,
              (x: number, y: number) => x + y,
              "sum",
            )
            .combining(
              (c) => c,
              (x: number, y: number) => x * y,
              "product",
            ),
        )
        .apply(assertDeepEqual([{ sum: 1111, product: 1000000 }])),
    );
  });

  it("combining takes a CombineFn of one's own", async () => {
    const mean: beam.CombineFn<number, [number, number], number> = {
      createAccumulator: () => [0, 0],
      addInput: ([sum, count], input) => [sum + input, count + 1],
      mergeAccumulators: (accumulators) =>
        [...accumulators].reduce(([a, m], [b, n]) => [a + b, m + n], [0, 0]),
      extractOutput: ([sum, count]) => sum / count,
    };
    await directRunner().run((root) =>
      root
        .apply(beam.create([4, 5, 6]))
        .apply(beam.groupGlobally<number>().combining((c) => c, mean, "mean"))
        .apply(assertDeepEqual([{ mean: 5 }])),
    );
  });

  it("combining per key aggregates a field in several ways", async () => {
    await directRunner().run((root) =>
      root
        .apply(
          beam.create([
            { player: "alice", accuracy: 1.0 },
            { player: "eve", accuracy: 0.5 },
            { player: "eve", accuracy: 0.25 },
          ]),
        )
        .apply(
          beam
            .groupBy("player")
            .combining("accuracy", combiners.mean, "mean")
            .combining("accuracy", combiners.max, "max") as never,
        )
        .apply(
          assertDeepEqual([
            { player: "alice", mean: 1.0, max: 1.0 },
            { player: "eve", mean: 0.375, max: 0.5 },
          ]) as never,
        ),
    );
  });

  it("countPerElement counts words in a composite that is a function", async () => {
    function countWords(lines: beam.PCollection<string>) {
      return lines
        .map((line: string) => line.toLowerCase())
        .flatMap(function* words(line: string) {
          yield* line.split(/[^a-z]+/);
        })
        .apply(beam.countPerElement());
    }
    await directRunner().run((root) =>
      root
        .apply(beam.create(["A b", "b C c c"]))
        .apply(countWords)
        .apply(
          assertDeepEqual([
            { element: "a", count: 1 },
            { element: "b", count: 2 },
            { element: "c", count: 3 },
          ]),
        ),
    );
  });

  it("countGlobally counts all", async () => {
    await directRunner().run((root) =>
      root
        .apply(beam.create(["a", "b", "a"]))
        .apply(beam.countGlobally())
        .apply(assertDeepEqual([3])),
    );
  });
});

describe("programming guide: several collections", () => {
  it("flatten unites", async () => {
    await directRunner().run((root) => {
      const fibonacci = root.apply(beam.withName("Fibonacci", beam.create([1, 1, 2, 3])));
      const powers = root.apply(beam.withName("Powers", beam.create([1, 2, 4])));
      beam
        .P([fibonacci, powers])
        .apply(beam.flatten<number>())
        .apply(assertDeepEqual([1, 1, 1, 2, 2, 3, 4]));
    });
  });

  it("partition parts by number", async () => {
    await directRunner().run((root) => {
      const deciles = root
        .apply(beam.create([1, 5, 50, 98, 99]))
        .apply(beam.partition((percentile: number, parts) => Math.floor((percentile / 100) * parts), 10));
      deciles[9]!.apply(beam.withName("Top", assertDeepEqual([98, 99])));
      deciles[0]!.apply(beam.withName("Bottom", assertDeepEqual([1, 5])));
      deciles[4]!.apply(beam.withName("Empty", assertDeepEqual<number>([])));
    });
  });
});
