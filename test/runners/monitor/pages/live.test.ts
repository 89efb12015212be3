/** How the pages read what comes live: cutting the stream, and keeping it open. */
import { expect } from "chai";
import fc from "fast-check";
import { type Connection, readEvents } from "../../../../runners/monitor/pages/live/event-stream.js";
import {
  eventCharactersMax,
  type ServerEvent,
  SseParser,
} from "../../../../runners/monitor/pages/live/sse-parser.js";

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
