/** CachingChannel: what of a bundle's reads and writes the next bundles have without asking. */
import "../../../../transforms/primitives/beam.js";
import { type ProcessBundleRequest, StateKey } from "apache-beam/proto/beam_fn_api";
import { expect } from "chai";
import { CachingChannel } from "../../../../runners/harness/state/caching-channel.js";
import { StateCache } from "../../../../runners/harness/state/state-cache.js";
import type { StateChannel } from "../../../../runners/harness/state/state-channel.js";
import { textOf } from "../support/fake-runner.js";

type Tokens = ProcessBundleRequest["cacheTokens"];

const user = (token: string): Tokens => [
  { type: { oneofKind: "userState", userState: {} }, token: Buffer.from(token) },
];
const side = (token: string, sideInputId: string): Tokens => [
  {
    type: { oneofKind: "sideInput", sideInput: { transformId: "t", sideInputId } },
    token: Buffer.from(token),
  },
];
const none = new Uint8Array();
const bag = (key: string): StateKey =>
  StateKey.create({
    type: {
      oneofKind: "bagUserState",
      bagUserState: { transformId: "t", userStateId: "s", window: none, key: Buffer.from(key) },
    },
  });
const whole = (sideInputId: string): StateKey =>
  StateKey.create({
    type: {
      oneofKind: "iterableSideInput",
      iterableSideInput: { transformId: "t", sideInputId, window: none },
    },
  });

/** What a runner keeps; answers when the test lets it. */
class Runner implements StateChannel {
  readonly bags = new Map<string, string>();
  readonly asked: string[] = [];
  fails = false;
  wait: Promise<void> = Promise.resolve();

  async get(_: string, key: StateKey): Promise<Uint8Array> {
    this.asked.push("get");
    const now = this.bags.get(textOf(key)) ?? "";
    await this.wait;
    return Buffer.from(now);
  }

  async append(_: string, key: StateKey, data: Uint8Array): Promise<void> {
    this.asked.push("append");
    await this.wait;
    if (this.fails) throw new Error("the backend is away");
    this.bags.set(textOf(key), (this.bags.get(textOf(key)) ?? "") + Buffer.from(data).toString());
  }

  async clear(_: string, key: StateKey): Promise<void> {
    this.asked.push("clear");
    this.bags.delete(textOf(key));
  }
}

describe("CachingChannel", () => {
  let runner: Runner;
  let cache: StateCache;
  let channel: CachingChannel;

  beforeEach(() => {
    runner = new Runner();
    cache = new StateCache();
    channel = new CachingChannel(runner, cache);
  });

  const read = async (key: StateKey, from = channel) => Buffer.from(await from.get("1", key)).toString();
  const append = (key: StateKey, text: string) => channel.append("1", key, Buffer.from(text));

  it("asks once for a key while the token is the same, from all processors, and again when it is another", async () => {
    runner.bags.set(textOf(bag("a")), "1");
    for (let bundle = 0; bundle < 3; bundle++) {
      channel.begin(user("t1"));
      expect([await read(bag("a")), await read(bag("b"))]).to.deep.equal(["1", ""]);
    }
    const other = new CachingChannel(runner, cache);
    other.begin(user("t1"));
    expect(await read(bag("a"), other)).to.equal("1");
    expect(runner.asked).to.deep.equal(["get", "get"]);
    runner.bags.set(textOf(bag("a")), "2");
    channel.begin(user("t2"));
    expect(await read(bag("a"))).to.equal("2");
    expect(runner.asked.length).to.equal(3);
  });

  it("without a token for it keeps nothing", async () => {
    for (const tokens of [[], side("t1", "other")]) {
      runner.asked.length = 0;
      for (let bundle = 0; bundle < 2; bundle++) {
        channel.begin(tokens);
        await read(bag("a"));
        await read(whole("words"));
        await append(bag("a"), "x");
        channel.commit();
      }
      expect(runner.asked).to.deep.equal(["get", "get", "append", "get", "get", "append"]);
    }
    expect(cache.bytes).to.equal(0);
  });

  it("keeps side inputs each by its own token", async () => {
    runner.bags.set(textOf(whole("words")), "w");
    channel.begin([...side("t1", "words"), ...side("t1", "numbers")]);
    expect([await read(whole("words")), await read(whole("numbers"))]).to.deep.equal(["w", ""]);
    runner.bags.set(textOf(whole("words")), "v");
    channel.begin([...side("t1", "words"), ...side("t2", "numbers")]);
    expect([await read(whole("words")), await read(whole("numbers"))]).to.deep.equal(["w", ""]);
    expect(runner.asked.length).to.equal(3);
  });

  it("has what a bundle has written, when all of it is acknowledged", async () => {
    channel.begin(user("t1"));
    await read(bag("a"));
    await append(bag("a"), "1");
    await channel.clear("1", bag("b"));
    await append(bag("b"), "2");
    await append(bag("unread"), "3");
    channel.commit();
    channel.begin(user("t1"));
    runner.asked.length = 0;
    expect([await read(bag("a")), await read(bag("b"))]).to.deep.equal(["1", "2"]);
    expect(runner.asked).to.deep.equal([]);
    expect(await read(bag("unread"))).to.equal("3");
    expect(runner.asked).to.deep.equal(["get"]);
  });

  it("a bundle that fails leaves nothing of what it has written, whether before its writes are acknowledged or behind them", async () => {
    for (const isCommitted of [false, true]) {
      cache = new StateCache();
      channel = new CachingChannel(runner, cache);
      channel.begin(user("t1"));
      await read(bag("a"));
      await append(bag("a"), "x");
      if (isCommitted) channel.commit();
      channel.discard();
      runner.bags.set(textOf(bag("a")), "rolled back");
      const next = new CachingChannel(runner, cache);
      next.begin(user("t1"));
      expect(await read(bag("a"), next)).to.equal("rolled back");
    }
  });

  it("does not keep an answer that comes when its bundle is over, or has written meanwhile", async () => {
    let go: () => void = () => undefined;
    runner.wait = new Promise((resolve) => {
      go = resolve;
    });
    channel.begin(user("t1"));
    const late = read(bag("a"));
    const overtaken = read(bag("b"));
    const appended = append(bag("b"), "x");
    channel.discard();
    go();
    await Promise.all([late, overtaken, appended]);
    expect(cache.bytes).to.equal(0);
  });
});
