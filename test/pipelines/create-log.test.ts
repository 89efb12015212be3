/** createLog(): its three styles, its levels, and no secret in any of them. */
import { expect } from "chai";
import { createLog, type LogOptions } from "../../pipelines/reporting/create-log.js";

const now = () => new Date("2026-01-31T12:00:00.000Z");

async function written(over: Partial<LogOptions>, say: (log: Awaited<ReturnType<typeof createLog>>) => void) {
  let text = "";
  const write = (part: string) => {
    text += part;
  };
  say(await createLog({ level: "info", style: "plain", now, write, ...over }));
  return text;
}

describe("createLog()", () => {
  it("writes full lines where there is no terminal", async () => {
    const text = await written({}, (log) => {
      log.debug("hidden");
      log.info("started", { pid: 7, input: "data raw", files: ["a"] });
      log.error("failed");
    });
    expect(text).to.equal(
      '2026-01-31T12:00:00.000Z info  started pid=7 input="data raw" files=["a"]\n2026-01-31T12:00:00.000Z error failed\n',
    );
  });

  it("writes short lines on a terminal", async () => {
    const text = await written({ style: "terminal" }, (log) => {
      log.info("started");
      log.warn("slow", { ms: 3 });
    });
    expect(text).to.match(/^\d\d:00:00 started\n\d\d:00:00 warn: slow ms=3\n$/);
  });

  it("writes pino's JSON under --json", async () => {
    const text = await written({ style: "json" }, (log) => log.warn("slow", { ms: 3, password: "canary-5" }));
    expect(JSON.parse(text)).to.deep.equal({
      level: "warn",
      time: "2026-01-31T12:00:00.000Z",
      ms: 3,
      password: "***",
      msg: "slow",
    });
  });

  for (const style of ["plain", "terminal", "json"] as const) {
    it(`shows no password in style ${style}`, async () => {
      const text = await written({ style, level: "debug" }, (log) => {
        log.info("to postgres://ann:canary-6@db/x", { url: "postgres://ann:canary-6@db/x" });
        log.error("failed", { error: new Error("password=canary-6 refused") });
        log.info("facts", { password: "canary-6", connection: { password: "canary-6" } });
      });
      expect(text).to.include("***");
      expect(text).to.not.include("canary");
    });

    it(`shows a stack at level debug only in style ${style}`, async () => {
      const fail = (log: Awaited<ReturnType<typeof createLog>>) =>
        log.error("failed", { error: new Error("why") });
      expect(await written({ style }, fail))
        .to.include("why")
        .and.to.not.include("create-log.test");
      expect(await written({ style, level: "debug" }, fail)).to.include("create-log.test");
    });
  }

  it("lets no message forge a line", async () => {
    expect(await written({}, (log) => log.warn("a\r\n2026 error b\x1b[2J"))).to.equal(
      "2026-01-31T12:00:00.000Z warn  a | 2026 error b [2J\n",
    );
  });
});
