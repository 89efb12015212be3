/** The graph of the distributed source on the direct runner, with its plan, its ranges and its ledger in PostgreSQL. */
import { appendFile } from "node:fs/promises";
import { expect } from "chai";
import { directRunner } from "millrace/runners";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { SqlSession } from "../../../sql/sql-session.js";
import "../../../transforms/all-do-fns.js";
import { csvFormat } from "../../../transforms/csv-format.js";
import type { InputRecord } from "../../../transforms/input-record.js";
import {
  impulse,
  P,
  type PCollection,
  Pipeline,
  Root,
  withName,
} from "../../../transforms/primitives/beam.js";
import type { DoFn, ProcessContext, SetupContext } from "../../../transforms/primitives/do-fn.js";
import { type JsonValue, registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { planDirectory } from "../../../transforms/read-from-directory/plan-directory.js";
import type { ReadFromDirectoryConfig } from "../../../transforms/read-from-directory/read-from-directory-config.js";
import { readFromDirectory, readPlannedFiles } from "../../../transforms/read-from-directory.js";
import { takeCollected } from "../../support/collected.js";
import { byPlace } from "../../support/distributed-source.js";
import { type MigratedDatabase, migratedDatabase } from "../../support/migrated-database.js";
import { SourceDirectory } from "../../support/source-directory.js";
import { toSeen } from "../../support/source-host.js";
import { collect, NAME } from "./number-pipelines.js";

let database: MigratedDatabase;
let directory: SourceDirectory;

/** Plans the run that it is part of, as a client does before it submits. */
class PlanFn implements DoFn {
  #setup!: SetupContext;
  constructor(readonly config: ReadFromDirectoryConfig) {}
  setup(context: SetupContext): void {
    this.#setup = context;
  }
  async process(element: unknown, context: ProcessContext): Promise<void> {
    const { runId, ...setup } = this.#setup;
    const session = await SqlSession.connect({ connection: database.connection, applicationName: "plan" });
    await planDirectory({
      ...{ ...setup, config: this.config, runId: runId!, database: session },
      transact: async (work) => {
        await session.begin();
        await work(session);
        await session.commit();
      },
    });
    await session.close();
    context.output(element);
  }
}
const PLAN = registerDoFn("plan@distributed-source", (config: ReadFromDirectoryConfig) => new PlanFn(config));

describe("readFromDirectory() distributed", () => {
  beforeEach(async () => {
    database = await migratedDatabase();
    directory = await SourceDirectory.create();
    takeCollected(NAME);
  });
  afterEach(async () => {
    await database.close();
    await directory.remove();
  });

  const format = csvFormat({
    columns: ["text", "at"],
    timestampColumn: "at",
  }) as ReadFromDirectoryConfig["format"];

  it("gives on the direct runner what the direct source gives, record for record, and counts it once", async () => {
    for (const name of ["a.csv", "b.csv"]) {
      const lines = Array.from(
        { length: 200 },
        (_, i) => `"${name}\n${i}",2026-01-01T00:00:${10 + (i % 50)}Z`,
      );
      await directory.writeAged(name, `text,at\n${lines.join("\n")}`, 60_000);
    }
    const config = { directory: directory.root, format, rangeBytesMax: 1000 };
    const own = directory.host({ format }, { mode: "available-now" });
    await own.runToEnd();
    const { connection } = database;
    await directRunner({ connection, pipelineName: "p", once: true, bundleElementsMax: 3 }).run((root) => {
      const start = root.apply(withName("Impulse", impulse()));
      const planned = P(start).apply(withName("Plan", registeredParDo(PLAN, config as unknown as JsonValue)));
      collect(readPlannedFiles(planned as PCollection<unknown>, config as unknown as JsonValue));
    });
    const seen = takeCollected(NAME).map(({ value, timestampMs }) =>
      toSeen(value as InputRecord, timestampMs),
    );
    expect(byPlace(seen)).to.deep.equal(byPlace(own.committed));
    const [counts] = await database.session.query<{ ranges: number; read: number; counted: number }>(
      `select count(*)::int as ranges, sum(records)::int as read,
         (select sum(records_read)::int from ledger) as counted from read_ranges`,
    );
    expect(counts).to.deep.include({ read: 400, counted: 400 });
    expect(counts!.ranges).to.be.greaterThan(10);
  });

  it("watches on the direct runner: what is appended is read, and counted once", async () => {
    const config = { directory: directory.root, format, rangeBytesMax: 1000, quietMs: 100 };
    await directory.writeAged("a.csv", "text,at\none,2026-01-01T00:00:10Z\n", 60_000);
    const { connection } = database;
    const result = await directRunner({ connection, pipelineName: "p" }).runAsync((root) => {
      const read = readFromDirectory(config, "stream", { distributed: true });
      collect(root.apply(withName("Read", read)) as PCollection<unknown>);
    });
    const seen: unknown[] = [];
    const until = async (count: number) => {
      while (seen.length < count) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        seen.push(...takeCollected(NAME).map(({ value }) => (value as InputRecord).fields?.["text"]));
      }
    };
    await until(1);
    await appendFile(directory.at("a.csv"), "two,2026-01-01T00:00:20Z\nthree,");
    await until(3);
    await result.drain();
    expect(seen).to.deep.equal(["one", "two", "three"]);
    const rows = await database.session.query(
      `select sum(records)::int as records, (select sum(records_read)::int from ledger) as counted,
         bool_or(settled) as settled from read_ranges`,
    );
    // settled they are by the client of a job server, which here is none
    expect(rows).to.deep.equal([{ records: 3, counted: 3, settled: false }]);
  });

  it("is five steps: what is planned, how it is cut, and who reads it, apart", () => {
    const pipeline = new Pipeline();
    const config = { directory: directory.root, format };
    new Root(pipeline).apply(
      withName("Read", readFromDirectory(config, "available-now", { distributed: true })),
    );
    expect(Object.keys(graphProto(pipeline).components!.transforms)).to.deep.equal([
      "Read",
      "Read/Impulse",
      "Read/ListFiles",
      "Read/CutFiles",
      "Read/Reshuffle",
      "Read/ReadRanges",
    ]);
  });
});
