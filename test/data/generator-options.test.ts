/** Which options are accepted, and what the refusal of the others says. */
import { expect } from "chai";
import { GeneratorError } from "../../data/generate/generator-error.js";
import { parseGeneratorOptions } from "../../data/generate/generator-options.js";

function messageOf(raw: unknown): string {
  try {
    parseGeneratorOptions(raw);
  } catch (error) {
    if (error instanceof GeneratorError && error.code === "invalid_options") return error.message;
    throw error;
  }
  throw new Error("accepted");
}

describe("parseGeneratorOptions()", () => {
  it("has a default for everything but seed, start, length and manifest", () => {
    expect(parseGeneratorOptions({})).to.deep.equal({
      eventsPerSecond: 10,
      asFastAsPossible: false,
      output: "data/raw",
      rowsPerFile: 10_000,
      malformedRate: 0.01,
      duplicateRate: 0.02,
      logDir: "logs",
    });
  });

  it("reads numbers as text, and instants with or without an offset", () => {
    const options = parseGeneratorOptions({ eventsPerSecond: "2.5", seed: "7", asFastAsPossible: "true" });
    expect(options).to.deep.include({ eventsPerSecond: 2.5, seed: 7, asFastAsPossible: true });
    const start = (text: string) => parseGeneratorOptions({ start: text }).start;
    expect(start("2025-06-01T12:00:00+02:00")).to.equal("2025-06-01T10:00:00.000Z");
    expect(start("2025-06-01T12:00:00")).to.equal("2025-06-01T12:00:00.000Z");
    expect(start("2025-06-01")).to.equal("2025-06-01T00:00:00.000Z");
  });

  it("changes nothing when it parses its own result", () => {
    const once = parseGeneratorOptions({ start: "2025-06-01", events: "5", duration: "1.5" });
    expect(parseGeneratorOptions(once)).to.deep.equal(once);
  });

  const refused: [object, string][] = [
    [{ eventsPerSecond: 0 }, "eventsPerSecond must be a number from 0.001 to 1000000, got 0"],
    [{ eventsPerSecond: "fast" }, 'eventsPerSecond must be a number from 0.001 to 1000000, got "fast"'],
    [{ eventsPerSecond: "" }, 'eventsPerSecond must be a number from 0.001 to 1000000, got ""'],
    [{ duration: -1 }, "duration must be a number of seconds above 0, got -1"],
    [{ events: 1.5 }, "events must be a whole number from 1 to 999999999, got 1.5"],
    [{ rowsPerFile: 0 }, "rowsPerFile must be a whole number from 1 to 10000000, got 0"],
    [{ malformedRate: 1.1 }, "malformedRate must be a number from 0 to 1, got 1.1"],
    [
      { malformedRate: 0.6, duplicateRate: 0.5 },
      "malformedRate and duplicateRate must together be at most 1, got 0.6 and 0.5",
    ],
    [
      { malformedRate: 0.99 },
      "malformedRate and duplicateRate must together be at most 1, got 0.99 and 0.02",
    ],
    [{ seed: 2 ** 32 }, "seed must be a whole number from 0 to 4294967295, got 4294967296"],
    [
      { start: "2025-02-30" },
      'start must be a date and time in ISO 8601 from year 0001 on, such as 2025-01-01T00:00:00Z, got "2025-02-30"',
    ],
    [
      { start: "0000-01-01" },
      'start must be a date and time in ISO 8601 from year 0001 on, such as 2025-01-01T00:00:00Z, got "0000-01-01"',
    ],
    [{ output: "" }, 'output must be the path of a directory, got ""'],
    [
      { manifest: "data/raw/manifest.csv" },
      'manifest must be a path that does not end in .csv or .csv.gz, or a pipeline would read it, got "data/raw/manifest.csv"',
    ],
    [{ asFastAsPossible: "yes" }, 'asFastAsPossible must be true or false, got "yes"'],
    [{ colour: "red" }, "colour must be an option of the generator"],
  ];
  for (const [raw, message] of refused) {
    it(`refuses ${JSON.stringify(raw)}`, () => {
      expect(messageOf(raw)).to.equal(message);
    });
  }

  it("names every wrong option", () => {
    expect(messageOf({ seed: -1, events: 0 }).split("\n")).to.deep.equal([
      "events must be a whole number from 1 to 999999999, got 0",
      "seed must be a whole number from 0 to 4294967295, got -1",
    ]);
  });
});
