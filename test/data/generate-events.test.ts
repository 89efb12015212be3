/** What a run writes when nothing paces it: bytes, counts, duplicates, names, refusals. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type GenerateContext, generateEvents } from "../../data/generate/generate-events.js";
import { GeneratorError } from "../../data/generate/generator-error.js";
import { parseGeneratorOptions } from "../../data/generate/generator-options.js";
import type { Manifest } from "../../data/generate/manifest.js";
import {
  countBy,
  csvNames,
  digests,
  inTemporaryDirectory,
  recordsOf,
  refusalOf,
} from "../support/generated-files.js";
import { ManualClock } from "../support/manual-clock.js";

const start = "2025-01-01T00:00:00Z";

/** Runs without waiting, unless told otherwise. */
function generate(output: string, raw: object, context: Partial<GenerateContext> = {}): Promise<Manifest> {
  const options = parseGeneratorOptions({ output, asFastAsPossible: true, seed: 42, start, ...raw });
  return generateEvents(options, { clock: new ManualClock(), randomSeed: () => 7, ...context });
}

describe("generateEvents()", () => {
  it("writes the same bytes for the same seed and start, file by file", async () => {
    await inTemporaryDirectory(async (directory) => {
      const [one, two] = [join(directory, "1"), join(directory, "2")];
      const manifest = join(directory, "manifest.json");
      await generate(one, { events: 25_000, eventsPerSecond: 1000, manifest });
      const first = JSON.parse(await readFile(manifest, "utf8"));
      await generate(two, { events: 25_000, eventsPerSecond: 1000, manifest });
      const second = JSON.parse(await readFile(manifest, "utf8"));
      expect(await digests(two)).to.deep.equal(await digests(one));
      expect(await csvNames(one)).to.have.length(3);
      expect(second).to.deep.equal({ ...first, output: two });
    });
  });

  it("writes the same records however they are cut into files and however many follow", async () => {
    await inTemporaryDirectory(async (directory) => {
      await generate(join(directory, "1"), { events: 30_000 });
      await generate(join(directory, "2"), { events: 20_000, rowsPerFile: 777 });
      const long = await recordsOf(join(directory, "1"));
      expect(await recordsOf(join(directory, "2"))).to.deep.equal(long.slice(0, 20_000));
    });
  });

  it("writes files whose order by modification time, then name, is their order", async () => {
    await inTemporaryDirectory(async (directory) => {
      await generate(directory, { events: 1200, rowsPerFile: 100 });
      const names = await csvNames(directory);
      const stats = await Promise.all(names.map((name) => stat(join(directory, name), { bigint: true })));
      const times = stats.map(({ mtimeNs }) => mtimeNs);
      expect(names.map((name) => name.slice(-13))).to.include.members(["000000001.csv", "000000012.csv"]);
      expect(times).to.deep.equal([...times].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
    });
  });

  it("gives no event id of one seed to two starts or rates", async () => {
    await inTemporaryDirectory(async (directory) => {
      await generate(directory, { events: 500, malformedRate: 0, duplicateRate: 0 });
      await generate(directory, { events: 500, malformedRate: 0, duplicateRate: 0, start: "2025-01-02" });
      await generate(directory, {
        events: 500,
        malformedRate: 0,
        duplicateRate: 0,
        start: "2025-01-03",
        eventsPerSecond: 11,
      });
      const ids = (await recordsOf(directory)).map((record) => record.slice(0, 36));
      expect(new Set(ids).size).to.equal(1500);
    });
  });

  it("counts in its manifest what a recount of the files finds", async () => {
    await inTemporaryDirectory(async (directory) => {
      const manifest = await generate(directory, { events: 15_000, malformedRate: 0.05, duplicateRate: 0.1 });
      const records = await recordsOf(directory);
      const verdicts = records.map(refusalOf);
      const refusals = verdicts.filter((reason) => reason !== undefined);
      const valid = records.filter((_, index) => verdicts[index] === undefined);
      const unique = new Set(valid.map((record) => record.split(",")[0])).size;
      expect(manifest).to.deep.include({
        complete: true,
        rows: records.length,
        rows_planned: 15_000,
        unique,
        duplicate: valid.length - unique,
        malformed: refusals.length,
        malformed_by_reason: countBy(refusals),
        files: 2,
      });
      expect(Object.keys(manifest.malformed_by_reason)).to.have.length(8);
      expect(manifest.malformed / manifest.rows).to.be.closeTo(0.05, 0.01);
      expect(manifest.duplicate / manifest.rows).to.be.closeTo(0.1, 0.01);
      const written = JSON.parse(await readFile(join(directory, `_${manifest.run}.manifest.json`), "utf8"));
      expect(written).to.deep.equal(manifest);
    });
  });

  it("repeats as duplicate an earlier valid record, byte for byte", async () => {
    await inTemporaryDirectory(async (directory) => {
      const manifest = await generate(directory, {
        events: 40_000,
        duplicateRate: 0.2,
        eventsPerSecond: 500,
      });
      const seen = new Map<string, string>();
      const altered: string[] = [];
      let duplicates = 0;
      for (const record of await recordsOf(directory)) {
        const id = record.slice(0, 36);
        const earlier = seen.get(id);
        if (earlier === undefined) seen.set(id, record);
        else duplicates += 1;
        if (earlier !== undefined && earlier !== record) altered.push(record);
      }
      expect(altered).to.deep.equal([]);
      expect(duplicates).to.equal(manifest.duplicate);
    });
  });

  it("lets every user look, then put into the cart, then buy, among the new events", async () => {
    await inTemporaryDirectory(async (directory) => {
      await generate(directory, { events: 30_000, malformedRate: 0.02, duplicateRate: 0 });
      const before = new Map<string, string>();
      const steps = new Set<string>();
      for (const record of await recordsOf(directory)) {
        const [, user, type, product] = record.split(",");
        if (type !== "view" && type !== "add_to_cart" && type !== "purchase") continue;
        const key = `${user} ${product}`;
        if (type !== "view") steps.add(`${before.get(key)} ${type}`);
        before.set(key, type);
      }
      expect([...steps].sort()).to.deep.equal(["add_to_cart purchase", "view add_to_cart"]);
    });
  });

  it("spaces event times by the rate, strictly rising among new events", async () => {
    await inTemporaryDirectory(async (directory) => {
      await generate(directory, {
        events: 20_000,
        eventsPerSecond: 50_000,
        malformedRate: 0,
        duplicateRate: 0,
      });
      const times = (await recordsOf(directory)).map((record) => record.split(",")[5]);
      expect(times[0]).to.equal("2025-01-01T00:00:00.000000Z");
      expect(times[19_999]).to.equal("2025-01-01T00:00:00.399980Z");
      expect(times).to.deep.equal([...new Set(times)].sort());
    });
  });

  it("honours rates of nothing and of everything", async () => {
    await inTemporaryDirectory(async (directory) => {
      const counts = async (name: string, malformedRate: number, duplicateRate: number) => {
        const manifest = await generate(join(directory, name), { events: 100, malformedRate, duplicateRate });
        return [manifest.unique, manifest.duplicate, manifest.malformed];
      };
      expect(await counts("clean", 0, 0)).to.deep.equal([100, 0, 0]);
      expect(await counts("broken", 1, 0)).to.deep.equal([0, 0, 100]);
      expect(await counts("repeated", 0, 1)).to.deep.equal([1, 99, 0]);
    });
  });

  it("refuses an output that holds a run of the same seed and start", async () => {
    await inTemporaryDirectory(async (directory) => {
      await generate(directory, { events: 10 });
      const error = await generate(directory, { events: 10 }).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(GeneratorError);
      expect((error as GeneratorError).code).to.equal("output_exists");
      expect((error as GeneratorError).message).to.contain(
        join(directory, "events-20250101T000000000Z-0000002a-000000001.csv"),
      );
      await generate(directory, { events: 10, seed: 43 });
      expect(await csvNames(directory)).to.have.length(2);
    });
  });

  it("says which directory it cannot use", async () => {
    await inTemporaryDirectory(async (directory) => {
      await generate(directory, { events: 10, manifest: join(directory, "file") });
      const error = await generate(join(directory, "file"), { events: 10 }).catch(
        (reason: unknown) => reason,
      );
      expect((error as GeneratorError).code).to.equal("write_failed");
      expect((error as GeneratorError).message).to.contain(`output ${join(directory, "file")} must be`);
    });
  });

  it("takes a random seed and the present when nothing is said", async () => {
    await inTemporaryDirectory(async (directory) => {
      const clock = new ManualClock("2026-03-04T05:06:07.089Z");
      const options = parseGeneratorOptions({ output: directory, asFastAsPossible: true, events: 5 });
      const manifest = await generateEvents(options, { clock, randomSeed: () => 0xabc });
      expect(manifest).to.deep.include({ seed: 0xabc, start: "2026-03-04T05:06:07.089Z" });
      expect(await csvNames(directory)).to.deep.equal(["events-20260304T050607089Z-00000abc-000000001.csv"]);
    });
  });

  it("refuses a run whose events would pass year 9999", async () => {
    await inTemporaryDirectory(async (directory) => {
      const run = generate(directory, { start: "9999-12-31T23:59:59Z", events: 100, eventsPerSecond: 1 });
      const error = await run.catch((reason: unknown) => reason);
      expect((error as GeneratorError).code).to.equal("invalid_options");
      expect((error as GeneratorError).message).to.equal(
        "start must leave the events in years up to 9999, got 9999-12-31T23:59:59.000Z",
      );
    });
  });
});
