/** When a run writes what: the rate on a clock moved by hand, stopping, files that appear whole. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type GenerateProgress, generateEvents } from "../../data/generate/generate-events.js";
import { parseGeneratorOptions } from "../../data/generate/generator-options.js";
import { csvNames, inTemporaryDirectory, recordsOf } from "../support/generated-files.js";
import { ManualClock } from "../support/manual-clock.js";

/** A paced run and the means to move it. */
function pacedRun(output: string, raw: object) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const metrics: Record<string, unknown>[] = [];
  const progress: GenerateProgress[] = [];
  const options = parseGeneratorOptions({ output, seed: 1, start: "2025-01-01", ...raw });
  const finished = generateEvents(options, {
    clock,
    signal: stop.signal,
    randomSeed: () => 1,
    metrics: { append: (record) => metrics.push(record as Record<string, unknown>) },
    onProgress: (report) => progress.push(report),
  });
  /** Lets the run do all that it can at the present time. */
  const settle = () => Promise.race([clock.asleep(), finished]);
  return { clock, stop, metrics, progress, finished, settle };
}

describe("generateEvents() at a rate", () => {
  for (const eventsPerSecond of [7, 10, 333.3, 25_000]) {
    it(`has written exactly what is due after each second at ${eventsPerSecond}/s`, async () => {
      await inTemporaryDirectory(async (directory) => {
        const { clock, finished, settle } = pacedRun(directory, { eventsPerSecond, duration: 4 });
        const seen: number[] = [];
        for (let second = 1; second <= 4; second++) {
          await settle();
          // Files cut by rows are due within the second: every sleep has to end.
          for (let tick = 0; tick < 10; tick++) {
            clock.advance(100);
            await settle();
          }
          seen.push((await recordsOf(directory)).length);
        }
        const due = [1, 2, 3, 4].map((second) => Math.ceil(second * eventsPerSecond - 1e-9));
        due[3] = Math.round(4 * eventsPerSecond);
        expect(seen).to.deep.equal(due);
        expect((await finished).complete).to.equal(true);
      });
    });
  }

  it("writes one file a second, not before the second is over", async () => {
    await inTemporaryDirectory(async (directory) => {
      const { clock, finished, settle } = pacedRun(directory, { eventsPerSecond: 10, duration: 2 });
      await settle();
      clock.advance(999);
      await settle();
      expect(await readdir(directory)).to.deep.equal([]);
      clock.advance(1);
      await settle();
      expect(await csvNames(directory)).to.have.length(1);
      clock.advance(1000);
      await finished;
      expect(await csvNames(directory)).to.have.length(2);
    });
  });

  it("cuts a file at rowsPerFile within the second", async () => {
    await inTemporaryDirectory(async (directory) => {
      const { clock, settle, stop, finished } = pacedRun(directory, { eventsPerSecond: 10, rowsPerFile: 4 });
      const files: number[] = [];
      for (let tick = 0; tick < 10; tick++) {
        await settle();
        clock.advance(100);
        await settle();
        files.push((await csvNames(directory)).length);
      }
      expect(files).to.deep.equal([0, 0, 0, 1, 1, 1, 1, 2, 2, 3]);
      stop.abort();
      await finished;
    });
  });

  it("writes the same files late as on time", async () => {
    await inTemporaryDirectory(async (directory) => {
      const [late, fast] = [join(directory, "late"), join(directory, "fast")];
      const run = pacedRun(late, { eventsPerSecond: 100, duration: 5 });
      await run.settle();
      run.clock.advance(60_000);
      await run.finished;
      expect(await csvNames(late)).to.have.length(5);
      expect(run.metrics.map(({ lagMs }) => lagMs)).to.deep.equal([59_000, 58_000, 57_000, 56_000, 55_000]);
      await pacedRun(fast, { eventsPerSecond: 100, duration: 5, asFastAsPossible: true }).finished;
      expect(await recordsOf(late)).to.deep.equal(await recordsOf(fast));
    });
  });

  it("ends when stopped, with what was due until then and a manifest that says so", async () => {
    await inTemporaryDirectory(async (directory) => {
      const { clock, stop, finished, settle } = pacedRun(directory, { eventsPerSecond: 10, duration: 60 });
      await settle();
      clock.advance(1000);
      await settle();
      clock.advance(450);
      await settle();
      stop.abort();
      const manifest = await finished;
      expect(manifest).to.deep.include({ complete: false, rows: 15, rows_planned: 600, files: 2 });
      expect(await recordsOf(directory)).to.have.length(15);
      const names = await readdir(directory);
      expect(names.sort()).to.deep.equal([`_${manifest.run}.manifest.json`, ...(await csvNames(directory))]);
    });
  });

  it("writes an empty manifest when stopped before the first record", async () => {
    await inTemporaryDirectory(async (directory) => {
      const stop = AbortSignal.abort();
      const options = parseGeneratorOptions({
        output: directory,
        seed: 1,
        manifest: join(directory, "m.json"),
      });
      await generateEvents(options, { clock: new ManualClock(), signal: stop, randomSeed: () => 1 });
      const manifest = JSON.parse(await readFile(join(directory, "m.json"), "utf8"));
      expect(manifest).to.deep.include({ complete: false, rows: 0, files: 0, first_file: null });
    });
  });

  it("shows only whole files under a name a pipeline reads", async () => {
    await inTemporaryDirectory(async (directory) => {
      const run = pacedRun(directory, { asFastAsPossible: true, events: 40_000, rowsPerFile: 20_000 });
      let isOver = false;
      const over = run.finished.then(() => {
        isOver = true;
      });
      const seenAside = new Set<string>();
      while (!isOver) {
        // Every file seen at any moment must be whole: recordsOf throws on a part, the sum tells the rest.
        expect((await recordsOf(directory)).length % 20_000).to.equal(0);
        for (const name of await readdir(directory)) if (name.endsWith(".tmp")) seenAside.add(name);
      }
      await over;
      expect((await recordsOf(directory)).length).to.equal(40_000);
      for (const name of seenAside) expect(name).to.match(/^\./);
      expect((await readdir(directory)).filter((name) => name.startsWith("."))).to.deep.equal([]);
    });
  });

  it("logs a line and reports progress for every file", async () => {
    await inTemporaryDirectory(async (directory) => {
      const { clock, metrics, progress, finished, settle } = pacedRun(directory, {
        eventsPerSecond: 10,
        duration: 2,
        malformedRate: 0,
        duplicateRate: 0,
      });
      await settle();
      clock.advance(1000);
      await settle();
      clock.advance(1020);
      const manifest = await finished;
      expect(metrics[1]).to.deep.equal({
        name: "generator",
        runId: manifest.run,
        timestamp: "2025-01-01T00:00:02.020Z",
        batchId: 1,
        batchDuration: 1020,
        numInputRows: 10,
        inputRowsPerSecond: 10,
        processedRowsPerSecond: 9.8,
        file: manifest.last_file,
        unique: 10,
        duplicate: 0,
        malformed: 0,
        malformedByReason: {},
        bytes: manifest.bytes - (metrics[0]?.["bytes"] as number),
        lagMs: 20,
        totalRows: 20,
      });
      expect(progress.at(-1)).to.deep.include({ rows: 20, files: 2, elapsedMs: 2020, lagMs: 20 });
    });
  });
});
