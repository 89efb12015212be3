/** The graph of user-events as every runner gets it. */
import { expect } from "chai";
import { runGraph } from "../../pipelines/commands/graph.js";
import { buildUserEvents } from "../../pipelines/user-events.js";
import { checkFeatures } from "../../runners/graph/features.js";
import { graphProto } from "../../runners/graph/graph-proto.js";
import type { GraphFormat } from "../../runners/graph/render.js";
import { readSteps } from "../../runners/graph/step.js";
import { translate } from "../../runners/graph/translate.js";
import { runnerApi } from "../../transforms/primitives/beam.js";

const options = { input: "data/raw", errorDir: "data/error" };
const proto = graphProto(buildUserEvents(options));
const { transforms, pcollections, coders } = proto.components!;
const { BOUNDED, UNBOUNDED } = runnerApi.IsBounded_Enum;

function printed(format: GraphFormat, runner = "direct"): string {
  const texts: string[] = [];
  runGraph(buildUserEvents(options), runner, format, { stdout: { write: (text) => texts.push(text) } });
  return texts.join("");
}

function doFnsOf(graph: runnerApi.Pipeline): Record<string, unknown> {
  const entries = readSteps(graph).map((step) =>
    step.kind === "parDo" && step.doFn.kind === "registered"
      ? [[step.path, [step.doFn.fn, step.doFn.config]]]
      : [],
  );
  return Object.fromEntries(entries.flat());
}

