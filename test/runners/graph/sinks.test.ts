/** sinksOf(): what each sink of a graph promises on a runner, and which are refused there by name. */
import { expect } from "chai";
import { directRunner, portableRunner } from "millrace/runners";
import { type RowChange, writeChangesToPostgres, writeRowsToPostgres } from "millrace/transforms";
import { buildUserEvents } from "../../../pipelines/user-events.js";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import {
  DIRECT_SINK_PLACE,
  JOB_SERVER_SINK_PLACE,
  sinksOf,
  sinkText,
  UnsafeSinkError,
} from "../../../runners/graph/sinks.js";
import "../../../transforms/all-do-fns.js";
import { P, Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";
import { create } from "../../../transforms/primitives/create.js";
import type { WriteRowsOptions } from "../../../transforms/write-changes-to-postgres.js";

const columns = ["id", "version"];
const keyed = { table: "things", columns, conflictKey: ["id"] };
const versioned = { ...keyed, version: "version" };

interface Thing {
  readonly id: string;
  readonly version: number;
}

function pipelineOf(build: (root: Root) => void): Pipeline {
  const pipeline = new Pipeline();
  build(new Root(pipeline));
  return pipeline;
}

const rows = (options: WriteRowsOptions) => (root: Root) => {
  P(root.apply(withName("Rows", create<Thing>([])))).apply(
    withName("Write", writeRowsToPostgres<Thing>(options)),
  );
};
const changes = (options: Parameters<typeof writeChangesToPostgres>[0]) => (root: Root) => {
  P(root.apply(withName("Changes", create<RowChange<Thing>>([])))).apply(
    withName("Write", writeChangesToPostgres<Thing>(options)),
  );
};

describe("sinksOf", () => {
  const textsOf = (pipeline: Pipeline, place = JOB_SERVER_SINK_PLACE) =>
    sinksOf(graphProto(pipeline), place).map(sinkText);
  const refusalOf = (build: (root: Root) => void) => {
    try {
      return textsOf(pipelineOf(build));
    } catch (error) {
      expect(error).to.be.instanceOf(UnsafeSinkError);
      return (error as Error).message;
    }
  };

  it("names the sinks of user-events and what they promise, by runner", () => {
    const pipeline = buildUserEvents({ input: "in", errorDir: "error" });
    expect(textsOf(pipeline, DIRECT_SINK_PLACE)).to.deep.equal([
      "sink WriteEvents into user_events: exactly once",
      "sink WriteDeadLetters/Write into dead_letters and error: exactly once",
    ]);
    expect(textsOf(pipeline)).to.deep.equal([
      "sink WriteEvents into user_events: idempotent by key",
      "sink WriteDeadLetters/Write into dead_letters and error: idempotent by key",
    ]);
  });

  it("lets rows with a key and a version pass where bundles may repeat, and deletes with a tombstone", () => {
    const passes = [
      rows({ ...keyed, operation: "insert-once" }),
      rows({ ...versioned, operation: "upsert" }),
      rows({ ...versioned, tombstone: "gone", operation: "delete" }),
      changes({ ...versioned, tombstone: "gone" }),
    ];
    for (const build of passes) {
      expect(refusalOf(build)).to.deep.equal(["sink Write into things: idempotent by key"]);
    }
  });

  it("refuses by name, where bundles may repeat, what would write twice or bring back what is deleted", () => {
    const head =
      "bundles may run again on this runner, and these sinks would not come to the same:\n  Write: ";
    const refused: [(root: Root) => void, string][] = [
      [
        rows({ table: "things", columns, operation: "insert-once" }),
        'table "things" has no conflictKey, by which a row that comes again would be known',
      ],
      [
        rows({ ...keyed, operation: "upsert" }),
        'table "things" has no version, by which an upsert that comes again would be late',
      ],
      [
        changes(keyed),
        'table "things" has no version, by which an upsert or delete that comes again would be late',
      ],
      [
        changes(versioned),
        'table "things" has no tombstone column, so an upsert that comes again would bring back what is deleted ' +
          '(operation: "upsert" says that nothing is deleted)',
      ],
    ];
    for (const [build, why] of refused) {
      expect(refusalOf(build)).to.equal(head + why);
      expect(textsOf(pipelineOf(build), DIRECT_SINK_PLACE)).to.deep.equal([
        "sink Write into things: exactly once",
      ]);
    }
  });

  it("promises exactly once, behind the commit, into another database, and refuses that on job servers", () => {
    const elsewhere = { ...versioned, tombstone: "gone", database: "reports" };
    const text = 'sink Write into things in database "reports": exactly once, replayed behind the commit';
    for (const build of [rows({ ...elsewhere, operation: "upsert" }), changes(elsewhere)]) {
      expect(textsOf(pipelineOf(build), DIRECT_SINK_PLACE)).to.deep.equal([text]);
      expect(refusalOf(build)).to.equal(
        "bundles may run again on this runner, and these sinks would not come to the same:\n" +
          '  Write: table "things" is in another database, "reports", into which only the direct runner replays ' +
          "what it has committed",
      );
    }
    expect(() => pipelineOf(changes({ ...versioned, database: "Reports!" }))).to.throw(
      'the sink of table "things": `database` must be the name of a connection: lower-case letters, digits and ' +
        'underscores, the first a letter, got "Reports!"',
    );
  });

  it("is asked by portableRunner() before it looks for the job server", async () => {
    const failure = await portableRunner({ jobEndpoint: "127.0.0.1:1", modules: [] })
      .run(rows({ ...keyed, operation: "upsert" }))
      .then(
        () => undefined,
        (error: Error) => error,
      );
    expect(failure).to.be.instanceOf(UnsafeSinkError);
  });

  it("is the first that a job on the direct runner says", async () => {
    const lines: string[] = [];
    const log = { debug() {}, info: (line: string) => void lines.push(line), warn() {}, error() {} };
    const result = await directRunner({ log }).runAsync(rows({ ...versioned, operation: "upsert" }));
    await result.waitUntilFinish();
    expect(lines[0]).to.equal("sink Write into things: exactly once");
    expect(result.failure?.message).to.match(/^step "Write" failed in setup: .* has no database/);
  });
});

describe("writeRowsToPostgres", () => {
  it("refuses options that name what there is not, where they are written", () => {
    const problem = (options: object): string => {
      try {
        writeRowsToPostgres({ ...versioned, operation: "upsert", ...options } as WriteRowsOptions);
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    };
    expect(problem({})).to.equal("");
    const all: [object, string][] = [
      [{ columns: [] }, "`columns` must name at least one column"],
      [{ columns: ["id", "version", "id"] }, "`columns` must not name one twice, got id, version, id"],
      [{ conflictKey: [] }, "`conflictKey` must name at least one column"],
      [{ conflictKey: undefined }, "`conflictKey` is needed for upsert: it says which row a change is of"],
      [{ conflictKey: ["key"] }, 'conflict key "key" must be one of its columns, id, version'],
      [{ version: "v" }, 'version "v" must be one of its columns, id, version'],
      [{ version: "id" }, 'version "id" must not be in the conflict key'],
      [{ tombstone: "id" }, 'tombstone "id" must not be one of its columns: it is set here'],
      [{ version: undefined, tombstone: "gone" }, 'tombstone "gone" keeps a version, and there is none'],
      [{ operation: "update" }, '`operation` must be one of insert-once, upsert, delete, got "update"'],
    ];
    for (const [options, rule] of all) {
      expect(problem(options)).to.equal(`the sink of table "things": ${rule}`);
    }
  });
});
