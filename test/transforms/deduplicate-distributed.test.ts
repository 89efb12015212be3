/** deduplicate() as job servers run it, beside the cache in front of a table, and in a graph. */
import { expect } from "chai";
import fc from "fast-check";
import { directRunner } from "millrace/runners";
import "../../transforms/all-do-fns.js";
import { deduplicate } from "../../transforms/deduplicate.js";
import { DropSeenFn } from "../../transforms/drop-seen-fn.js";
import { type FileRef, RecordOrigin, type Sourced } from "../../transforms/input-record.js";
import {
  JobState_Enum,
  P,
  type PCollection,
  Pipeline,
  Root,
  runnerApi,
  withName,
} from "../../transforms/primitives/beam.js";
import { create } from "../../transforms/primitives/create.js";
import { createOutput, isBounded, parDoSpec } from "../../transforms/primitives/par-do.js";
import { SourcedCoder } from "../../transforms/record-coders.js";
import { writeToPostgres } from "../../transforms/write-to-postgres.js";
import { collect, runModel, runToFailure } from "../model/support/run-model.js";
import { inProcess } from "../runners/bundle/hosts.js";
import { firing, item, keyed, parDo, processorOf, runBundle } from "../runners/bundle/stages.js";
import { checkAsyncProperty } from "../support/check-property.js";
import { type MigratedDatabase, migratedDatabase } from "../support/migrated-database.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { coderText, collectionOf, transformNamed } from "./primitives/graph-under-test.js";

interface Note {
  readonly id: string;
  readonly note: string;
}
type Event = Sourced<Note>;

const CACHE = { key: "id", horizon: { records: 8 } };
const FILES: readonly FileRef[] = [
  { fileId: 1, generation: 0, path: "a.csv" },
  { fileId: 1, generation: 1, path: "a.csv" },
  { fileId: 2, generation: 0, path: "b.csv" },
];

function eventAt(place: number, value: Note): Event {
  const file = FILES[Math.floor(place / 1000) % FILES.length] as FileRef;
  const chunk = Buffer.from(value.note);
  const byteStart = (place % 1000) * 10;
  return {
    record: new RecordOrigin(file, {
      ...{ line: place, byteStart, byteEnd: byteStart + chunk.length, chunk, chunkStart: 0 },
    }),
    value,
  };
}

const created = (root: Root, events: readonly Event[]) =>
  root.apply(
    withName(
      "Create",
      create(events, { coder: new SourcedCoder<Note>(), timestampMs: events.map((_, at) => at) }),
    ),
  );
const dedupe = (events: PCollection<Event>, shards?: number) =>
  P(events).apply(
    withName(
      "Dedupe",
      deduplicate<Note>(CACHE, { distributed: true, ...(shards === undefined ? {} : { shards }) }),
    ),
  );

/** Events in the order of the files: what passes is the first of each id, and what is unlike it. */
function passing(events: readonly Event[]): Event[] {
  const firsts = new Map<string, string>();
  return events.filter(({ value: { id, note } }) => {
    const first = firsts.get(id);
    if (first === undefined) firsts.set(id, note);
    return first !== note;
  });
}

