/** The format of stored state: what was stored once is read for ever, and what is not known is refused. */
import { expect } from "chai";
import {
  packDelta,
  STATE_FORMAT_VERSION,
  StateFormatError,
  unpackDelta,
} from "../../../runners/engine/durable/delta-format.js";
import { kindsOf, readFixture, runFixture } from "../../support/state-fixture.js";

/**
 * All there were, but `begun`: of sources whose positions are in the database. `combined-key`, of combines that are
 * lifted, came later; the engine's property of restores has it.
 */
const KINDS = [
  ...["bag", "blocked", "cell", "counters", "engine", "group", "group-key", "group-times", "group-values"],
  ...["grouping", "input", "map", "queued", "rest", "side", "side-lag", "side-window", "sorted", "stage"],
  ...["test-stream", "timer", "watermark", "window"],
];

describe("the format of state", () => {
  it("goes on from what format 1 has stored, with the same outputs as a run that was never interrupted", async () => {
    const moments = await readFixture();
    const expected = await runFixture(undefined);
    for (const moment of moments) {
      expect(await runFixture(moment), `from epoch ${moment.epoch}`).to.deep.equal(expected);
    }
  });

  it("has every kind of record in its fixture", async () => {
    const kinds = new Set((await readFixture()).flatMap((moment) => [...kindsOf(moment)]));
    expect([...kinds].sort()).to.deep.equal(KINDS);
  });

  it("gives back what it packed, keys in their order", () => {
    const bytes = (text: string) => new Uint8Array(Buffer.from(text));
    const delta = {
      puts: [
        { key: "timer 1:a", value: bytes("x") },
        { key: "timer 1:a\u{1F600}", value: bytes("") },
        { key: "timer 1:a\u{1F601}", value: bytes("yz") },
      ],
      removed: ["queued 3:abc", "queued 3:abd"],
    };
    expect(unpackDelta(packDelta(delta))).to.deep.equal(delta);
  });

  it("refuses another version, naming both, and bytes that end early or late", () => {
    const packed = packDelta({ puts: [{ key: "a 1:b", value: new Uint8Array(3) }], removed: [] });
    const newer = Uint8Array.from(packed);
    newer[0] = STATE_FORMAT_VERSION + 1;
    expect(() => unpackDelta(newer))
      .to.throw(StateFormatError, "state is stored in format 2, but this program knows format 1")
      .with.property("code", "MILLRACE_STATE_FORMAT");
    expect(() => unpackDelta(packed.subarray(0, -1))).to.throw(/state ends at byte \d+, in the middle/);
    expect(() => unpackDelta(new Uint8Array([...packed, 0]))).to.throw("state goes on behind its end");
  });
});
