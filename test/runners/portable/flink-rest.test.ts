/** FlinkRest against a server of this process that answers as Flink's does. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "chai";
import { FlinkRest, FlinkRestError } from "../../../runners/portable/flink-rest.js";

const JOB = { jid: "j1", name: "one", state: "RUNNING" };
const OLD = { jid: "j0", name: "one", state: "FINISHED" };

describe("FlinkRest", () => {
  let server: Server;
  let address: string;
  let asked: string[];
  let answers: Record<string, readonly [status: number, body: unknown][]>;

  beforeEach(async () => {
    asked = [];
    answers = { "GET /jobs/overview": [[200, { jobs: [OLD, JOB] }]] };
    server = createServer((request, response) => {
      let body = "";
      request.on("data", (text) => {
        body += text;
      });
      request.on("end", () => {
        const call = `${request.method} ${request.url}`;
        asked.push(`${call} ${body}`.trim());
        const [status, answer] = answers[call]?.[0] ?? [404, { errors: ["Not found."] }];
        if ((answers[call]?.length ?? 0) > 1) answers[call] = answers[call]!.slice(1);
        response.writeHead(status).end(JSON.stringify(answer));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  async function refused(promise: Promise<unknown>): Promise<string> {
    const error = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(FlinkRestError);
    return (error as Error).message.replace(address, "HOST");
  }

  it("cancels what has not ended of that name, restarting or not", async () => {
    const restarting = { jid: "j2", name: "one", state: "RESTARTING" };
    const other = { jid: "j3", name: "other", state: "RUNNING" };
    answers["GET /jobs/overview"] = [
      [200, { jobs: [OLD, restarting, other] }],
      [200, { jobs: [OLD, other] }],
    ];
    answers["PATCH /jobs/j2?mode=cancel"] = [[202, {}]];
    const rest = new FlinkRest(address);
    expect(await rest.cancelLeft("one")).to.equal(true);
    expect(await rest.cancelLeft("one")).to.equal(false);
    expect(asked).to.deep.equal(["GET /jobs/overview", "PATCH /jobs/j2?mode=cancel", "GET /jobs/overview"]);
  });

  it("writes a savepoint of the running job of that name, and tells where it lies", async () => {
    answers["POST /jobs/j1/savepoints"] = [[202, { "request-id": "r1" }]];
    answers["GET /jobs/j1/savepoints/r1"] = [
      [200, { status: { id: "IN_PROGRESS" } }],
      [200, { status: { id: "COMPLETED" }, operation: { location: "file:/s/1" } }],
    ];
    const rest = new FlinkRest(address);
    expect(await rest.whenWritten(await rest.savepoint("one", "/s"))).to.equal("file:/s/1");
    expect(asked).to.deep.equal([
      "GET /jobs/overview",
      'POST /jobs/j1/savepoints {"target-directory":"/s","cancel-job":false}',
      "GET /jobs/j1/savepoints/r1",
      "GET /jobs/j1/savepoints/r1",
    ]);
  });

  it("drains, with Flink's own folder unless one is given", async () => {
    answers["POST /jobs/j1/stop"] = [[202, { "request-id": "r2" }]];
    const rest = new FlinkRest(address);
    expect(await rest.drain("one", undefined)).to.deep.equal({
      endpoint: address,
      jobId: "j1",
      requestId: "r2",
    });
    await rest.drain("one", "/s");
    expect(asked.filter((call) => call.startsWith("POST"))).to.deep.equal([
      'POST /jobs/j1/stop {"drain":true}',
      'POST /jobs/j1/stop {"drain":true,"targetDirectory":"/s"}',
    ]);
  });

  it("gives the last cause of a savepoint that failed", async () => {
    const trace =
      "CompletionException: x\n\tat A.b\nCaused by: y\nCaused by: java.io.IOException: no space\n\tat C.d";
    answers["GET /jobs/j1/savepoints/r"] = [
      [200, { status: { id: "COMPLETED" }, operation: { "failure-cause": { "stack-trace": trace } } }],
    ];
    const trigger = { endpoint: address, jobId: "j1", requestId: "r" };
    expect(await refused(new FlinkRest(address).whenWritten(trigger))).to.equal(
      "Flink's REST API at HOST: the savepoint failed: java.io.IOException: no space",
    );
  });

  it("names a job that is not running there", async () => {
    expect(await refused(new FlinkRest(address).savepoint("two", "/s"))).to.equal(
      `Flink's REST API at HOST: it runs no job named "two"`,
    );
  });

  it("gives Flink's reason for a refusal", async () => {
    answers["POST /jobs/j1/stop"] = [
      [409, { errors: ["Conflict.", "<Exception on server side:\nSome: x\nCaused by: Not now.\n"] }],
    ];
    expect(await refused(new FlinkRest(address).drain("one", undefined))).to.equal(
      "Flink's REST API at HOST: 409 for /jobs/j1/stop: Not now.",
    );
  });

  it("finds the job behind one port of a range", async () => {
    answers["POST /jobs/j1/savepoints"] = [[202, { "request-id": "r" }]];
    const port = Number(address.split(":")[1]);
    const rest = new FlinkRest(`127.0.0.1:${port - 1}-${port}`);
    expect((await rest.savepoint("one", "/s")).endpoint).to.equal(address);
  });

  it("says that nobody is there", async () => {
    expect(await refused(new FlinkRest("127.0.0.1:1").drain("one", undefined))).to.match(
      /^Flink's REST API at 127.0.0.1:1: cannot be reached: /,
    );
  });

  it("refuses an address without a port", () => {
    expect(() => new FlinkRest("flink")).to.throw(
      'flinkRest must be host:port or host:first-last, got "flink"',
    );
  });
});