describe("deduplicate, distributed, of a bounded input", () => {
  it("passes of each id the first in the files and what does not equal it, in order and at its time", async () => {
    const notes = fc.record({
      id: fc.constantFrom("a", "b", "c", "é", ""),
      note: fc.constantFrom("1", "2", "3"),
    });
    const cases = fc.record({
      values: fc.array(notes, { maxLength: 60 }),
      shards: fc.constantFrom(1, 2, 64),
      seed: fc.nat(),
    });
    await checkAsyncProperty(
      fc.asyncProperty(cases, async ({ values, shards, seed }) => {
        const choice = new Choice(seed);
        const inOrder = values.map((value, at) => eventAt(at * 50, value));
        const given = choice.shuffled(inOrder);
        const run = await runModel((root) => P(dedupe(created(root, given), shards)).apply(collect("out")));
        const seen = run.collected("out");
        const byId = (events: readonly Event[]) => {
          const groups = new Map<string, number[]>();
          for (const { record, value } of events) {
            groups.set(value.id, [...(groups.get(value.id) ?? []), record.line]);
          }
          return new Map([...groups].sort());
        };
        expect(byId(seen.map(({ value }) => value as Event))).to.deep.equal(byId(passing(inOrder)));
        for (const { value, timestampMs } of seen) {
          const { line } = (value as Event).record;
          expect(timestampMs).to.equal(given.findIndex(({ record }) => record.line === line));
        }
      }),
      40,
    );
  });

  it("passes all of each id in the order of the files where a table has the last word", async () => {
    const inOrder = Array.from({ length: 40 }, (_, at) =>
      eventAt(at * 70, { id: at % 3 === 0 ? "a" : "b", note: at % 5 === 0 ? "1" : "2" }),
    );
    const choice = new Choice(chooseSeed());
    const run = await runModel((root) =>
      P(
        P(created(root, choice.shuffled(inOrder))).apply(
          withName("Dedupe", deduplicate<Note>(CACHE, { distributed: true, lastWord: "table", shards: 2 })),
        ),
      ).apply(collect("out")),
    );
    const lines = (id: string, events: readonly Event[]) =>
      events.filter(({ value }) => value.id === id).map(({ record }) => record.line);
    const seen = run.collected("out").map(({ value }) => value as Event);
    for (const id of ["a", "b"]) expect(lines(id, seen)).to.deep.equal(lines(id, inOrder));
    expect(seen.length).to.equal(40);
  });

  it("stands in the graph as a grouping between two ParDos, whose coders are those of its input", () => {
    const pipeline = new Pipeline();
    const out = dedupe(created(new Root(pipeline), []), 7);
    const composite = transformNamed(pipeline, "Dedupe");
    expect(composite.spec?.urn).to.equal("millrace:transform:deduplicate:v1");
    expect(JSON.parse(new TextDecoder().decode(composite.spec?.payload))).to.deep.equal({
      ...{ key: "id", shards: 7, lastWord: "here", horizonMs: 3_600_000 },
    });
    const sourced = "millrace:coder:sourced<millrace:coder:fields>";
    const { coderId } = collectionOf(pipeline, out);
    expect(coderText(pipeline, coderId)).to.equal(sourced);
    expect(isBounded(pipeline, out)).to.equal(true);
    const grouped = transformNamed(pipeline, "Dedupe/GroupByShard");
    expect(grouped.spec?.urn).to.equal("beam:transform:group_by_key:v1");
    const keyedId = Object.values(grouped.inputs)[0] as string;
    const keyedCoder = pipeline.getProto().components!.pcollections[keyedId]!.coderId;
    expect(coderText(pipeline, keyedCoder)).to.equal(`kv<varint, millrace:coder:timestamped<${sourced}>>`);
  });

  for (const shards of [0, -1, 1.5, 65_537]) {
    it(`refuses ${shards} shards`, () => {
      expect(() => dedupe(created(new Root(new Pipeline()), []), shards)).to.throw(
        `deduplicate's shards must be an integer from 1 to 65536, got ${shards}`,
      );
    });
  }

  it("refuses an id that is no string, naming the record", async () => {
    const event = eventAt(1, { id: 7 as unknown as string, note: "1" });
    await runToFailure(
      (root) => P(dedupe(created(root, [event]))).apply(collect("out")),
      /deduplicate's key "id" must be a string, got number at a\.csv:1/,
    );
  });
});

describe("deduplicate, distributed, in front of a table", () => {
  let database: MigratedDatabase;
  beforeEach(async () => {
    database = await migratedDatabase();
    await database.session.query("create table notes (id text primary key, note text not null)");
  });
  afterEach(() => database.close());

  const runWith = async (name: string, events: readonly Event[], how: { distributed: boolean }) => {
    await database.session.query("truncate notes");
    const runner = directRunner({
      connection: database.connection,
      pipelineName: name,
      bundleElementsMax: 37,
    });
    const result = await runner.run((root: Root) => {
      const all = created(root, events);
      const fresh = how.distributed
        ? dedupe(all, 4)
        : P(all).apply(withName("Dedupe", deduplicate<Note>(CACHE)));
      const table = { table: "notes", columns: ["id", "note"], conflictKey: ["id"] };
      P(fresh).apply(withName("Write", writeToPostgres<Note>(table)));
    });
    expect(result.state).to.equal(JobState_Enum.DONE);
    const rows = await database.session.query("select id, note from notes order by id");
    const counts = await database.session.query(
      "select file_id, events_written, duplicates, conflicts from ledger where pipeline = $1 order by file_id",
      [name],
    );
    return { rows, counts };
  };

  it("gives the rows and the counts of the cache, over random input with repeats and conflicts", async () => {
    const seed = chooseSeed();
    const choice = new Choice(seed);
    for (let round = 0; round < 5; round++) {
      const ids = choice.between(1, 60);
      const events = Array.from({ length: choice.between(1, 300) }, (_, at) =>
        eventAt(at * 9, { id: `id-${choice.between(1, ids)}`, note: `${choice.between(1, 3)}` }),
      );
      const byCache = await runWith(`cache-${round}`, events, { distributed: false });
      const byShards = await runWith(`shards-${round}`, choice.shuffled(events), { distributed: true });
      expect(byShards, `MILLRACE_SEED=${seed}, round ${round}`).to.deep.equal(byCache);
    }
  });
});

