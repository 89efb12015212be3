/** `npm run savepoints -- take|list|check|restore|delete`: where a pipeline was, kept and gone back to. */
import { SavepointError, Savepoints } from "../../runners/direct/savepoints.js";
import { isKnown } from "../../sql/pipelines.js";
import { escaped } from "../../sql/printable.js";
import type { SavepointRow } from "../../sql/savepoints.js";
import { SqlSession } from "../../sql/sql-session.js";
import { refuseName } from "../registry.js";
import { formatTable } from "../reporting/format-table.js";
import { UsageError } from "../usage-error.js";
import type { RunVerb, VerbContext } from "../verb.js";
import { whoAmI } from "../who-am-i.js";

interface Desk {
  readonly context: VerbContext;
  readonly savepoints: Savepoints;
}

interface Action {
  /** Whether it takes a name: never, always, or unless `--before` is given. */
  readonly name: "none" | "one" | "or before";
  /** Of the settings `savepoints` and `takeover`: what it honours. */
  readonly flags: readonly string[];
  run(desk: Desk, name: string): Promise<number>;
}

const actions: Readonly<Record<string, Action>> = {
  take: { name: "one", flags: [], run: take },
  list: { name: "none", flags: [], run: list },
  check: { name: "one", flags: [], run: check },
  restore: { name: "or before", flags: ["savepoints.before", "savepoints.yes", "takeover"], run: restore },
  delete: { name: "one", flags: [], run: remove },
};

const EXIT_DIFFERS = 1;

export const runSavepoints: RunVerb = async (context) => {
  const [actionName, name = ""] = context.args;
  const action = actionOf(actionName, context.args.slice(1), context);
  const { loaded, log, parts } = context;
  const { pipeline } = loaded.config;
  const database = await context.openDatabase();
  try {
    await (await parts.loadSchema()).migrate(database.connection, log);
    const session = await SqlSession.connect({
      connection: database.connection,
      applicationName: "millrace/savepoints",
    });
    try {
      if (!(await isKnown(session, pipeline)))
        throw new UsageError([`no pipeline "${pipeline}" has run on this database.`]);
      return await action.run({ context, savepoints: new Savepoints({ session, pipeline }) }, name);
    } finally {
      await session.close();
    }
  } catch (error) {
    throw error instanceof SavepointError ? new UsageError([error.message]) : error;
  } finally {
    await database.close();
  }
};

/** @throws UsageError for an unknown action, a name too many or too few, and a flag that the action does not honour */
function actionOf(name: string | undefined, names: readonly string[], { loaded }: VerbContext): Action {
  const action = name !== undefined && Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action === undefined) {
    const known = Object.keys(actions).join(", ");
    throw new UsageError([`savepoints must be followed by one of ${known}, got ${JSON.stringify(name)}`]);
  }
  const problems = [...loaded.origins].flatMap(([path, { layer, name: flag }]) => {
    const isOurs = path === "takeover" || path.startsWith("savepoints.");
    if (!isOurs || layer !== "flag" || action.flags.includes(path)) return [];
    const takers = Object.keys(actions).filter((other) => actions[other]!.flags.includes(path));
    return [`savepoints ${name} does not take ${flag}: it is for ${takers.join(", ")}.`];
  });
  const hasTime = action.name === "or before" && loaded.config.savepoints.before !== undefined;
  const wanted = action.name === "none" || hasTime ? 0 : 1;
  if (names.length !== wanted) {
    const one = "the name of one savepoint";
    const rule = action.name === "or before" ? `${one}, or --before` : wanted === 1 ? one : "no name";
    const got = names.length === 0 ? "nothing" : JSON.stringify(names.join(" "));
    problems.push(`savepoints ${name} takes ${rule}, got ${got}${hasTime ? " and a time" : ""}.`);
  }
  if (problems.length > 0) throw new UsageError(problems);
  return action;
}

async function take({ context, savepoints }: Desk, name: string): Promise<number> {
  const taken = await savepoints.take(name, whoAmI());
  answer(context, jsonOf(taken), `savepoint ${name}: ${describe(taken)}`);
  return 0;
}

