/** The local store: what it gives of keys, orders and records, before and after it has written, and opened again. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { open } from "lmdb";
import { LocalStore } from "../../../../runners/direct/local-store/local-store.js";
import { openStore, writeAbout } from "../../../../runners/direct/local-store/open-store.js";
import type { KeyChange, KeyPlaces } from "../../../../runners/engine/durable/cold-keys.js";
import { NO_PLACES } from "../../../../runners/engine/durable/cold-keys.js";
import { placesOf, writeTimers } from "../../../../runners/engine/durable/key-record.js";
import { StateWriter } from "../../../../runners/engine/durable/state-bytes.js";
import { recordKey, type StateDelta, windowKey } from "../../../../runners/engine/durable/state-record.js";
import type { TimerSetting } from "../../../../runners/engine/key-slot.js";
import { type TempStore, tempStore } from "../../../support/temp-store.js";

const ROOT = "Step";
const RUN = "6a3b9c1e-0000-4000-8000-000000000000";
const FIRST = { ms: Number.NEGATIVE_INFINITY, number: 0 };

const timer = (fireAtMs: number, order: number): TimerSetting => ({
  ...{ family: "end", tag: "", order, domain: "event-time", fireAtMs },
  ...{ outputTimestampMs: undefined, holdMs: fireAtMs - 1 },
});

/** A key without cell and state, as its record says. */
function record(timers: readonly TimerSetting[]): Uint8Array {
  const out = new StateWriter().count(0);
  writeTimers(out, timers);
  return out.count(0).count(0).finish();
}

function put(
  windowId: string,
  keyId: string,
  timers: readonly TimerSetting[],
  before = NO_PLACES,
): KeyChange {
  return {
    root: ROOT,
    windowId,
    keyId,
    value: record(timers),
    before,
    after: placesOf(timers, undefined, false),
  };
}

function delta(keys: readonly KeyChange[], rest: Partial<StateDelta> = {}): StateDelta {
  return { puts: [], removed: [], keys, ...rest };
}

