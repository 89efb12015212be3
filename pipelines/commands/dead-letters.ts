/** `npm run dead-letters -- list|show|retry|export|purge`: what could not become a row, by hand. */
import { once } from "node:events";
import { open } from "node:fs/promises";
import {
  type DeadLetterActions,
  DeadLetterError,
  type DeadLetterPurge,
  PAGE_LETTERS_MAX,
  RETRY_BYTES_MAX,
} from "../../runners/job/dead-letter-actions.js";
import type { DeadLetterSummary } from "../../runners/job/job-view.js";
import { StoredDeadLetters } from "../../runners/job/stored-dead-letters.js";
import { isKnown, JOB_SERVER_CLIENT, readHolderName } from "../../sql/pipelines.js";
import { SqlSession } from "../../sql/sql-session.js";
import { csvFieldsReader } from "../dead-letter-fields.js";
import { UsageError } from "../usage-error.js";
import type { RunVerb, VerbContext } from "../verb.js";
import { whoAmI } from "../who-am-i.js";
import { detailLines, listLines, retrySentence } from "./dead-letters-text.js";

/** The letters of the pipeline that the configuration names, and what else an action needs. */
interface Desk {
  readonly context: VerbContext;
  readonly letters: DeadLetterActions;
  /** Whether somebody runs the pipeline now. */
  readonly isHeld: boolean;
}

interface Action {
  /** Whether it takes an id: never, always, or unless `--reason` is given. */
  readonly id: "none" | "one" | "or reason";
  /** Of `deadLetters`: what it honours. */
  readonly flags: readonly string[];
  run(desk: Desk, id: string): Promise<number>;
}

const actions: Readonly<Record<string, Action>> = {
  list: { id: "none", flags: ["reason", "search", "limit"], run: list },
  show: { id: "one", flags: ["raw"], run: show },
  retry: { id: "or reason", flags: ["reason", "edit", "wait"], run: retry },
  export: { id: "none", flags: ["reason"], run: exportAll },
  purge: { id: "none", flags: ["reason", "before", "yes"], run: purge },
};

const WAIT_POLL_MS = 200;
/** The one runner whose graph has a source of retries. */
const DIRECT = "direct";
const EXIT_REJECTED = 1;

export const runDeadLetters: RunVerb = async (context) => {
  const [name, id] = context.args;
  const action = actionOf(name, context.args.slice(1), context);
  const { loaded, log, parts } = context;
  const { pipeline, delimiter } = loaded.config;
  const database = await context.openDatabase();
  try {
    await (await parts.loadSchema()).migrate(database.connection, log);
    const session = await SqlSession.connect({
      connection: database.connection,
      applicationName: "millrace/dead-letters",
    });
    try {
      if (!(await isKnown(session, pipeline)))
        throw new UsageError([`no pipeline "${pipeline}" has run on this database.`]);
      const readFields = csvFieldsReader(delimiter);
      const holder = await readHolderName(session, pipeline);
      const heldWithoutRetries = withoutRetries(loaded.config.runner, holder);
      const letters = new StoredDeadLetters({ queries: session, pipeline, readFields, heldWithoutRetries });
      return await action.run({ context, letters, isHeld: holder !== undefined }, id ?? "");
    } finally {
      await session.close();
    }
  } catch (error) {
    throw error instanceof DeadLetterError ? new UsageError([error.message]) : error;
  } finally {
    await database.close();
  }
};

/** @throws UsageError for an unknown action, an id too many or too few, and a flag that the action does not honour */
function actionOf(name: string | undefined, ids: readonly string[], { loaded }: VerbContext): Action {
  const action = name !== undefined && Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action === undefined) {
    const known = Object.keys(actions).join(", ");
    throw new UsageError([`dead-letters must be followed by one of ${known}, got ${JSON.stringify(name)}`]);
  }
  const problems = [...loaded.origins].flatMap(([path, { layer, name: flag }]) => {
    const setting = /^deadLetters\.(\w+)$/.exec(path)?.[1];
    if (setting === undefined || layer !== "flag" || action.flags.includes(setting)) return [];
    const takers = Object.keys(actions).filter((other) => actions[other]!.flags.includes(setting));
    return [`dead-letters ${name} does not take ${flag}: it is for ${takers.join(", ")}.`];
  });
  const hasReason = action.id === "or reason" && loaded.config.deadLetters.reason !== undefined;
  const wanted = action.id === "none" || hasReason ? 0 : 1;
  if (ids.length !== wanted) {
    const rule = action.id === "or reason" ? "one id, or --reason" : wanted === 1 ? "one id" : "no id";
    const got = ids.length === 0 ? "nothing" : JSON.stringify(ids.join(" "));
    problems.push(`dead-letters ${name} takes ${rule}, got ${got}${hasReason ? " and a reason" : ""}.`);
  }
  if (hasReason && loaded.config.deadLetters.edit !== undefined)
    problems.push("dead-letters retry --edit is for one letter, not for all of a reason.");
  if (problems.length > 0) throw new UsageError(problems);
  return action;
}

async function list({ context, letters }: Desk): Promise<number> {
  const { reason, search, limit } = context.loaded.config.deadLetters;
  const filter = { ...(reason !== undefined && { reason }), ...(search !== undefined && { search }) };
  const found: DeadLetterSummary[] = [];
  let next: string | null | undefined;
  while (found.length < limit && next !== null) {
    const at = { limit: Math.min(limit - found.length, PAGE_LETTERS_MAX), ...(next && { before: next }) };
    const page = await letters.list({ ...filter, ...at });
    found.push(...page.items);
    next = page.next;
  }
  if (context.loaded.config.json) print(context, JSON.stringify(found, null, 2));
  else for (const line of found.length === 0 ? ["no dead letters"] : listLines(found)) print(context, line);
  return 0;
}

