/** The format of a commit log: what was written is read or refused, whatever became of its bytes. */
import { copyFile, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { crc32 } from "node:zlib";
import { expect } from "chai";
import { NO_COUNTS } from "../../../../runners/bundle/bundle-ledger.js";
import {
  LogDamagedError,
  LogFormatError,
  LogOfOthersError,
} from "../../../../runners/direct/log/log-errors.js";
import { listLog } from "../../../../runners/direct/log/log-files.js";
import { type CommitFacts, encodeRecord } from "../../../../runners/direct/log/log-record.js";
import { checkOwner, readSegment, type Segment } from "../../../../runners/direct/log/read-segment.js";
import { packDelta } from "../../../../runners/engine/durable/delta-format.js";
import type { StateRecord } from "../../../../runners/engine/durable/state-record.js";
import { readFixture, runFixture } from "../../../support/state-fixture.js";
import { COUNTS, copyFixture, recordsOf } from "./log-fixture.js";
import { failure, newFolder, openLog, PIPELINE, removeFolders } from "./log-scene.js";

const RUN_ID = "11111111-2222-3333-4444-555555555555";
const NAME = "run-0000000001-epoch-000000000000007.log";

function factsOf(epoch: number, more: Partial<CommitFacts> = {}): CommitFacts {
  const kind = epoch === 7 ? "snapshot" : "delta";
  return {
    ...{ kind, pipeline: PIPELINE, run: 1, runId: RUN_ID, epoch, atMs: 5 },
    ...{ counts: NO_COUNTS, totals: NO_COUNTS, watermarkMs: null },
    ...more,
  };
}

const payloadOf = (epoch: number) => Buffer.from(`state of ${epoch}: MRCL and more, é`);

/** Epochs 7 to 10, and where each begins. */
function written(): { readonly bytes: Buffer; readonly offsets: readonly number[] } {
  let bytes = Buffer.alloc(0);
  const offsets: number[] = [];
  for (const epoch of [7, 8, 9, 10]) {
    offsets.push(bytes.length);
    bytes = Buffer.concat([bytes, encodeRecord(factsOf(epoch), payloadOf(epoch), bytes.length)]);
  }
  return { bytes, offsets };
}

describe("the format of a commit log", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await newFolder();
  });
  after(removeFolders);

  async function read(bytes: Buffer, pipeline = PIPELINE): Promise<Segment> {
    await writeFile(path.join(folder, NAME), bytes);
    const [segment] = (await listLog(folder)).segments;
    await checkOwner(folder, segment!, pipeline);
    return readSegment(folder, segment!, pipeline);
  }

  const epochsOf = ({ commits }: Segment) => commits.map(({ facts }) => facts.epoch);

  async function expectDamage(bytes: Buffer, offset: number, about: string): Promise<void> {
    const error = await failure(read(bytes));
    expect(error, about).instanceOf(LogDamagedError);
    expect(error, about).property("code", "MILLRACE_LOG_DAMAGED");
    expect(error, about).property("offset", offset);
    expect(error.message, about).contain(`at byte ${offset} of ${path.join(folder, NAME)}`);
  }

  it("gives back facts and state of each commit", async () => {
    const { bytes } = written();
    const segment = await read(bytes);
    expect(epochsOf(segment)).deep.equal([7, 8, 9, 10]);
    expect(segment.commits.map(({ payload }) => payload.toString())).deep.equal(
      [7, 8, 9, 10].map((epoch) => payloadOf(epoch).toString()),
    );
    expect(segment.commits[0].facts).deep.equal(factsOf(7));
    expect(segment).property("bytes", bytes.length);
    expect(segment).property("tornBytes", 0);
  });

  it("is cut where its last commit is torn, at whatever byte, and refused without a whole snapshot", async () => {
    const { bytes, offsets } = written();
    for (let length = 0; length < bytes.length; length++) {
      const whole = offsets.filter((_, place) => length >= (offsets[place + 1] ?? bytes.length)).length;
      if (whole === 0) {
        await expectDamage(bytes.subarray(0, length), 0, `${length} bytes`);
        continue;
      }
      const segment = await read(bytes.subarray(0, length));
      expect(epochsOf(segment), `${length} bytes`).deep.equal([7, 8, 9, 10].slice(0, whole));
      expect(segment.bytes + segment.tornBytes, `${length} bytes`).equal(length);
    }
  });

  it("is cut where zeros stand behind its last commit, and within it", async () => {
    const { bytes, offsets } = written();
    expect(epochsOf(await read(Buffer.concat([bytes, Buffer.alloc(5_000)])))).deep.equal([7, 8, 9, 10]);
    for (let at = offsets[3]!; at < bytes.length; at++) {
      const zeroed = Buffer.from(bytes).fill(0, at);
      expect(epochsOf(await read(zeroed)), `zeros from ${at}`).deep.equal([7, 8, 9]);
    }
  });

  for (const [name, flip] of [
    ["one bit", (byte: number) => byte ^ 1],
    ["all bits", (byte: number) => byte ^ 0xff],
  ] as const) {
    it(`is refused where ${name} of any byte before the last commit was flipped, and cut within that`, async () => {
      const { bytes, offsets } = written();
      for (let at = 0; at < bytes.length; at++) {
        const flipped = Buffer.from(bytes);
        flipped[at] = flip(flipped[at]!);
        const offset = offsets.findLast((start) => start <= at)!;
        if (offset < offsets[3]!) await expectDamage(flipped, offset, `byte ${at}`);
        else expect(epochsOf(await read(flipped)), `byte ${at}`).deep.equal([7, 8, 9]);
      }
    });
  }

  it("is refused where bytes are missing in its midst", async () => {
    const { bytes, offsets } = written();
    for (const end of [offsets[2]!, offsets[2]! - 1, offsets[1]! + 1]) {
      const without = Buffer.concat([bytes.subarray(0, offsets[1]), bytes.subarray(end)]);
      await expectDamage(without, offsets[1]!, `${offsets[1]} to ${end}`);
    }
    const doubled = Buffer.concat([bytes.subarray(0, offsets[2]), bytes.subarray(offsets[1])]);
    await expectDamage(doubled, offsets[2]!, "one that was written elsewhere");
  });

  it("is refused as another pipeline's, naming both", async () => {
    const error = await failure(read(written().bytes, "other"));
    expect(error).instanceOf(LogOfOthersError).property("code", "MILLRACE_LOG_OF_OTHERS");
    expect(error.message).match(
      /run-0000000001-epoch-000000000000007.log is of .* pipeline "test", not of "other"/,
    );
  });

  it("is refused in another format, in the last commit too, naming both", async () => {
    const { bytes, offsets } = written();
    for (const offset of offsets) {
      const newer = Buffer.from(bytes);
      newer.writeUInt32BE(2, offset + 4);
      const head = newer.readUInt32BE(offset + 8) + 24;
      newer.writeUInt32BE(crc32(newer.subarray(offset, offset + head)), offset + head);
      const error = await failure(read(newer));
      expect(error).instanceOf(LogFormatError).property("code", "MILLRACE_LOG_FORMAT");
      expect(error.message).contain("is a commit log of format 2, but this program knows format 1");
    }
  });

  it("is refused under another segment's name, and with a commit that does not follow", async () => {
    await read(written().bytes);
    const other = "run-0000000002-epoch-000000000000007.log";
    await rename(path.join(folder, NAME), path.join(folder, other));
    const [segment] = (await listLog(folder)).segments;
    const error = await failure(readSegment(folder, segment!, PIPELINE));
    expect(error).instanceOf(LogDamagedError);
    expect(error.message).contain("there must be a snapshot, epoch 7 of run 2");
    const { bytes, offsets } = written();
    const twice = encodeRecord(factsOf(8), payloadOf(8), offsets[2]!);
    await copyFile(path.join(folder, other), path.join(folder, NAME));
    await expectDamage(Buffer.concat([bytes.subarray(0, offsets[2]), twice]), offsets[2]!, "epoch 8 twice");
    expect((await readFile(path.join(folder, NAME))).length).above(0);
  });

  it("is gone on from as format 1 has written it, with the outputs of a run that was never interrupted", async () => {
    await copyFixture(folder);
    const log = await openLog(folder);
    const restored = [...log.restored];
    const moments = await readFixture(1);
    const moment = moments.at(-1)!;
    const texts = (records: Iterable<StateRecord>) =>
      Array.from(records, ({ key, value }) => `${key} ${Buffer.from(value).toString("base64")}`).sort();
    expect(texts(restored)).deep.equal(texts(recordsOf(moment)));
    const epoch = moments.length;
    const totals = { ...NO_COUNTS, recordsRead: 3 * epoch, deadLetters: { bad: epoch } };
    expect(log.state).deep.include({ epoch, totals, watermarkMs: epoch * 1_000 });
    await log.close();
    const state = Buffer.from(packDelta({ puts: restored, removed: [] })).toString("base64");
    expect(await runFixture({ ...moment, state }, 1)).deep.equal(await runFixture(undefined, 1));
    const [segment] = (await listLog(folder)).segments;
    const { commits } = await readSegment(folder, segment!, PIPELINE);
    expect(commits.map(({ facts }) => facts.kind)).deep.equal([
      "snapshot",
      ...Array<string>(epoch - 1).fill("delta"),
    ]);
    expect(commits.every(({ facts }) => JSON.stringify(facts.counts) === JSON.stringify(COUNTS))).equal(true);
  });
});