describe("LocalStore", () => {
  let temp: TempStore;
  let store: LocalStore;
  let epoch = 0;
  beforeEach(async () => {
    temp = await tempStore();
    store = temp.store;
    epoch = 0;
  });
  afterEach(() => temp.remove());

  /** What is to be closed in the end is another one. */
  const reopened = (again: LocalStore) => {
    const { directory } = temp.place;
    const remove = async () => {
      await again.close();
      rmSync(directory, { recursive: true });
    };
    temp = { ...temp, store: again, remove };
  };
  const apply = (change: StateDelta) => store.apply(change, { runId: RUN, epoch: ++epoch });
  const timersInOrder = () =>
    Array.from(store.inOrder(ROOT, "event-time", FIRST), ({ ms, keyId }) => [ms, keyId]);
  const records = () =>
    store
      .readOn(undefined, Number.POSITIVE_INFINITY)
      .records.map(({ key }) => key)
      .sort();

  it("gives timers of any time in their order, and those of one time by their numbers", () => {
    const times = [5, -3.5, Number.POSITIVE_INFINITY, 0, -9e15, 5, 9e15, -0.25, Number.NEGATIVE_INFINITY];
    apply(delta(times.map((ms, n) => put("w", `k${n}`, [timer(ms, n)]))));
    store.flushNow();
    const expected = times
      .map((ms, n) => [ms, `k${n}`] as const)
      .sort(([a, m], [b, n]) => (a === b ? (m < n ? -1 : 1) : a < b ? -1 : 1));
    expect(timersInOrder()).to.deep.equal(expected);
    const from = { ms: 5, number: 1 };
    expect(Array.from(store.inOrder(ROOT, "event-time", from), ({ keyId }) => keyId)).to.deep.equal([
      "k5",
      "k6",
      "k2",
    ]);
    expect(Array.from(store.inOrder(ROOT, "hold", { ms: 4, number: 0 }), ({ keyId }) => keyId)).to.include(
      "k0",
    );
  });

  it("passes over timers that were removed or set anew, before and after it has written that", () => {
    const before: KeyPlaces = placesOf([timer(5, 0)], undefined, false);
    apply(delta([put("w", "k", [timer(5, 0)]), put("w", "gone", [timer(6, 1)])]));
    store.flushNow();
    const gone = placesOf([timer(6, 1)], undefined, false);
    apply(
      delta([
        put("w", "k", [timer(7, 2)], before),
        { root: ROOT, windowId: "w", keyId: "gone", value: undefined, before: gone, after: NO_PLACES },
      ]),
    );
    expect(timersInOrder()).to.deep.equal([[7, "k"]]);
    expect(store.get(ROOT, "w", "gone")).to.equal(undefined);
    store.flushNow();
    expect(timersInOrder()).to.deep.equal([[7, "k"]]);
    expect(store.get(ROOT, "w", "gone")).to.equal(undefined);
  });

  it("gives what waits and what it has written in one order, each once", () => {
    const first = [timer(10, 0)];
    apply(delta([put("w", "b", first), put("w", "d", [timer(30, 1)])]));
    store.flushNow();
    const before = placesOf(first, undefined, false);
    apply(delta([put("w", "a", [timer(5, 2)]), put("w", "c", [timer(20, 3)])]));
    apply(delta([put("w", "b", first, before), put("w", "e", [timer(40, 4)])]));
    const expected = [
      [5, "a"],
      [10, "b"],
      [20, "c"],
      [30, "d"],
      [40, "e"],
    ];
    expect(timersInOrder()).to.deep.equal(expected);
    store.flushNow();
    expect(timersInOrder()).to.deep.equal(expected);
  });

  it("has keys of any length and any characters, and gives their names back", () => {
    const names = [
      "",
      "é\u{1F600}",
      "\0",
      "x".repeat(1_900),
      "x".repeat(1_901),
      `${"y".repeat(5_000)}1`,
      `${"y".repeat(5_000)}2`,
    ];
    apply(delta(names.map((name, n) => put("w", name, [timer(n, n)]))));
    store.flushNow();
    expect(timersInOrder()).to.deep.equal(names.map((name, n) => [n, name]));
    for (const name of names) expect(store.get(ROOT, "w", name), name.slice(0, 9)).not.to.equal(undefined);
    expect(records()).to.deep.equal(names.map((name) => recordKey("key", ROOT, "w", name)).sort());
    const long = recordKey("group-key", "G".repeat(3_000), "w", "k");
    apply(delta([], { puts: [{ key: long, value: new Uint8Array([1, 2]) }] }));
    store.flushNow();
    expect([...store.restored()]).to.deep.equal([{ key: long, value: Buffer.from([1, 2]) }]);
  });

  it("forgets a window at once, and one of the same name begins anew", () => {
    const spilled = (kind: string, end: string | number) => recordKey(kind, ROOT, "w", 0, "bag", end);
    const parts = [
      { key: spilled("key-bag", 0), value: new Uint8Array([1]) },
      { key: spilled("key-map", "entry"), value: new Uint8Array([2]) },
    ];
    apply(delta([put("w", "old", [timer(5, 0)]), put("v", "other", [timer(6, 1)])], { puts: parts }));
    store.flushNow();
    expect(store.chunk(ROOT, "w", 0, "bag", 0)).to.deep.equal(Buffer.from([1]));
    expect([...store.entries(ROOT, "w", 0, "bag")]).to.deep.equal([
      { mapKeyId: "entry", value: Buffer.from([2]) },
    ]);
    apply(delta([put("w", "new", [timer(7, 2)])], { removedWindows: [windowKey(ROOT, "w")] }));
    const left = [recordKey("key", ROOT, "v", "other"), recordKey("key", ROOT, "w", "new")];
    expect(store.get(ROOT, "w", "old")).to.equal(undefined);
    expect(store.chunk(ROOT, "w", 0, "bag", 0)).to.equal(undefined);
    store.flushNow();
    expect(timersInOrder()).to.deep.equal([
      [6, "other"],
      [7, "new"],
    ]);
    expect(records()).to.deep.equal(left);
  });

  it("reads on where it has ended, piece by piece, over all that it has", () => {
    const keys = Array.from({ length: 50 }, (_, n) => put("w", `k${n}`, [timer(n, n)]));
    const puts = Array.from({ length: 20 }, (_, n) => ({
      key: n % 2 === 0 ? recordKey("window", "A", n) : recordKey("key-bag", ROOT, "w", 3, "s", n),
      value: new Uint8Array(30),
    }));
    apply(delta(keys, { puts }));
    store.flushNow();
    const all: string[] = [];
    let pieces = 0;
    for (let from = store.readOn(undefined, 200); ; from = store.readOn(from.next, 200)) {
      pieces++;
      all.push(...from.records.map(({ key }) => key));
      if (from.next === undefined) break;
    }
    expect(pieces).above(10);
    expect(all.sort()).to.deep.equal(records());
    expect(all).to.have.length(70);
  });

  it("is to be written at some time where the same keys change again and again, and little waits", async () => {
    const small = await tempStore(10_000);
    const put = (n: number) => {
      const value = Buffer.alloc(100, n);
      const change = { root: ROOT, windowId: "w", keyId: "k", value, before: NO_PLACES, after: NO_PLACES };
      small.store.apply(delta([change]), { runId: RUN, epoch: n });
    };
    for (const _again of [1, 2]) {
      let puts = 0;
      for (; puts < 1_000 && !small.store.isFull; puts++) put(puts);
      expect(puts).within(300, 400);
      small.store.flushNow();
      expect(small.store.isFull).to.equal(false);
    }
    await small.remove();
  });

  /** Beside the other one: on a disk with so much room. */
  const storeOn = (free: () => number) => {
    const root = open<Buffer, Buffer>({
      ...{ path: join(temp.place.directory, "full.mdb"), noSubdir: true, maxDbs: 8 },
      ...{ encoding: "binary", keyEncoding: "binary" },
    });
    return new LocalStore(root, { directory: "/small", freeBytes: free });
  };

  it("refuses to write where there may be no room, and has written nothing", async () => {
    let free = 4_300_000;
    const full = storeOn(() => free);
    full.change(delta(Array.from({ length: 500 }, (_, n) => put("w", `k${n}`, [timer(n, n)]))));
    const code = "MILLRACE_STORE_FULL";
    expect(() => full.flushNow())
      .to.throw(
        /^the disk of the local store in \/small has 4300000 bytes left, and to write what waits may take \d+:/,
      )
      .with.property("code", code);
    expect(full.readOn(undefined, 1_000).records).to.deep.equal([]);
    free = 1e9;
    full.flushNow();
    expect(full.readOn(undefined, Number.POSITIVE_INFINITY).records).to.have.length(500);
    await full.close();
  });

  it("refuses to write one value that there may be no room for", async () => {
    let free = 8_000_000;
    const full = storeOn(() => free);
    const puts = [{ key: recordKey("key-bag", ROOT, "w", 0, "s", 0), value: new Uint8Array(6_000_000) }];
    full.change({ puts, removed: [] });
    expect(() => full.flushNow()).to.throw(/has 8000000 bytes left, and to write what waits may take \d+:/);
    free = 11_000_000;
    full.flushNow();
    expect(full.chunk(ROOT, "w", 0, "s", 0)).to.have.length(6_000_000);
    expect(full.bytes).within(6_000_000, 7_000_000);
    await full.close();
  });

  it("is as of its last commit when it is opened again", async () => {
    apply(delta([put("w", "k", [timer(5, 0)])]));
    store.flushNow();
    await writeAbout(temp.place, store);
    apply(delta([put("w", "not written", [])]));
    expect([store.position, store.flushed].map((at) => at?.epoch)).to.deep.equal([2, 1]);
    await store.close();
    store = (await openStore(temp.place)).store!;
    reopened(store);
    expect(store.position).to.deep.equal({ runId: RUN, epoch: 1 });
    expect(timersInOrder()).to.deep.equal([[5, "k"]]);
    expect(records()).to.deep.equal([recordKey("key", ROOT, "w", "k")]);
  });

  it("is whole also when it was opened, and its file made smaller by that, and was told nothing of", async () => {
    const large = Array.from({ length: 20 }, (_, n) => ({
      key: recordKey("queued", "A", n),
      value: new Uint8Array(1_000_000),
    }));
    for (const one of large) {
      apply(delta([], { puts: [one] }));
      store.flushNow();
    }
    await writeAbout(temp.place, store);
    for (let times = 0; times < 3; times++) {
      await store.close();
      const { store: again, why } = await openStore(temp.place);
      expect(why).to.equal(undefined);
      store = again!;
    }
    expect([...store.restored()].map(({ key }) => key)).to.have.members(large.map(({ key }) => key));
    reopened(store);
  });

  it("removes of windows that are gone as much as comes", () => {
    const KEYS_PER_WINDOW = 30_000;
    const sizes = Array.from({ length: 8 }, (_, round) => {
      const keys = Array.from({ length: KEYS_PER_WINDOW }, (_, n) => put(`w${round}`, `key ${n}`, []));
      apply(delta(keys, { removedWindows: [windowKey(ROOT, `w${round - 1}`)] }));
      store.flushNow();
      return store.bytes;
    });
    expect(sizes.at(-1), sizes.join()).to.be.below(1.3 * sizes[3]!);
    expect(records()).to.have.length(KEYS_PER_WINDOW);
  });

  it("forgets the name of a window whose keys have gone one by one", async () => {
    const window = (n: number) => recordKey("key-window", ROOT, `w${n}`);
    for (let n = 0; n < 10; n++) {
      const timers = [timer(n, n)];
      apply(delta([put(`w${n}`, "k", timers)], { puts: [{ key: window(n), value: new Uint8Array(1) }] }));
      if (n % 2 === 0) store.flushNow();
      const before = placesOf(timers, undefined, false);
      const gone = { root: ROOT, windowId: `w${n}`, keyId: "k", value: undefined, before, after: NO_PLACES };
      apply(delta([gone], { removed: [window(n)] }));
    }
    apply(
      delta([put("w3", "again", [timer(5, 20)])], { puts: [{ key: window(3), value: new Uint8Array(1) }] }),
    );
    store.flushNow();
    expect(timersInOrder()).to.deep.equal([[5, "again"]]);
    expect(records()).to.deep.equal([recordKey("key", ROOT, "w3", "again"), window(3)].sort());
    await store.close();
    const root = open<Buffer, Buffer>({
      path: join(temp.place.directory, "state.mdb"),
      noSubdir: true,
      maxDbs: 8,
    });
    const names = root.openDB<Buffer, Buffer>({ name: "windows", encoding: "binary", keyEncoding: "binary" });
    expect(Array.from(names.getKeys({}), String), "the step and its window").to.have.length(2);
    await root.close();
    temp = { ...temp, remove: async () => rmSync(temp.place.directory, { recursive: true }) };
  });

  for (const isWritten of [false, true]) {
    it(`has the timers of a window that a snapshot had already, and that goes and comes again${isWritten ? ", written before" : ""}`, () => {
      const key = (keyId: string) => recordKey("key", ROOT, "w", keyId);
      const window = { key: recordKey("key-window", ROOT, "w"), value: new Uint8Array(1) };
      const again = { key: key("again"), value: record([timer(5, 1)]) };
      store.change({ puts: [window, again], removed: [] });
      if (isWritten) store.flushNow();
      store.change({ puts: [], removed: [key("first"), window.key] });
      store.change({ puts: [window, again], removed: [] });
      const holds = () => Array.from(store.inOrder(ROOT, "hold", FIRST), ({ ms, keyId }) => [ms, keyId]);
      for (let flushes = 0; flushes < 3; flushes++) {
        expect(timersInOrder(), `after ${flushes} flushes`).to.deep.equal([[5, "again"]]);
        expect(holds()).to.deep.equal([[4, "again"]]);
        store.flushNow();
      }
      expect(records()).to.deep.equal([again.key, window.key].sort());
    });
  }

  it("has entries of maps whatever the lengths of their keys and of the state's name", () => {
    for (const stateId of ["s", "s".repeat(100), "s".repeat(1_500)]) {
      const names = [1, 400, 1_800, 1_865, 1_900, 5_000].map((length) => "m".repeat(length));
      const puts = names.map((name) => ({
        key: recordKey("key-map", ROOT, "w", 0, stateId, name),
        value: new Uint8Array([1]),
      }));
      apply(delta([], { puts }));
      store.flushNow();
      const found = Array.from(store.entries(ROOT, "w", 0, stateId), ({ mapKeyId }) => mapKeyId);
      expect(found, `state of ${stateId.length}`).to.have.members(names);
    }
  });
});
