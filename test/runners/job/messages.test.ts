/** The messages of a job, for readers that come early, late, or read slowly. */
import { expect } from "chai";
import { type JobMessage, MessageLog } from "../../../runners/job/messages.js";

async function all(messages: AsyncIterable<JobMessage>): Promise<string[]> {
  const read: string[] = [];
  for await (const message of messages) {
    read.push(message.kind === "state" ? message.state : `${message.level}: ${message.message}`);
  }
  return read;
}

describe("MessageLog", () => {
  it("gives a reader what was before it and what follows, until the end", async () => {
    const log = new MessageLog(() => 7);
    log.state("STARTING");
    const reading = all(log.read());
    await Promise.resolve();
    log.log("info", "hello", { who: "you" });
    log.state("DONE");
    log.close();
    expect(await reading).to.deep.equal(["STARTING", "info: hello", "DONE"]);
    expect(await all(log.read())).to.deep.equal(["STARTING", "info: hello", "DONE"]);
  });

  it("says when, and what the message is about", async () => {
    const log = new MessageLog(() => 7);
    log.log("warn", "slow", { ms: 3 });
    log.close();
    const { value } = await log.read().next();
    expect(value).to.deep.equal({ kind: "log", timeMs: 7, level: "warn", message: "slow", facts: { ms: 3 } });
  });

  it("keeps 1,000 messages, and tells a reader how many it has missed", async () => {
    const log = new MessageLog(() => 0);
    const reader = log.read();
    log.log("info", "0");
    expect((await reader.next()).value).to.include({ message: "0" });
    for (let n = 1; n <= 1_010; n++) log.log("info", String(n));
    log.close();
    const rest = await all(reader);
    expect(rest).to.have.length(1_001);
    expect(rest.slice(0, 2)).to.deep.equal(["warn: 10 earlier messages are not kept any more", "info: 11"]);
    expect(rest.at(-1)).to.equal("info: 1010");
  });
});