async function list({ context, savepoints }: Desk): Promise<number> {
  const all = await savepoints.list();
  if (context.loaded.config.json) {
    print(context, JSON.stringify(all.map(jsonOf), null, 2));
    return 0;
  }
  if (all.length === 0) print(context, "no savepoints");
  else {
    const rows = all.map((one) => ({
      name: one.name,
      epoch: one.epoch,
      "records read": one.records_read,
      watermark: timeOf(one.watermark_ms),
      files: one.files,
      "state bytes": one.state_bytes,
      taken: timeOf(one.created_ms),
      by: escaped(one.created_by),
    }));
    for (const line of formatTable(rows)) print(context, line);
  }
  return 0;
}

async function check({ context, savepoints }: Desk, name: string): Promise<number> {
  const differences = await differencesFrom(context, savepoints, await savepoints.find(name));
  const said =
    differences.length === 0
      ? `savepoint ${name} fits the graph`
      : [`savepoint ${name} does not fit the graph:`, ...differences.map((one) => `  ${one}`)].join("\n");
  answer(context, { name, differences }, said);
  return differences.length === 0 ? 0 : EXIT_DIFFERS;
}

async function restore({ context, savepoints }: Desk, name: string): Promise<number> {
  const { loaded, clock, log, stop } = context;
  const { before, yes } = loaded.config.savepoints;
  const savepoint =
    before === undefined ? await savepoints.find(name) : await savepoints.before(Date.parse(before));
  const differences = await differencesFrom(context, savepoints, savepoint);
  if (differences.length > 0)
    log.warn(`savepoint ${savepoint.name} does not fit the graph as it is now: ${differences.join("; ")}`);
  // what a file or a variable says is not consent
  if (!yes || loaded.origins.get("savepoints.yes")?.layer !== "flag") {
    throw new UsageError([
      `savepoints restore would make pipeline "${savepoint.pipeline}" what it was: ${describe(savepoint)}. What has ` +
        "been read since is read again: rows stay, dead letters since are taken away and come again. It must be given " +
        "--yes to do so.",
    ]);
  }
  const { takeover } = loaded.config;
  const restored = await savepoints.restore(savepoint, { takeover, clock, log, signal: stop.requested });
  const said =
    `pipeline "${savepoint.pipeline}" is what it was: ${describe(savepoint)}. This is epoch ${restored.epoch}; ` +
    "the next run reads again what has been read since";
  answer(context, { ...jsonOf(savepoint), restoredAsEpoch: restored.epoch, runId: restored.runId }, said);
  return 0;
}

async function remove({ context, savepoints }: Desk, name: string): Promise<number> {
  await savepoints.delete(name);
  answer(context, { name }, `deleted savepoint ${name}`);
  return 0;
}

async function differencesFrom(
  { loaded, parts }: VerbContext,
  savepoints: Savepoints,
  savepoint: SavepointRow,
): Promise<string[]> {
  const { config, origins } = loaded;
  const from = origins.get("pipeline")?.name ?? "default";
  const problem = refuseName("pipeline", config.pipeline, parts.pipelines, from);
  if (problem !== undefined) throw new UsageError([problem]);
  const build = await parts.pipelines[config.pipeline]!();
  return savepoints.differences(savepoint, (await build(config)).graph);
}

function describe({
  epoch,
  records_read,
  watermark_ms,
  files,
  state_bytes,
  created_ms,
}: SavepointRow): string {
  return (
    `after epoch ${epoch}, ${records_read} records read, watermark ${timeOf(watermark_ms)}, ${files} files, ` +
    `${state_bytes} bytes of state, taken ${timeOf(created_ms)}`
  );
}

function jsonOf(row: SavepointRow) {
  const { name, epoch, files, watermark_ms, created_ms } = row;
  return {
    ...{ name, epoch, files, pipeline: row.pipeline, runId: row.run_id, recordsRead: row.records_read },
    ...{ watermark: watermark_ms === null ? null : timeOf(watermark_ms), stateBytes: row.state_bytes },
    ...{ createdAt: timeOf(created_ms), createdBy: row.created_by },
  };
}

function timeOf(ms: number | null): string {
  return ms === null ? "-" : new Date(ms).toISOString();
}

function answer(context: VerbContext, json: unknown, text: string): void {
  print(context, context.loaded.config.json ? JSON.stringify(json) : text);
}

function print({ stdout }: VerbContext, line: string): void {
  stdout.write(`${line}\n`);
}
