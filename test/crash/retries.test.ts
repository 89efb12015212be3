/** `kill -9` while dead letters are tried again: each request is answered once, with its commit, or still pending. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect } from "chai";
import { SqlSession } from "../../sql/sql-session.js";
import { FAILPOINTS } from "../../transforms/primitives/failpoint.js";
import { expectBalance } from "../support/letter-balance.js";
import {
  createWorkspace,
  migrateWorkspace,
  PipelineProcess,
  runOnce,
  type Workspace,
} from "../support/pipeline-process.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";

const HEADER = "event_id,user_id,event_type,product_id,price,event_timestamp";
/** Of which every 25th is malformed: two epochs with letters, and with those that are left over more. */
const RECORDS_PER_FILE = 1_000;
const MALFORMED_EVERY = 25;

/** Letters with an even id are edited into events, the others are rejected as often as they are tried. */
const REQUEST = `
update dead_letters set retry_requested_at = now(), retry_requested_by = 'test',
  retry_raw = case when id % 2 = 0
    then convert_to(replace(convert_from(raw, 'UTF8'), 'much', '2.00'), 'UTF8') end
where retry_requested_at is null and (retry_outcome is null or retry_outcome = 'rejected')
returning id`;

describe("crash: kill -9 of a run that tries dead letters again", function () {
  this.timeout(300_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  let workspace: Workspace;
  let session: SqlSession;

  beforeEach(async () => {
    workspace = await createWorkspace();
    await migrateWorkspace(workspace);
    await mkdir(workspace.inputDir, { recursive: true });
    session = await SqlSession.connect({
      connection: workspace.connection,
      applicationName: "millrace/test",
    });
  });
  afterEach(async () => {
    await session.close();
    await workspace.remove();
  });

  async function writeInput(name: string): Promise<void> {
    const records = Array.from({ length: RECORDS_PER_FILE }, (_, n) => {
      const price = n % MALFORMED_EVERY === 0 ? "much" : "1.00";
      return `${name}-${n},u,view,p,${price},2026-01-01T10:00:00Z\n`;
    });
    await writeFile(path.join(workspace.inputDir, `${name}.csv`), [`${HEADER}\n`, ...records].join(""));
  }

  async function expectBalanceNow(): Promise<void> {
    await session.query("begin transaction isolation level repeatable read read only");
    await expectBalance(session);
    await session.query("commit");
  }

  it(`at every failpoint: each request once (MILLRACE_SEED=${seed})`, async () => {
    await writeInput("first");
    await runOnce(workspace);
    const requests = new Map<number, number>();
    for (const name of choice.shuffled(FAILPOINTS)) {
      await writeInput(name);
      for (const { id } of await session.query<{ id: number }>(REQUEST))
        requests.set(id, (requests.get(id) ?? 0) + 1);
      const env = { MILLRACE_FAILPOINT: `${name}:${choice.between(1, 2)}` };
      const child = new PipelineProcess(workspace, { flags: ["--once"], env });
      const exit = await child.exited;
      expect(exit, `${env.MILLRACE_FAILPOINT}\n${child.log}`).deep.equal({ code: null, signal: "SIGKILL" });
      await expectBalanceNow();
    }
    await runOnce(workspace);
    await runOnce(workspace);
    await expectBalanceNow();
    const letters = await session.query<{ id: number; outcome: string | null; attempts: number }>(
      "select id, retry_outcome as outcome, retry_attempts as attempts from dead_letters order by id",
    );
    expect(letters).to.have.length(((FAILPOINTS.length + 1) * RECORDS_PER_FILE) / MALFORMED_EVERY);
    for (const { id, outcome, attempts } of letters) {
      expect(attempts, `attempts of letter ${id}`).to.equal(requests.get(id) ?? 0);
      const expected = id % 2 === 0 ? "written" : "rejected";
      expect(outcome, `outcome of letter ${id}`).to.equal(requests.has(id) ? expected : null);
    }
    const [pending] = await session.query(
      "select count(*) as n from dead_letters where retry_requested_at is not null",
    );
    expect(pending).to.deep.equal({ n: 0 });
  });
});