describe("buildUserEvents", () => {
  it("buildUserEvents() names every step", () => {
    expect(Object.keys(transforms)).to.deep.equal([
      "ReadEvents",
      "ReadEvents/Impulse",
      "ReadEvents/ReadFiles",
      "ReadRetries",
      "ReadRetries/Impulse",
      "ReadRetries/ReadRequests",
      "EventsAndRetries",
      "ValidateEvents",
      "ValidateEvents/Check",
      "ValidateEvents/Split",
      "DropDuplicates",
      "WriteEvents",
      "WriteDeadLetters",
      "WriteDeadLetters/Flatten",
      "WriteDeadLetters/Write",
    ]);
  });

  it("buildUserEvents() has URNs of its own on composites only", () => {
    const urns = Object.fromEntries(Object.entries(transforms).map(([id, { spec }]) => [id, spec!.urn]));
    expect(urns).to.deep.equal({
      ReadEvents: "millrace:transform:read_from_directory:v1",
      "ReadEvents/Impulse": "beam:transform:impulse:v1",
      "ReadEvents/ReadFiles": "beam:transform:pardo:v1",
      ReadRetries: "millrace:transform:read_dead_letter_retries:v1",
      "ReadRetries/Impulse": "beam:transform:impulse:v1",
      "ReadRetries/ReadRequests": "beam:transform:pardo:v1",
      EventsAndRetries: "beam:transform:flatten:v1",
      ValidateEvents: "millrace:transform:validate:v1",
      "ValidateEvents/Check": "beam:transform:pardo:v1",
      "ValidateEvents/Split": "beam:transform:pardo:v1",
      DropDuplicates: "beam:transform:pardo:v1",
      WriteEvents: "beam:transform:pardo:v1",
      WriteDeadLetters: "millrace:transform:write_dead_letters:v1",
      "WriteDeadLetters/Flatten": "beam:transform:flatten:v1",
      "WriteDeadLetters/Write": "beam:transform:pardo:v1",
    });
    for (const { spec, subtransforms } of Object.values(transforms)) {
      expect(spec!.urn.startsWith("beam:")).to.equal(subtransforms.length === 0);
    }
  });

  it("buildUserEvents() gives each DoFn its configuration", () => {
    const columns = ["event_id", "user_id", "event_type", "product_id", "price", "event_timestamp"];
    const csv = { columns, delimiter: ",", timestampColumn: "event_timestamp" };
    const format = { format: "csv", options: csv };
    expect(doFnsOf(proto)).to.deep.equal({
      "ReadEvents/ReadFiles": ["read_from_directory@1", { directory: "data/raw", format }],
      "ReadRetries/ReadRequests": ["read_dead_letter_retries@1", { format, columns }],
      "ValidateEvents/Check": ["validate@1", { schema: "user-event" }],
      "ValidateEvents/Split": ["split@1", { tags: ["valid", "invalid"] }],
      DropDuplicates: ["deduplicate@1", { key: "event_id", horizon: { records: 65_536 } }],
      WriteEvents: ["write_to_postgres@1", { table: "user_events", columns, conflictKey: ["event_id"] }],
      "WriteDeadLetters/Write": ["write_dead_letters@1", { errorDir: "data/error" }],
    });
  });

  it("buildUserEvents() hands options on to the reader", () => {
    const graph = graphProto(buildUserEvents({ ...options, read: { quietMs: 50, whenDone: "archive" } }));
    const reader = doFnsOf(graph)["ReadEvents/ReadFiles"];
    expect(reader).to.have.nested.property("[1].quietMs", 50);
    expect(reader).to.have.nested.property("[1].whenDone", "archive");
  });

  it("buildUserEvents() connects the steps", () => {
    const edges = readSteps(proto).flatMap((step) =>
      Object.values(step.transform.inputs).map((id) => `${id} -> ${step.path}`),
    );
    expect(edges).to.deep.equal([
      "ReadEvents/Impulse.main -> ReadEvents/ReadFiles",
      "ReadRetries/Impulse.main -> ReadRetries/ReadRequests",
      "ReadEvents/ReadFiles.main -> EventsAndRetries",
      "ReadRetries/ReadRequests.records -> EventsAndRetries",
      "EventsAndRetries.main -> ValidateEvents/Check",
      "ValidateEvents/Check.main -> ValidateEvents/Split",
      "ValidateEvents/Split.valid -> DropDuplicates",
      "DropDuplicates.main -> WriteEvents",
      "ValidateEvents/Split.invalid -> WriteDeadLetters/Flatten",
      "WriteEvents.rejected -> WriteDeadLetters/Flatten",
      "ReadRetries/ReadRequests.letters -> WriteDeadLetters/Flatten",
      "WriteDeadLetters/Flatten.main -> WriteDeadLetters/Write",
    ]);
  });

  it("buildUserEvents() carries records, values and letters in coders of their own", () => {
    const urns = Object.entries(pcollections).map(([id, { coderId }]) => [id, coders[coderId]!.spec!.urn]);
    expect(Object.fromEntries(urns)).to.deep.equal({
      "ReadEvents/Impulse.main": "beam:coder:bytes:v1",
      "ReadEvents/ReadFiles.main": "millrace:coder:input_record:v1",
      "ReadRetries/Impulse.main": "beam:coder:bytes:v1",
      "ReadRetries/ReadRequests.records": "millrace:coder:input_record:v1",
      "ReadRetries/ReadRequests.letters": "millrace:coder:dead_letter:v1",
      "EventsAndRetries.main": "millrace:coder:input_record:v1",
      "ValidateEvents/Check.main": "millrace:coder:tagged:v1",
      "ValidateEvents/Split.valid": "millrace:coder:sourced:v1",
      "ValidateEvents/Split.invalid": "millrace:coder:dead_letter:v1",
      "DropDuplicates.main": "millrace:coder:sourced:v1",
      "WriteEvents.rejected": "millrace:coder:dead_letter:v1",
      "WriteDeadLetters/Flatten.main": "millrace:coder:dead_letter:v1",
    });
  });

  it("buildUserEvents() is unbounded from the source on in a stream, bounded when available-now", () => {
    const once = graphProto(buildUserEvents({ ...options, mode: "available-now" })).components!.pcollections;
    for (const id of Object.keys(pcollections)) {
      const isSourceOrAfter = !id.endsWith("/Impulse.main");
      expect(pcollections[id]!.isBounded, id).to.equal(isSourceOrAfter ? UNBOUNDED : BOUNDED);
      expect(once[id]!.isBounded, id).to.equal(BOUNDED);
    }
  });

  it("buildUserEvents() requires splittable DoFns and finalization, and marks the steps that use them", () => {
    expect(proto.requirements).to.deep.equal([
      "beam:requirement:pardo:finalization:v1",
      "beam:requirement:pardo:splittable_dofn:v1",
    ]);
    const parDos = readSteps(proto).filter((step) => step.kind === "parDo");
    const splittable = parDos
      .filter((step) => step.payload.restrictionCoderId !== "")
      .map((step) => step.path);
    const finalized = parDos.filter((step) => step.payload.requestsFinalization).map((step) => step.path);
    const sources = ["ReadEvents/ReadFiles", "ReadRetries/ReadRequests"];
    expect(splittable).to.deep.equal(sources);
    expect(finalized).to.deep.equal([...sources, "DropDuplicates", "WriteDeadLetters/Write"]);
  });

  it("buildUserEvents() leaves retries to the direct runner: a job server's graph has no source of them", () => {
    const distributed = graphProto(buildUserEvents({ ...options, distributed: true }));
    const paths = Object.keys(distributed.components!.transforms);
    expect(paths.filter((path) => /Retries/.test(path))).to.deep.equal([]);
    expect(paths).to.include("WriteDeadLetters/Write");
  });

  it("buildUserEvents() is one stage, and asks of a runner only what the direct one has", () => {
    const { stages } = translate(proto);
    expect(stages.map(({ id }) => id)).to.deep.equal(["ReadEvents/ReadFiles"]);
    const supported = new Set(["unbounded splittable DoFn", "bundle finalization"] as const);
    const runner = { runner: "direct", supported, isRegistered: () => true };
    expect(() => checkFeatures(proto, runner)).to.not.throw();
  });

  it("buildUserEvents() gives the same bytes each time, and survives the way through binary", () => {
    const bytes = runnerApi.Pipeline.toBinary(proto);
    const again = runnerApi.Pipeline.toBinary(graphProto(buildUserEvents(options)));
    expect(Buffer.compare(bytes, again)).to.equal(0);
    expect(runnerApi.Pipeline.equals(runnerApi.Pipeline.fromBinary(bytes), proto)).to.equal(true);
  });
});

