/** The format of stored state: what was stored once is read for ever, and what is not known is refused. */
import { expect } from "chai";
import {
  packDelta,
  STATE_FORMAT_VERSION,
  StateFormatError,
  unpackDelta,
} from "../../../runners/engine/durable/delta-format.js";
import { kindsOf, readFixture, runFixture } from "../../support/state-fixture.js";
import { tempStore } from "../../support/temp-store.js";

/** All there are but `begun`: of sources whose positions are in the database. */
const KINDS = [
  ...["blocked", "counters", "engine", "group", "group-key", "group-times", "group-values", "grouping"],
  ...["input", "queued", "rest", "side", "side-lag", "side-window", "sorted", "stage", "test-stream"],
  "watermark",
];
/** By version of the format: how it keeps keys of stateful steps, and what it was the first to have. */
const KEY_KINDS = {
  1: ["bag", "cell", "map", "timer", "window"],
  2: ["combined-key", "key", "key-bag", "key-map", "key-window", "keyed"],
};

describe("the format of state", () => {
  for (const [version, keyKinds] of Object.entries(KEY_KINDS)) {
    it(`goes on from what format ${version} has stored, with the same outputs as a run that was never interrupted`, async () => {
      const moments = await readFixture(Number(version));
      const expected = await runFixture(undefined, Number(version));
      for (const moment of moments) {
        expect(await runFixture(moment, Number(version)), `from epoch ${moment.epoch}`).to.deep.equal(
          expected,
        );
      }
    });

    it(`goes on from what format ${version} has stored with its keys in a local store`, async () => {
      const expected = await runFixture(undefined, Number(version));
      for (const moment of await readFixture(Number(version))) {
        const { store, remove } = await tempStore();
        try {
          const lines = await runFixture(moment, Number(version), undefined, store);
          expect(lines, `from epoch ${moment.epoch}`).to.deep.equal(expected);
        } finally {
          await remove();
        }
      }
    });

    it(`has every kind of record of format ${version} in its fixture`, async () => {
      const moments = await readFixture(Number(version));
      const kinds = new Set(moments.flatMap((moment) => [...kindsOf(moment)]));
      expect([...kinds].sort()).to.deep.equal([...KINDS, ...keyKinds].sort());
    });
  }

  it("gives back what it packed, keys in their order", () => {
    const bytes = (text: string) => new Uint8Array(Buffer.from(text));
    const delta = {
      puts: [
        { key: "timer 1:a", value: bytes("x") },
        { key: "timer 1:a\u{1F600}", value: bytes("") },
        { key: "timer 1:a\u{1F601}", value: bytes("yz") },
      ],
      removed: ["queued 3:abc", "queued 3:abd"],
      removedWindows: ["4:Keep2:w1", "4:Keep2:w2"],
    };
    expect(unpackDelta(packDelta(delta))).to.deep.equal({ version: 2, ...delta });
  });

  it("refuses another version, naming both, and bytes that end early or late", () => {
    const packed = packDelta({ puts: [{ key: "a 1:b", value: new Uint8Array(3) }], removed: [] });
    const newer = Uint8Array.from(packed);
    newer[0] = STATE_FORMAT_VERSION + 1;
    expect(() => unpackDelta(newer))
      .to.throw(StateFormatError, "state is stored in format 3, but this program knows format 2")
      .with.property("code", "MILLRACE_STATE_FORMAT");
    expect(() => unpackDelta(packed.subarray(0, -1))).to.throw(/state ends at byte \d+, in the middle/);
    expect(() => unpackDelta(new Uint8Array([...packed, 0]))).to.throw("state goes on behind its end");
  });
});
