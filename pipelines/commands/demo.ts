/** `demo`: generates events into the watched folder, runs the pipeline on them, and prints the views. */
import { mkdir } from "node:fs/promises";
import type { Job } from "../../runners/job/job.js";
import { SqlSession } from "../../sql/sql-session.js";
import { type Row, readView, viewNames } from "../../sql/views.js";
import { settings } from "../config/settings.js";
import { followJob } from "../follow-job.js";
import { monitorJob } from "../monitor-job.js";
import type { OpenDatabase } from "../open-database.js";
import { formatTable } from "../reporting/format-table.js";
import { loadRunnable, refuseNames, startJob } from "../start-job.js";
import { UsageError } from "../usage-error.js";
import type { JobMonitor, TextOutput, VerbContext } from "../verb.js";

/** Uses the embedded PostgreSQL, whatever the environment names: a demo writes into nobody's database. */
export async function runDemo(context: VerbContext, readViews: ReadViews = readAllViews): Promise<number> {
  const { config } = context.loaded;
  const { duration, eventsPerSecond } = config.demo;
  const problems = refuseNames(context);
  if (problems.length > 0) throw new UsageError(problems);
  await mkdir(config.input, { recursive: true });
  context.log.info(
    `starting PostgreSQL, then ${eventsPerSecond} events/s for ${duration} s, then the views; Ctrl-C ends it early`,
  );
  const loading = loadRunnable(context);
  loading.catch(() => undefined); // startJob reports it, unless the database fails first
  const database = await context.openDatabase({ embedded: true });
  let monitor: JobMonitor | undefined;
  try {
    const started = await startJob(context, database, loading);
    if (started === undefined) return 0;
    const { job, pipeline } = started;
    monitor = monitorJob(context, { job, pipeline, database });
    const following = followJob(context, started.job, started.metrics);
    const fed = feed(context, started.job);
    fed.catch(() => undefined); // reported once the job has ended: it still needs the database
    const end = await following;
    await fed;
    if (end.exitCode !== 0) return end.exitCode;
    for (const [view, rows] of await readViews(database)) showView(view, rows, context.stdout);
    context.stdout.write(whereToLook(config.stateDir));
    return 0;
  } finally {
    await monitor?.close();
    await database.close();
  }
}

/** Runs the generator beside the job, lets the job catch up, and drains it. Never leaves the job running. */
async function feed(context: VerbContext, job: Job): Promise<void> {
  const ended = new AbortController();
  void job.waitUntilFinish().then(() => ended.abort("the pipeline ended"));
  const requested = AbortSignal.any([context.stop.requested, ended.signal]);
  try {
    const { generate: load } = context.parts.verbs;
    if (load === undefined) throw new Error("demo needs the verb generate, which this build has not");
    const generate = await load();
    await generate(generatorContext(context, requested));
    await untilCaughtUp(context, job, requested);
  } finally {
    void job.drain(); // whoever follows the job waits for its end
  }
}

/** The generator keeps to itself: the one live line is the pipeline's. */
function generatorContext(context: VerbContext, requested: AbortSignal): VerbContext {
  const { loaded } = context;
  const { demo, input, generate } = loaded.config;
  const settings = { ...generate, ...demo, events: undefined, asFastAsPossible: false, output: input };
  const silent = { write: () => true };
  return {
    ...context,
    verb: "generate",
    args: [],
    loaded: { ...loaded, config: { ...loaded.config, generate: settings } },
    stdout: silent,
    stderr: silent,
    liveLine: undefined,
    stop: { requested, end: () => undefined },
  };
}

const QUIET_MS = 1_500;
const CATCH_UP_MS_MAX = 15_000;
const LOOK_MS = 100;

/** Waits until nothing is left to read and nothing was committed for a while. */
async function untilCaughtUp({ clock }: VerbContext, job: Job, signal: AbortSignal): Promise<void> {
  const startMs = clock.monotonicMs();
  let lastCommitMs = startMs;
  const unsubscribe = job.subscribe((event) => {
    if (event.type === "commit") lastCommitMs = clock.monotonicMs();
  });
  const isDone = () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - startMs > CATCH_UP_MS_MAX) return true;
    return nowMs - lastCommitMs > QUIET_MS && job.sources.every((source) => source.backlogBytes === 0);
  };
  while (!signal.aborted && !isDone()) await clock.sleep(LOOK_MS, signal);
  unsubscribe();
}

/** On a terminal no line wraps: what does not fit is cut. */
function showView(view: ViewName, rows: readonly Row[], stdout: TextOutput): void {
  const first = rows.length === VIEW_ROWS_MAX ? `, first ${VIEW_ROWS_MAX}` : "";
  const width = (stdout.isTTY && stdout.columns) || Number.POSITIVE_INFINITY;
  const table = formatTable(rows).map((line) =>
    line.length > width ? `${line.slice(0, width - 1)}…` : line,
  );
  stdout.write(`\n${[`${view}: ${ABOUT[view]}${first}`, ...table].join("\n")}\n`);
}

const ABOUT: Readonly<Record<ViewName, string>> = {
  v_event_summary: "events by type",
  v_hourly_events: "events by hour (UTC) and type",
  v_purchase_funnel: "users from a view to a cart to a purchase",
  v_top_products: "products by revenue",
  v_recent_activity: "the latest events",
};

function whereToLook(stateDir: string): string {
  const flag = stateDir === settings.get("stateDir")!.default ? "" : ` --state-dir=${stateDir}`;
  return `
The events stay in PostgreSQL, and the next demo adds to them. Look further with
  npm run -s status${flag && ` --${flag}`}
  npm run db -- sql "select * from user_events limit 10"${flag}
`;
}

/** The views by name, with their first rows. */
type ReadViews = (database: OpenDatabase) => Promise<readonly (readonly [ViewName, readonly Row[]])[]>;
type ViewName = (typeof viewNames)[number];

const VIEW_ROWS_MAX = 10;

async function readAllViews({ connection }: OpenDatabase) {
  const session = await SqlSession.connect({ connection, applicationName: "millrace/demo" });
  try {
    const views: [ViewName, readonly Row[]][] = [];
    for (const view of viewNames) views.push([view, await readView(session, view, VIEW_ROWS_MAX)]);
    return views;
  } finally {
    await session.close();
  }
}
