/** How the pages read what comes live: cutting the stream, and keeping it open. */
import { expect } from "chai";
import fc from "fast-check";
import { forget, inTurn } from "../../../../runners/monitor/pages/charts/in-turn.js";
import { type Connection, readEvents } from "../../../../runners/monitor/pages/live/event-stream.js";
import {
  eventCharactersMax,
  type ServerEvent,
  SseParser,
} from "../../../../runners/monitor/pages/live/sse-parser.js";
import { isUnchanged, keptParts } from "../../../../runners/monitor/pages/live/unchanged.js";

const text =
  '\uFEFF: a comment\nevent: overview\ndata: {"a":1}\n\ndata: one\r\ndata:two\r\n\r\nid: 7\n\nevent: graph\rdata:  x\r\rdata\n\nevent: lost\ndata: no end';
const events: ServerEvent[] = [
  { name: "overview", data: '{"a":1}' },
  { name: "message", data: "one\ntwo" },
  { name: "graph", data: " x" },
  { name: "message", data: "" },
];

describe("SseParser", () => {
  it("cuts events at empty lines of every kind, joins data lines, passes over comments and what has no data", () => {
    expect(new SseParser().push(text)).to.deep.equal(events);
  });

  it("finds the same events wherever the network cuts", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        const parser = new SseParser();
        const borders = [0, ...cuts.sort((a, b) => a - b), text.length];
        const found = borders.slice(1).flatMap((end, index) => parser.push(text.slice(borders[index], end)));
        expect(found).to.deep.equal(events);
      }),
    );
  });

  it("names its limit when an event has no end", () => {
    const parser = new SseParser();
    expect(() => parser.push("x".repeat(eventCharactersMax + 1))).to.throw(
      RangeError,
      `An event may have ${eventCharactersMax} characters`,
    );
  });
});

describe("readEvents()", () => {
  it("connects again after an end, an error and a bad status, and waits longer each time", async () => {
    const stop = new AbortController();
    const waited: number[] = [];
    const connections: Connection[] = [];
    const seen: string[] = [];
    const answers = [
      () => new Response("data: 1\n\n"),
      () => {
        throw new TypeError("Failed to fetch");
      },
      () => new Response("no", { status: 503 }),
      () => new Response("data: 2\n\n"),
    ];
    await readEvents(
      {
        url: "/api/events",
        headers: { authorization: "Bearer t" },
        onEvent: ({ data }) => seen.push(data),
        onConnection: (connection) => connections.push(connection),
        now: () => 1_000,
        random: () => 1,
        delay: async (ms) => {
          waited.push(ms);
          if (answers.length === 0) stop.abort();
        },
        fetch: async (_url, init) => {
          expect(init?.headers).to.deep.equal({ authorization: "Bearer t" });
          const answer = answers.shift();
          if (answer === undefined) throw new Error("one connection too many");
          return answer();
        },
      },
      stop.signal,
    );
    expect(seen).to.deep.equal(["1", "2"]);
    // what was heard begins the waiting anew
    expect(waited).to.deep.equal([500, 1_000, 2_000, 500]);
    expect(
      connections.map((connection) => ("reason" in connection ? connection.reason : connection.state)),
    ).to.deep.equal([
      "live",
      "The server ended the stream",
      "Failed to fetch",
      "The server answered 503",
      "live",
      "The server ended the stream",
    ]);
  });

  it("says since when its figures are stale: since something came last", async () => {
    const stop = new AbortController();
    let clock = 5_000;
    const lost: Connection[] = [];
    await readEvents(
      {
        url: "/api/events",
        headers: {},
        onEvent: () => undefined,
        onConnection: (connection) => lost.push(connection),
        now: () => clock,
        delay: async () => {
          clock += 60_000;
          if (lost.length > 2) stop.abort();
        },
        fetch: async () => {
          if (lost.length > 0) throw new Error("gone");
          return new Response(": hello\n\n");
        },
      },
      stop.signal,
    );
    expect(lost.filter(({ state }) => state === "lost")).to.deep.equal([
      { state: "lost", reason: "The server ended the stream", sinceMs: 5_000, status: null },
      { state: "lost", reason: "gone", sinceMs: 5_000, status: null },
    ]);
  });
});

