/** The SDK's own files, unchanged: its programming guide, its tests of pipelines, its examples, on the direct runner. */
import { expect } from "chai";
import { runSdkFile, runSdkTests } from "./sdk-process.js";

/** Of the guide: what needs an expansion service. */
const CROSS_LANGUAGE = ["python_map", "stateful_dofn", "cross_lang_transform"];

const GUIDE = [
  "combine_custom_average",
  "combine_globally",
  "combine_per_key",
  "combine_simple_sum",
  "cogroupbykey",
  "countwords_composite",
  "create_pcollection",
  "fixed_windows",
  "global_windows",
  "groupby",
  "logical_types",
  "model_multiple_output",
  "model_multiple_pcollections_flatten",
  "model_multiple_pcollections_partition",
  "model_pardo",
  "model_pardo_side_input",
  "model_pardo_using_flatmap",
  "model_pardo_using_map",
  "other_params",
  "pipeline_options",
  "pipeline_options_define_custom",
  "pipelines_constructing_creating",
  "pipelines_constructing_reading",
  "schema_def",
  "session_windows @ulr",
  "sliding_windows",
  "with_row_coder",
];

/** Words and their numbers, as `console.log` prints the examples' elements. */
function countsOf(stdout: string): Record<string, number> {
  const lines = stdout.matchAll(/^\{ element: '([a-z]*)', count: (\d+) \}$/gm);
  return Object.fromEntries([...lines].map(([, word, count]) => [word, Number(count)]));
}

describe("the SDK's own files on the direct runner", () => {
  it("every snippet of the programming guide that needs no expansion service passes", async () => {
    const others = new RegExp(`^(?!.*(${CROSS_LANGUAGE.join("|")}))`);
    const { passed, failed, pending, runs } = await runSdkTests("test/docs/programming_guide.js", others);
    expect({ failed, pending }).to.deep.equal({ failed: [], pending: [] });
    expect(passed.toSorted()).to.deep.equal(GUIDE.toSorted());
    // One more than snippets that run: it warms up a job server.
    expect(runs).to.equal(25);
  });

  it("its tests of combiners pass", async () => {
    const { passed, failed, pending, runs } = await runSdkTests("test/combine_test.js", /./);
    expect({ failed, pending, passed: passed.length, runs }).to.deep.equal({
      ...{ failed: [], pending: [] },
      ...{ passed: 7, runs: 7 },
    });
  });

  // Its other tests compare the coders of a graph with the SDK's classes, or need a job server.
  it("its tests of primitives that run pipelines pass", async () => {
    const titles = /direct runner (runs basic transforms|testing\.assertDeepEqual)/;
    const { passed, failed, pending, runs } = await runSdkTests("test/primitives_test.js", titles);
    expect({ failed, pending }).to.deep.equal({ failed: [], pending: [] });
    expect(passed).to.deep.equal([
      "fails on bad assert",
      "runs a map",
      "runs a flatmap",
      "runs a Splitter",
      "runs a map with context",
      "runs a map with counters",
      "runs a map with singleton side input",
      "runs a map with a side input sharing input root",
      "runs a map with window-sensitive context",
      "runs a WindowInto",
      "runs a WindowInto IntervalWindow",
    ]);
    expect(runs).to.be.at.least(passed.length);
  });

  it("its word count is a test that passes", async () => {
    const { passed, failed, runs } = await runSdkTests("test/wordcount.js", /./);
    expect({ passed, failed, runs }).to.deep.equal({
      ...{ passed: ["wordcount", "wordcount assert"], failed: [] },
      runs: 2,
    });
  });

  it("the example wordcount counts the words of its text", async () => {
    const { exitCode, stdout, stderr, runs } = await runSdkFile("src/apache_beam/examples/wordcount.js");
    expect({ exitCode, stderr, runs }).to.deep.equal({ exitCode: 0, stderr: "", runs: 1 });
    expect(countsOf(stdout)).to.deep.equal({
      ...{ "": 4, and: 7, be: 1, beginning: 1, created: 1, darkness: 1, deep: 1, earth: 2, face: 2 },
      ...{ form: 1, god: 3, heaven: 1, in: 1, let: 1, light: 2, moved: 1, of: 3, said: 1, spirit: 1 },
      ...{ the: 9, there: 2, upon: 2, void: 1, was: 3, waters: 1, without: 1 },
    });
  });

  it("the example wordcount4 prints its line and counts its words", async () => {
    const { exitCode, stdout, stderr, runs } = await runSdkFile("src/apache_beam/examples/wordcount4.js");
    expect({ exitCode, stderr, runs }).to.deep.equal({ exitCode: 0, stderr: "", runs: 1 });
    expect(stdout).to.include("Aaaa Aaaa Bbbbbbb\n");
    expect(countsOf(stdout)).to.deep.equal({ aaaa: 2, bbbbbbb: 1 });
  });
});