describe("deduplicate, distributed, of an unbounded input", () => {
  const on = (options: { readonly horizonMs?: number } = {}) => {
    const pipeline = new Pipeline();
    const bounded = created(new Root(pipeline), []);
    const unbounded = P(bounded as PCollection<unknown>).apply(
      withName("Unbounded", (_in: unknown, _pipeline: unknown, proto: runnerApi.PTransform) => {
        proto.spec = parDoSpec({ fn: "fn@1", config: null }, {});
        return createOutput(pipeline, false, collectionOf(pipeline, bounded).coderId);
      }),
    ) as PCollection<Event>;
    const how = { distributed: true as const, ...options };
    return { pipeline, out: P(unbounded).apply(withName("Dedupe", deduplicate<Note>(CACHE, how))) };
  };

  it("is a state and a timer for each id", () => {
    const { pipeline, out } = on();
    const { stateSpecs, timerFamilySpecs } = runnerApi.ParDoPayload.fromBinary(
      transformNamed(pipeline, "Dedupe/DropSeen").spec!.payload,
    );
    expect(Object.keys(stateSpecs)).to.deep.equal(["hash"]);
    expect(Object.values(timerFamilySpecs).map(({ timeDomain }) => timeDomain)).to.deep.equal([
      runnerApi.TimeDomain_Enum.PROCESSING_TIME,
    ]);
    const sourced = "millrace:coder:sourced<millrace:coder:fields>";
    const input = Object.values(transformNamed(pipeline, "Dedupe/DropSeen").inputs)[0] as string;
    const { coderId } = pipeline.getProto().components!.pcollections[input]!;
    expect(coderText(pipeline, coderId)).to.equal(`kv<string_utf8, ${sourced}>`);
    expect(coderText(pipeline, collectionOf(pipeline, out).coderId)).to.equal(sourced);
    expect(isBounded(pipeline, out)).to.equal(false);
    expect(() => on({ horizonMs: 0 })).to.throw("deduplicate's horizonMs must be a positive number, got 0");
  });

  it("drops what equals the first of its id, passes what does not, and forgets it behind the horizon", async () => {
    const host = inProcess.create();
    const processor = await processorOf(host, parDo("drop", new DropSeenFn({ horizonMs: 1000 })));
    const event = (at: number, note: string) => item("a", eventAt(at, { id: "a", note }), at);
    const passed = async (...items: Parameters<typeof keyed>[2][]) => {
      const scope = await runBundle(processor, host, [keyed("drop", "a", ...items)]);
      const lines = scope.values("drop").map((value) => (value as Event).record.line);
      return { lines, ledgered: scope.ledgered, timers: scope.timers.length };
    };
    expect(await passed(event(1, "x"), event(2, "x"), event(3, "y"))).to.deep.equal({
      lines: [1, 3],
      ledgered: ["1 duplicates 1"],
      timers: 1,
    });
    expect(await passed(event(4, "y"), event(5, "x"))).to.deep.equal({
      lines: [4],
      ledgered: ["1 duplicates 1"],
      timers: 0,
    });
    const expired = firing({ family: "expiry", domain: "processing-time", fireAtMs: 1000 });
    expect(await passed(expired, event(6, "y"), event(7, "x"), event(8, "y"))).to.deep.equal({
      lines: [6, 7],
      ledgered: ["1 duplicates 1"],
      timers: 1,
    });
  });
});
