/** serverOptions(): by the server's names and types, and refused before the job where they are not. */
import { PipelineOptionType_Enum as Type } from "apache-beam/proto/beam_job_api";
import { expect } from "chai";
import {
  optionUrns,
  type PipelineOptions,
  PipelineOptionsError,
  serverOptions,
} from "../../../runners/portable/pipeline-options.js";

const described = new Map([
  ["parallelism", Type.INTEGER],
  ["streaming", Type.BOOLEAN],
  ["read_time_percentage", Type.NUMBER],
  ["experiments", Type.ARRAY],
  ["flink_master", Type.STRING],
  ["checkpointing_interval", Type.INTEGER],
]);

function problemsOf(given: PipelineOptions): readonly string[] {
  try {
    serverOptions(given, described);
  } catch (error) {
    expect(error).to.be.instanceOf(PipelineOptionsError);
    return (error as PipelineOptionsError).problems;
  }
  throw new Error(`nothing was refused of ${JSON.stringify(given)}`);
}

describe("serverOptions()", () => {
  it("takes each type", () => {
    const options = {
      parallelism: 2,
      streaming: true,
      read_time_percentage: 0.5,
      experiments: ["a"],
      flink_master: "host:8081",
    };
    expect(serverOptions(options, described)).to.deep.equal(options);
  });

  it("takes camel case for snake case", () => {
    expect(serverOptions({ checkpointingInterval: 500 }, described)).to.deep.equal({
      checkpointing_interval: 500,
    });
  });

  it("names an option that the server does not have, and the one that was probably meant", () => {
    expect(problemsOf({ paralelism: 2, nothing_like_it: 1 })).to.deep.equal([
      'the job server has no pipeline option "paralelism". Did you mean "parallelism"?',
      'the job server has no pipeline option "nothing_like_it".',
    ]);
  });

  it("names an option that is given twice", () => {
    const given = { checkpointing_interval: 1, checkpointingInterval: 2 };
    expect(problemsOf(given)).to.deep.equal(["pipeline option checkpointing_interval is given twice"]);
  });

  for (const [name, value, rule] of [
    ["parallelism", "two", "an integer"],
    ["parallelism", 1.5, "an integer"],
    ["streaming", "true", "true or false"],
    ["read_time_percentage", "half", "a number"],
    ["experiments", "one", "an array"],
    ["flink_master", ["a"], "a text"],
  ] as const) {
    it(`refuses ${name}=${JSON.stringify(value)}`, () => {
      expect(problemsOf({ [name]: value as PipelineOptions[string] })).to.deep.equal([
        `pipeline option ${name} must be ${rule}, got ${JSON.stringify(value)}`,
      ]);
    });
  }

  it("passes on all to a server that describes none", () => {
    expect(serverOptions({ anyThing: "x" }, new Map())).to.deep.equal({ any_thing: "x" });
  });
});

describe("optionUrns()", () => {
  it("gives Beam's URNs", () => {
    expect(optionUrns({ job_name: "a" })).to.deep.equal({ "beam:option:job_name:v1": "a" });
  });
});
