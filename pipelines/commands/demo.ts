/** `demo`: generates events into the watched folder, runs the pipeline on them, and prints the views. */
import { mkdir } from "node:fs/promises";
import type { Job } from "../../runners/job/job.js";
import { SqlSession } from "../../sql/sql-session.js";
import { readView, viewNames } from "../../sql/views.js";
import { followJob } from "../follow-job.js";
import type { OpenDatabase } from "../open-database.js";
import { findByName } from "../registry.js";
import { formatTable } from "../reporting/format-table.js";
import { findRunnable, startJob } from "../start-job.js";
import type { VerbContext } from "../verb.js";

/** Uses the embedded PostgreSQL, whatever the environment names: a demo writes into nobody's database. */
export async function runDemo(context: VerbContext): Promise<number> {
  const { config } = context.loaded;
  const { duration, eventsPerSecond } = config.demo;
  const load = findRunnable(context);
  const loadGenerate = findByName("verb", "generate", context.parts.verbs, "demo");
  await mkdir(config.input, { recursive: true });
  context.log.info(`${eventsPerSecond} events/s for ${duration} s, then the views; Ctrl-C ends it early`);
  const loading = load();
  loading.catch(() => undefined); // startJob reports it, unless the database fails first
  const database = await context.openDatabase({ embedded: true });
  try {
    const started = await startJob(context, database, loading);
    if (started === undefined) return 0;
    const following = followJob(context, started.job, started.metrics);
    const fed = feed(context, started.job, loadGenerate);
    fed.catch(() => undefined); // reported once the job has ended: it still needs the database
    const end = await following;
    await fed;
    if (end.exitCode === 0) await printViews(context, database);
    return end.exitCode;
  } finally {
    await database.close();
  }
}

/** Runs the generator beside the job, lets the job catch up, and drains it. Never leaves the job running. */
async function feed(
  context: VerbContext,
  job: Job,
  loadGenerate: () => Promise<GenerateVerb>,
): Promise<void> {
  const ended = new AbortController();
  void job.waitUntilFinish().then(() => ended.abort("the pipeline ended"));
  const requested = AbortSignal.any([context.stop.requested, ended.signal]);
  try {
    const generate = await loadGenerate();
    await generate(generatorContext(context, requested));
    await untilCaughtUp(context, job, requested);
  } finally {
    void job.drain(); // whoever follows the job waits for its end
  }
}

type GenerateVerb = (context: VerbContext) => Promise<number>;

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
    stop: { requested, close: () => undefined },
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

const VIEW_ROWS_MAX = 10;

async function printViews({ stdout }: VerbContext, { connection }: OpenDatabase): Promise<void> {
  const session = await SqlSession.connect({ connection, applicationName: "millrace/demo" });
  try {
    for (const view of viewNames) {
      const rows = await readView(session, view, VIEW_ROWS_MAX);
      stdout.write(`\n${[view, ...formatTable(rows)].join("\n")}\n`);
    }
  } finally {
    await session.close();
  }
}