describe("keptParts()", () => {
  it("gives the new value, and every part that is as it was is the very one of before", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        const parsed = <Json>(value: Json) => JSON.parse(JSON.stringify(value)) as Json;
        const before = parsed({ one, other, list: [one, { other }] });
        const after = { one: other, other, list: [other, { other }] };
        const kept = keptParts(before, parsed(after));
        expect(kept).to.deep.equal(parsed(after));
        expect(kept.other).to.equal(before.other);
        expect(kept.list[1]).to.equal(before.list[1]);
        expect(keptParts(kept, parsed(after))).to.equal(kept);
      }),
    );
  });

  it("takes names away, adds them, and takes null, lists and objects for different", () => {
    const before = { a: { b: 1 }, c: [1, 2], d: null };
    for (const after of [
      { a: { b: 1 } },
      { a: [], c: { 0: 1, 1: 2 }, d: {} },
      { a: null, c: [1], d: null, e: 1 },
    ]) {
      expect(keptParts<unknown>(before, structuredClone(after))).to.deep.equal(after);
    }
  });
});

describe("isUnchanged()", () => {
  it("looks at the parts of a list or an object, and no deeper", () => {
    const part = { a: 1 };
    expect(isUnchanged({ part, n: 1 }, { part, n: 1 })).to.equal(true);
    expect(isUnchanged([part], [part])).to.equal(true);
    expect(isUnchanged({ part }, { part: { a: 1 } })).to.equal(false);
    expect(isUnchanged({ part }, { part, n: undefined })).to.equal(false);
    expect(isUnchanged({ n: undefined }, { m: undefined })).to.equal(false);
    expect(isUnchanged([], {})).to.equal(false);
    expect(isUnchanged(null, {})).to.equal(false);
  });
});

describe("inTurn()", () => {
  const frames: (() => void)[] = [];
  const real = globalThis.requestAnimationFrame;

  before(() => {
    globalThis.requestAnimationFrame = (callback) => frames.push(() => callback(0));
  });

  after(() => {
    globalThis.requestAnimationFrame = real;
  });

  /** The frames that are asked for until nothing waits any more, with what each drew. */
  async function drawn(log: string[]): Promise<string[][]> {
    const portions: string[][] = [];
    for (;;) {
      const frame = frames.shift();
      if (frame === undefined) return portions;
      frame();
      await new Promise((resolve) => setImmediate(resolve));
      portions.push(log.splice(0));
    }
  }

  const busy = (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  };

  it("draws what waits in its order: small drawings together, a long one and a change of the page alone", async () => {
    const log: string[] = [];
    const owners = ["a", "b", "c", "long", "d", "page", "e"].map((name) => ({ name }));
    for (const owner of owners) {
      inTurn(owner, owner.name === "page" ? "document" : "canvas", () => {
        log.push(owner.name);
        // as uPlot does: the work itself is behind the job
        if (owner.name === "long") queueMicrotask(() => busy(5));
      });
    }
    forget(owners[0] ?? expect.fail());
    inTurn(owners[1] ?? expect.fail(), "canvas", () => log.push("b anew"));
    const portions = await drawn(log);
    expect(portions.flat()).to.deep.equal(["b anew", "c", "long", "d", "page", "e"]);
    expect(portions.find((portion) => portion.includes("long"))?.at(-1)).to.equal("long");
    expect(portions.find((portion) => portion.includes("page"))?.at(-1)).to.equal("page");
  });

  it("goes on after a job that failed, and takes a job that another one puts in", async () => {
    const log: string[] = [];
    inTurn({}, "canvas", () => {
      inTurn({}, "canvas", () => log.push("after"));
      throw new Error("broken");
    });
    const frame = frames.shift() ?? expect.fail();
    expect(frame).to.throw("broken");
    await new Promise((resolve) => setImmediate(resolve));
    expect([...log.splice(0), ...(await drawn(log)).flat()]).to.deep.equal(["after"]);
    inTurn({}, "canvas", () => log.push("later"));
    expect((await drawn(log)).flat()).to.deep.equal(["later"]);
  });
});