async function show({ context, letters }: Desk, id: string): Promise<number> {
  const letter = await letters.show(id);
  const { json, deadLetters } = context.loaded.config;
  if (deadLetters.raw) await writeOut(Buffer.from(letter.rawBase64, "base64"));
  else if (json) print(context, JSON.stringify(letter, null, 2));
  else for (const line of detailLines(letter)) print(context, line);
  return 0;
}

async function retry(desk: Desk, id: string): Promise<number> {
  const { context, letters, isHeld } = desk;
  const { edit, reason, wait } = context.loaded.config.deadLetters;
  const { json, pipeline, runner } = context.loaded.config;
  if (!isHeld && runner === DIRECT)
    context.log.warn(
      `nothing runs pipeline "${pipeline}": retries wait for its next run on the direct runner`,
    );
  if (id === "") return await retryAll(desk, reason as string);
  const raw = edit === undefined ? undefined : await readRecord(edit);
  let result = await letters.retryOne(id, { by: whoAmI(), ...(raw && { raw }) });
  if (wait) result = (await waitUntil(desk, async () => decided(await letters.show(id)))) ?? result;
  print(context, json ? JSON.stringify({ id, ...result }) : `dead letter ${id}: ${retrySentence(result)}`);
  return result.status === "rejected" ? EXIT_REJECTED : 0;
}

async function retryAll(desk: Desk, reason: string): Promise<number> {
  const { context, letters } = desk;
  const { json, deadLetters } = context.loaded.config;
  const { requested, atMs } = await letters.retryReason(reason, whoAmI());
  const asked = `${requested} ${requested === 1 ? "retry" : "retries"} asked for`;
  if (!deadLetters.wait) {
    print(context, json ? JSON.stringify({ requested }) : asked);
    return 0;
  }
  const end = await waitUntil(desk, async () => {
    const progress = await letters.retryProgress(reason, atMs);
    return progress.pending === 0 ? progress : undefined;
  });
  const { pending, decided } = end ?? (await letters.retryProgress(reason, atMs));
  const counts = Object.entries(decided).map(([outcome, count]) => `${count} ${outcome}`);
  if (pending > 0) counts.push(`${pending} pending`);
  const said = `${asked}${counts.length === 0 ? "" : `: ${counts.join(", ")}`}`;
  print(context, json ? JSON.stringify({ requested, pending, ...decided }) : said);
  return decided.rejected === undefined ? 0 : EXIT_REJECTED;
}

/** What runs the pipeline now counts, then what would run it next; undefined: it takes retries. */
function withoutRetries(runner: string, holder: string | undefined): string | undefined {
  if (holder === JOB_SERVER_CLIENT) return "its run on a job server";
  return holder === undefined && runner !== DIRECT ? `runner ${runner}` : undefined;
}

function decided({ retry }: DeadLetterSummary) {
  return retry === null || retry.status === "requested" ? undefined : retry;
}

/** Undefined where the command is stopped before. */
async function waitUntil<T>({ context }: Desk, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const { requested: stop } = context.stop;
  while (!stop.aborted) {
    const found = await look();
    if (found !== undefined) return found;
    await context.clock.sleep(WAIT_POLL_MS, stop);
  }
  return undefined;
}

async function exportAll({ context, letters }: Desk): Promise<number> {
  for await (const line of letters.export(context.loaded.config.deadLetters.reason)) {
    if (!(await writeOut(line))) break;
  }
  return 0;
}

async function purge({ context, letters }: Desk): Promise<number> {
  const { loaded } = context;
  const { reason, before } = loaded.config.deadLetters;
  const filter: DeadLetterPurge = {
    ...(reason !== undefined && { reason }),
    ...(before !== undefined && { beforeMs: Date.parse(before) }),
  };
  // what a file or a variable says is not consent
  if (!loaded.config.deadLetters.yes || loaded.origins.get("deadLetters.yes")?.layer !== "flag") {
    const { purgeable, kept } = await letters.purgeable(filter);
    const what = `dead-letters purge would delete ${countOf(purgeable)} for good and keep ${kept}`;
    throw new UsageError([`${what}; their counts stay in status. It must be given --yes to do so.`]);
  }
  const { purged, kept } = await letters.purge(filter);
  const said = `deleted ${countOf(purged)}, kept ${kept}; their counts stay in status`;
  print(context, loaded.config.json ? JSON.stringify({ purged, kept }) : said);
  return 0;
}

function countOf(letters: number): string {
  return letters === 1 ? "1 dead letter" : `${letters} dead letters`;
}

/** The edited record, read up to just beyond what is taken: the rest of a large file by mistake does not matter. */
async function readRecord(file: string): Promise<Buffer> {
  if (file === "-") {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of process.stdin) {
      parts.push(part as Buffer);
      bytes += (part as Buffer).length;
      if (bytes > RETRY_BYTES_MAX) break;
    }
    return Buffer.concat(parts);
  }
  const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
    throw new UsageError([
      `--edit must name a file that can be read, got ${JSON.stringify(file)} (${error.code}).`,
    ]);
  });
  try {
    const buffer = Buffer.alloc(RETRY_BYTES_MAX + 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

function print({ stdout }: VerbContext, line: string): void {
  stdout.write(`${line}\n`);
}

/** Waits where whoever reads us is slower. False: nobody reads any more. */
async function writeOut(part: string | Buffer): Promise<boolean> {
  const { stdout } = process;
  if (stdout.destroyed) return false;
  if (!stdout.write(part)) await Promise.race([once(stdout, "drain"), once(stdout, "close")]);
  return !stdout.destroyed;
}