describe("runGraph", () => {
  it("runGraph() prints the graph as mermaid", () => {
    expect(printed("mermaid")).to.equal(`flowchart LR
  subgraph c1["ReadEvents"]
    s1["Impulse"]
    s2["ReadFiles: read_from_directory@1"]
  end
  subgraph c2["ReadRetries"]
    s3["Impulse"]
    s4["ReadRequests: read_dead_letter_retries@1"]
  end
  s5["EventsAndRetries"]
  subgraph c3["ValidateEvents"]
    s6["Check: validate@1"]
    s7["Split: split@1"]
  end
  s8["DropDuplicates: deduplicate@1"]
  s9["WriteEvents: write_to_postgres@1"]
  subgraph c4["WriteDeadLetters"]
    s10["Flatten"]
    s11["Write: write_dead_letters@1"]
  end
  s1 --> s2
  s3 --> s4
  s2 --> s5
  s4 -->|"records"| s5
  s5 --> s6
  s6 --> s7
  s7 -->|"valid"| s8
  s8 --> s9
  s7 -->|"invalid"| s10
  s9 -->|"rejected"| s10
  s4 -->|"letters"| s10
  s10 --> s11
%% sink WriteEvents into user_events: exactly once, runner direct
%% sink WriteDeadLetters/Write into dead_letters and data/error: exactly once, runner direct
`);
  });

  it("runGraph() prints the graph as dot", () => {
    expect(printed("dot")).to.equal(`digraph pipeline {
  rankdir=LR;
  node [shape=box];
  subgraph cluster_c1 {
    label="ReadEvents";
    s1 [label="Impulse"];
    s2 [label="ReadFiles: read_from_directory@1"];
  }
  subgraph cluster_c2 {
    label="ReadRetries";
    s3 [label="Impulse"];
    s4 [label="ReadRequests: read_dead_letter_retries@1"];
  }
  s5 [label="EventsAndRetries"];
  subgraph cluster_c3 {
    label="ValidateEvents";
    s6 [label="Check: validate@1"];
    s7 [label="Split: split@1"];
  }
  s8 [label="DropDuplicates: deduplicate@1"];
  s9 [label="WriteEvents: write_to_postgres@1"];
  subgraph cluster_c4 {
    label="WriteDeadLetters";
    s10 [label="Flatten"];
    s11 [label="Write: write_dead_letters@1"];
  }
  s1 -> s2;
  s3 -> s4;
  s2 -> s5;
  s4 -> s5 [label="records"];
  s5 -> s6;
  s6 -> s7;
  s7 -> s8 [label="valid"];
  s8 -> s9;
  s7 -> s10 [label="invalid"];
  s9 -> s10 [label="rejected"];
  s4 -> s10 [label="letters"];
  s10 -> s11;
}
// sink WriteEvents into user_events: exactly once, runner direct
// sink WriteDeadLetters/Write into dead_letters and data/error: exactly once, runner direct
`);
  });

  it("runGraph() tells what the sinks promise on the runner that is named", () => {
    expect(printed("mermaid", "flink").split("\n").slice(-3)).to.deep.equal([
      "%% sink WriteEvents into user_events: idempotent by key, runner flink",
      "%% sink WriteDeadLetters/Write into dead_letters and data/error: idempotent by key, runner flink",
      "",
    ]);
  });

  it("runGraph() prints the Beam proto as JSON that reads back as the same graph", () => {
    expect(runnerApi.Pipeline.equals(runnerApi.Pipeline.fromJsonString(printed("json")), proto)).to.equal(
      true,
    );
  });
});
