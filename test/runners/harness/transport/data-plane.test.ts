/** A worker's data streams: held back, cut, closed. */
import { setTimeout as later } from "node:timers/promises";
import { expect } from "chai";
import { GrpcDataPlane, type InboundChunk } from "../../../../runners/harness/transport/data-plane.js";
import { FakeRunner } from "../support/fake-runner.js";

describe("GrpcDataPlane", () => {
  it("holds the runner back while a bundle reads slowly, and loses nothing", async () => {
    const runner = await FakeRunner.start();
    const data = new GrpcDataPlane("w", { unreadBytesMax: 4 << 20 });
    const chunks = data.receive(runner.endpoint, "1");
    let taken = 0;
    const sending = (async () => {
      for (let i = 0; i < 200; i++) {
        const bytes = Buffer.alloc(1 << 20, i);
        await runner.send("1", {
          transformId: "t",
          timerFamilyId: undefined,
          data: bytes,
          isLast: i === 199,
        });
        taken++;
      }
    })();
    await later(500);
    expect(taken).to.be.lessThan(60); // what lies in the sockets and buffers of both sides besides
    for (let i = 0; i < 200; i++) {
      const [{ data: bytes, isLast }] = (await chunks.next()) as [InboundChunk];
      expect([bytes.length, bytes[0], bytes.at(-1), isLast]).to.deep.equal([1 << 20, i, i, i === 199]);
    }
    await sending;
    data.close();
    runner.kill();
  });
});
