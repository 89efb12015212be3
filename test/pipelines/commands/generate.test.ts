/** What the command prints, logs and returns. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { parseGeneratorOptions, runGenerate } from "../../../pipelines/commands/generate.js";
import { inTemporaryDirectory } from "../../support/generated-files.js";
import { ManualClock } from "../../support/manual-clock.js";

function output(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, write: (text: string) => written.push(text), written };
}

/** Twelve seconds at 10/s; stops at the given second. */
async function run(directory: string, isTTY: boolean, stopAtSecond?: number) {
  const clock = new ManualClock();
  const stop = new AbortController();
  const [stdout, stderr] = [output(isTTY), output(isTTY)];
  const options = parseGeneratorOptions({
    duration: 12,
    output: join(directory, "raw"),
    logDir: join(directory, "logs"),
    start: "2025-01-01",
    malformedRate: 0,
    duplicateRate: 0,
  });
  const exit = runGenerate(options, { stdout, stderr, clock, signal: stop.signal, randomSeed: () => 11 });
  for (let second = 0; second < (stopAtSecond ?? 12); second++) {
    await Promise.race([clock.asleep(), exit]);
    clock.advance(1000);
  }
  if (stopAtSecond !== undefined) {
    await clock.asleep();
    stop.abort();
  }
  return { code: await exit, stdout: stdout.written.join(""), stderr: stderr.written.join("") };
}

const runName = "events-20250101T000000000Z-0000000b";

describe("runGenerate()", () => {
  it("prints seed and start, a plain line every ten seconds, and the summary alone on stdout", async () => {
    await inTemporaryDirectory(async (directory) => {
      const { code, stdout, stderr } = await run(directory, false);
      expect(code).to.equal(0);
      expect(stderr.split("\n")).to.deep.equal([
        `generating 120 events at 10/s into ${join(directory, "raw")} (--seed 11 --start 2025-01-01T00:00:00.000Z)`,
        "90 events (75 %) in 9 files, 9/s, lag 0 ms",
        "",
      ]);
      expect(stdout.split("\n")).to.deep.equal([
        `generated 120 events in 12 files in ${join(directory, "raw")}, 10/s`,
        "  unique     120",
        "  duplicate  0",
        "  malformed  0",
        "  seed 11, start 2025-01-01T00:00:00.000Z",
        `  manifest ${join(directory, "raw", `_${runName}.manifest.json`)}`,
        "",
      ]);
    });
  });

  it("keeps one live line on a terminal", async () => {
    await inTemporaryDirectory(async (directory) => {
      const { stderr } = await run(directory, true);
      const [first, live, end] = stderr.split("\n");
      expect(first).to.match(/^generating 120 events/);
      expect(live?.split("\r")).to.have.length(13);
      expect(live?.endsWith("\r110 events (91 %) in 11 files, 9.2/s, lag 0 ms\x1b[K")).to.equal(true);
      expect(end).to.equal("");
    });
  });

  it("ends in order with exit code 0 when stopped", async () => {
    await inTemporaryDirectory(async (directory) => {
      const { code, stdout } = await run(directory, false, 3);
      expect(code).to.equal(0);
      expect(stdout).to.match(/^stopped after 31 events in 4 files/);
    });
  });

  it("logs a JSON line a file to generator_metrics.log", async () => {
    await inTemporaryDirectory(async (directory) => {
      await run(directory, false);
      const log = await readFile(join(directory, "logs", "generator_metrics.log"), "utf8");
      const files = log
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).file);
      expect(files).to.have.length(12);
      expect(files[11]).to.equal(`${runName}-000000012.csv`);
    });
  });
});
