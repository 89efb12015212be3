/** How far event time has come, by what a directory source has read. */
import { writeFile } from "node:fs/promises";
import { expect } from "chai";
import "../../transforms/csv-format.js";
import { MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import { DirectoryWatermark } from "../../transforms/read-from-directory/directory-watermark.js";
import { SourceDirectory } from "../support/source-directory.js";
import { ManualClock } from "../support/source-host.js";

const NONE = new Set<number>();

describe("DirectoryWatermark", () => {
  const clock = new ManualClock();
  const create = (restoredMs?: number) =>
    new DirectoryWatermark({ outOfOrdernessMs: 10, idleMs: 1000, clock }, restoredMs);

  it("is at the beginning of time until a record with an event time comes", () => {
    const watermark = create();
    watermark.advance(NONE, true);
    expect(watermark.currentMs).to.equal(MIN_TIMESTAMP_MS);
    watermark.emitted(1, MIN_TIMESTAMP_MS);
    watermark.advance(NONE, true);
    expect(watermark.currentMs).to.equal(MIN_TIMESTAMP_MS);
  });

  it("is the largest event time less the allowed disorder, and never goes back", () => {
    const watermark = create();
    watermark.emitted(1, 500);
    watermark.advance(NONE, true);
    expect(watermark.currentMs).to.equal(490);
    watermark.emitted(2, 100);
    watermark.advance(NONE, true);
    expect(watermark.currentMs).to.equal(490);
  });

  it("is held by a file of which more is there, and let go when that is read", () => {
    const watermark = create();
    watermark.emitted(1, 500);
    watermark.emitted(2, 900);
    watermark.advance(new Set([1]), false);
    expect(watermark.currentMs).to.equal(490);
    watermark.emitted(1, 600);
    watermark.advance(NONE, true);
    expect(watermark.currentMs).to.equal(890);
  });

  it("goes on with the clock when nothing has come for idleMs, not before and not while more is there", () => {
    const watermark = create();
    watermark.emitted(1, 500);
    clock.advance(999);
    watermark.advance(NONE, true);
    expect(watermark.currentMs).to.equal(490);
    clock.advance(1);
    watermark.advance(new Set([1]), false);
    expect(watermark.currentMs).to.equal(490);
    watermark.advance(NONE, true);
    expect(watermark.currentMs).to.equal(clock.now() - 1010);
  });

  it("goes on from the committed one", () => {
    const watermark = create(700);
    expect(watermark.currentMs).to.equal(700);
    watermark.emitted(1, 500);
    watermark.advance(NONE, true);
    expect(watermark.currentMs).to.equal(700);
  });
});

describe("readFromDirectory() watermark", () => {
  const options = { columns: ["id", "at"], timestampColumn: "at" };
  const config = { format: { format: "csv", options }, outOfOrdernessMs: 1000, idleMs: 5000 };
  const second = (n: number) => Date.parse("2024-05-01T00:00:00Z") + n * 1000;
  const line = (n: number) => `${n},${new Date(second(n)).toISOString()}\n`;
  let directory: SourceDirectory;
  beforeEach(async () => {
    directory = await SourceDirectory.create();
  });
  afterEach(() => directory.remove());

  it("follows the records, bundle by bundle", async () => {
    await writeFile(directory.at("a.csv"), `id,at\n${line(10)}${line(30)}${line(20)}`);
    const source = directory.host({ ...config, recordsPerBundleMax: 2 });
    const first = await source.process();
    expect(first.records.map(({ timestampMs }) => timestampMs)).to.deep.equal([second(10), second(30)]);
    expect(first.watermarkMs).to.equal(second(29));
    await source.commit(first);
    const next = await source.process();
    expect(next.records.map(({ timestampMs }) => timestampMs)).to.deep.equal([second(20)]);
    expect(next.watermarkMs).to.equal(second(29));
  });

  it("waits for the rest of a file that another has overtaken", async () => {
    await directory.writeAged("a.csv", `id,at\n${line(10)}${line(11)}${line(12)}`, 2000);
    await directory.writeAged("b.csv", `id,at\n${line(100)}`, 1000);
    const source = directory.host({ ...config, recordsPerBundleMax: 2 });
    const first = await source.process();
    expect(first.watermarkMs).to.equal(second(10));
    await source.commit(first);
    expect((await source.process()).watermarkMs).to.equal(second(99));
  });

  it("does not stop in a quiet directory, and starts where it was committed", async () => {
    await writeFile(directory.at("a.csv"), `id,at\n${line(10)}`);
    const source = directory.host(config, { restoredWatermarkMs: second(5) });
    const first = await source.process();
    expect(first.watermarkMs).to.equal(second(9));
    await source.commit(first);
    source.clock.advance(5000);
    expect((await source.process()).watermarkMs).to.equal(source.clock.now() - 6000);
    const other = directory.host(config, { restoredWatermarkMs: second(20) });
    expect((await other.process()).watermarkMs).to.equal(second(20));
  });
});
