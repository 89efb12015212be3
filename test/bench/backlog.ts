/** A backlog of files from launch to exit, next to psql's staged COPY of the same rows into the same table. */
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SqlSession } from "../../sql/sql-session.js";
import type { FreshDatabase } from "../support/postgres.js";
import { type BenchData, COLUMNS } from "./bench-data.js";
import { type BenchServer, withSession } from "./bench-server.js";
import { pipelineCommand } from "./pipeline-command.js";
import { type Measurement, measure } from "./process-meter.js";
import { median, printTable, share } from "./report.js";

const RUN_TIMEOUT_MS = 15 * 60_000;
const LIST = COLUMNS.join(", ");
const STAGE = `create temporary table stage on commit delete rows as select ${LIST} from user_events limit 0;`;

type Contender = "copy" | "millrace";

export interface BacklogRun extends Measurement {
  readonly contender: Contender;
  readonly pair: number;
  readonly rowsPerS: number;
  /** What is wrong with the result; empty when all is right. */
  readonly wrong: readonly string[];
}

export interface BacklogResult {
  readonly rows: number;
  readonly runs: readonly BacklogRun[];
  /** Ours to COPY's, in rows a second; the median of the pairs. */
  readonly rateRatio: number;
}

/** @throws when a run fails, or psql is not there. */
export async function measureBacklog(
  server: BenchServer,
  data: BenchData,
  pairs: number,
): Promise<BacklogResult> {
  requirePsql();
  const runs: BacklogRun[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const order: Contender[] = pair % 2 === 0 ? ["copy", "millrace"] : ["millrace", "copy"];
    for (const contender of order) {
      const run = await runOnce(server, data, contender, pair);
      runs.push(run);
      process.stderr.write(
        `pair ${pair + 1} ${contender}: ${run.wallS.toFixed(2)} s, own ${run.cpuS.toFixed(2)} s CPU, ` +
          `foreign ${share(run.foreignShare)} ${run.wrong.join("; ")}\n`,
      );
    }
  }
  return { rows: data.rows, runs, rateRatio: median(ratios(runs, pairs)) };
}

export function printBacklog({ rows, runs, rateRatio }: BacklogResult): void {
  printTable(
    `Backlog of ${rows} records`,
    [
      "run",
      "pair",
      "wall s",
      "rows/s",
      "own CPU s",
      "of it user",
      "PG CPU s",
      "peak RSS MB",
      "foreign CPU",
      "result",
    ],
    runs.map((run) => [
      run.contender,
      String(run.pair + 1),
      run.wallS.toFixed(2),
      run.rowsPerS.toFixed(0),
      run.cpuS.toFixed(2),
      run.userS.toFixed(2),
      run.postgresCpuS.toFixed(2),
      run.peakRssMb.toFixed(0),
      share(run.foreignShare),
      run.wrong.length === 0 ? "right" : run.wrong.join("; "),
    ]),
  );
  console.log(`\nrate of ours to staged COPY's, median of the pairs: ${rateRatio.toFixed(3)}`);
}

async function runOnce(
  server: BenchServer,
  data: BenchData,
  contender: Contender,
  pair: number,
): Promise<BacklogRun> {
  const database = await server.migrated();
  const work = await mkdtemp(join(tmpdir(), "millrace-bench-run-"));
  try {
    const command =
      contender === "copy" ? await copyCommand(data, database, work) : backlogCommand(data, database, work);
    const { postmasterPid } = server;
    const measured = await measure({ ...command, postmasterPid, timeoutMs: RUN_TIMEOUT_MS });
    const wrong = await withSession(database.connection, (session) => compareTable(session, data));
    if (contender === "millrace") wrong.push(...(await checkDeadLetters(database, data, work)));
    return { contender, pair, rowsPerS: data.unique / measured.wallS, wrong, ...measured };
  } finally {
    await database.drop();
    await rm(work, { recursive: true, force: true });
  }
}

function backlogCommand(data: BenchData, { url }: FreshDatabase, work: string) {
  return pipelineCommand({ input: data.rawDir, url, work, flags: ["--once", "--log-level=warn"] });
}

/** Each file in a transaction of its own: COPY to a stage, then INSERT … ON CONFLICT DO NOTHING. */
async function copyCommand(data: BenchData, { connection }: FreshDatabase, work: string) {
  const statements = data.files.flatMap(({ name }) => [
    "begin;",
    `\\copy stage (${LIST}) from '${join(data.validDir, name).replaceAll("'", "''")}' with (format csv, header)`,
    `insert into user_events (${LIST}) select ${LIST} from stage on conflict (event_id) do nothing;`,
    "commit;",
  ]);
  const script = join(work, "copy.sql");
  await writeFile(script, [STAGE, ...statements, ""].join("\n"));
  const env = {
    PGHOST: connection.host,
    PGPORT: String(connection.port),
    PGUSER: connection.user,
    PGPASSWORD: String(connection.password),
    PGDATABASE: connection.database,
  };
  return {
    command: "psql",
    args: ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", script],
    env,
  };
}

/** Compares the table with clean.csv row for row, in any order; says what differs. */
async function compareTable(session: SqlSession, { cleanCsv, unique }: BenchData): Promise<string[]> {
  await session.query(`create unlogged table expected as select ${LIST} from user_events limit 0`);
  await session.copy(`copy expected (${LIST}) from stdin (format csv, header)`, [await readFile(cleanCsv)]);
  const [row] = await session.query<Record<"rows" | "clean" | "missing" | "extra", number>>(`select
    (select count(*) from user_events) as rows,
    (select count(*) from expected) as clean,
    (select count(*) from (select ${LIST} from expected except all select ${LIST} from user_events) m) as missing,
    (select count(*) from (select ${LIST} from user_events except all select ${LIST} from expected) e) as extra`);
  const { rows, clean, missing, extra } = row!;
  if (rows === unique && clean === unique && missing === 0 && extra === 0) return [];
  return [`table has ${rows} rows, expected ${unique}: ${missing} missing, ${extra} unexpected`];
}

async function checkDeadLetters(database: FreshDatabase, data: BenchData, work: string): Promise<string[]> {
  const [row] = await withSession(database.connection, (session) =>
    session.query<{ letters: number }>("select count(*) as letters from dead_letters"),
  );
  const lines = await countLines(join(work, "error"));
  const { malformed } = data;
  const wrong: string[] = [];
  if (row?.letters !== malformed)
    wrong.push(`${row?.letters} dead letters in the table, expected ${malformed}`);
  if (lines !== malformed) wrong.push(`${lines} dead letters in files, expected ${malformed}`);
  return wrong;
}

async function countLines(folder: string): Promise<number> {
  let lines = 0;
  for (const name of await readdir(folder)) {
    if (name.endsWith(".ndjson"))
      lines += (await readFile(join(folder, name), "utf8")).split("\n").length - 1;
  }
  return lines;
}

function ratios(runs: readonly BacklogRun[], pairs: number): number[] {
  const rate = (pair: number, contender: Contender) =>
    runs.find((run) => run.pair === pair && run.contender === contender)!.rowsPerS;
  return Array.from({ length: pairs }, (_, pair) => rate(pair, "millrace") / rate(pair, "copy"));
}

function requirePsql(): void {
  if (spawnSync("psql", ["--version"]).status === 0) return;
  throw new Error(
    "the backlog is measured against psql, which is not on the PATH (Debian: postgresql-client)",
  );
}
