/** refusePooler() against sessions that answer as PgBouncer does, and as PostgreSQL itself does. */
import { expect } from "chai";
import { PoolerError, refusePooler } from "../../sql/pooler.js";

/** A session whose greeting told `backendPid`; its statements are run by the server processes in turn. */
function session(backendPid: number, serverPids: number[]) {
  let at = 0;
  return {
    backendPid,
    begin: async () => {},
    close: async () => {},
    query: async <Row>() => [{ pid: serverPids[Math.min(at++, serverPids.length - 1)] }] as Row[],
  };
}

async function refused(
  first: ReturnType<typeof session>,
  other: ReturnType<typeof session>,
): Promise<unknown> {
  return refusePooler(first, async () => other).catch((error: unknown) => error);
}

describe("refusePooler()", () => {
  it("takes PostgreSQL itself, without a second connection", async () => {
    const connect = () => Promise.reject(new Error("must not connect"));
    expect(await refusePooler(session(7, [7]), connect)).to.equal(undefined);
  });

  it("takes a pooler that keeps a server process for each session", async () => {
    expect(await refused(session(1, [70]), session(2, [71]))).to.equal(undefined);
  });

  it("refuses a pooler that gives the same server process to another client", async () => {
    expect(await refused(session(1, [70]), session(2, [70]))).to.be.instanceOf(PoolerError);
  });

  it("refuses a pooler that gives the first client another server process", async () => {
    expect(await refused(session(1, [70, 72]), session(2, [71]))).to.be.instanceOf(PoolerError);
  });
});
