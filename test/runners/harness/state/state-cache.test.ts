/** StateCache: what is kept, what it costs, what goes first. */
import { expect } from "chai";
import { StateCache } from "../../../../runners/harness/state/state-cache.js";

const bytes = (text: string) => Buffer.from(text);
const textOf = (kept: Uint8Array | undefined) => kept && Buffer.from(kept).toString();

describe("StateCache", () => {
  it("keeps copies, appends to what it has, and nothing to what it has not", () => {
    const cache = new StateCache();
    const message = bytes("abc");
    cache.set("1", message);
    message.fill("x");
    cache.append("1", bytes("de"));
    cache.append("1", bytes("f"));
    cache.append("2", bytes("lost"));
    expect([textOf(cache.get("1")), cache.get("2")]).to.deep.equal(["abcdef", undefined]);
    cache.set("1", new Uint8Array());
    expect(textOf(cache.get("1"))).to.equal("");
    cache.delete("1");
    expect([cache.get("1"), cache.bytes]).to.deep.equal([undefined, 0]);
  });

  it("of 100,000 keys keeps the last used ones within its bytes", () => {
    const bytesMax = 1 << 20;
    const cache = new StateCache(bytesMax);
    let most = 0;
    for (let n = 0; n < 100_000; n++) {
      cache.set(`key ${n}`, bytes("x".repeat(100)));
      cache.get("key 0");
      most = Math.max(most, cache.bytes);
    }
    expect(most).to.be.at.most(bytesMax);
    expect(cache.bytes).to.be.above(bytesMax - 1_000);
    expect(textOf(cache.get("key 0"))).to.equal("x".repeat(100));
    expect([cache.get("key 1"), textOf(cache.get("key 99999"))?.length]).to.deep.equal([undefined, 100]);
  });

  it("what is larger than the whole cache is not kept, and drives nothing out", () => {
    const cache = new StateCache(10_000);
    cache.set("small", bytes("s"));
    cache.set("large", new Uint8Array(10_001));
    cache.set("growing", new Uint8Array(5_000));
    cache.append("growing", new Uint8Array(5_000));
    expect([textOf(cache.get("small")), cache.get("large"), cache.get("growing")]).to.deep.equal([
      "s",
      undefined,
      undefined,
    ]);
  });

  it("a cache of 0 bytes keeps nothing", () => {
    const cache = new StateCache(0);
    cache.set("1", new Uint8Array());
    expect([cache.get("1"), cache.bytes]).to.deep.equal([undefined, 0]);
  });
});
