/** `npm run status`: what every pipeline of a database has committed. */
import { type ConnectionConfig, SqlSession } from "../../sql/sql-session.js";
import { type PipelineStatus, readStatus, type StatusCounts } from "../../sql/status.js";
import type { Clock } from "../../transforms/primitives/do-fn.js";

export interface StatusOptions {
  readonly connection: ConnectionConfig;
  /** One JSON document, a list of pipelines, instead of tables. */
  readonly json: boolean;
}

/** Where a command's output goes. */
export interface StatusIo {
  /** Writes one line to standard output. */
  print(line: string): void;
}

/** @throws the database's error when it does not take us. */
export async function runStatus(options: StatusOptions, io: StatusIo): Promise<void> {
  const session = await SqlSession.connect({
    connection: options.connection,
    applicationName: "millrace/status",
  });
  try {
    await printStatus(session, options, io);
  } finally {
    await session.close();
  }
}

export interface WatchOptions {
  readonly clock: Pick<Clock, "sleep">;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Each one is drawn over the one before. */
  readonly isTerminal: boolean;
}

const WATCH_MS = 1_000;
const CLEAR_SCREEN = "\x1b[2J\x1b[H";

/** Again every second; where that is not a terminal, one after the other. @throws as `runStatus` does */
export async function watchStatus(options: StatusOptions, io: StatusIo, watch: WatchOptions): Promise<void> {
  const { clock, signal, isTerminal } = watch;
  const session = await SqlSession.connect({
    connection: options.connection,
    applicationName: "millrace/status",
  });
  try {
    while (!signal.aborted) {
      const lines: string[] = [];
      await printStatus(session, options, { print: (line) => void lines.push(line) });
      io.print((isTerminal && !options.json ? CLEAR_SCREEN : "") + lines.join("\n"));
      await clock.sleep(WATCH_MS, signal);
    }
  } finally {
    await session.close();
  }
}

async function printStatus(session: SqlSession, options: StatusOptions, io: StatusIo): Promise<void> {
  const pipelines = await readStatus(session);
  if (options.json) io.print(JSON.stringify(pipelines, null, 2));
  else for (const line of statusLines(pipelines)) io.print(line);
}

/** The tables for people: the pipelines, and under them each one's files, the latest last. */
export function statusLines(pipelines: readonly PipelineStatus[]): string[] {
  if (pipelines.length === 0) return ["no pipeline has run on this database"];
  const lines = table(
    ["pipeline", "pid", "epoch", "files", ...COUNTS, "last commit"],
    pipelines.map((one) => [
      one.pipeline,
      one.pid ?? "-",
      one.epoch,
      one.files_read,
      ...counts(one),
      one.last_commit_at ?? "-",
    ]),
  );
  for (const { pipeline, files, dead_letters } of pipelines) {
    const reasons = Object.entries(dead_letters).map(([reason, count]) => `${reason} ${count}`);
    if (reasons.length > 0) lines.push("", `dead letters of ${pipeline}: ${reasons.join(", ")}`);
    if (files.length === 0) continue;
    const shown = files.slice(-FILES_SHOWN_MAX);
    const which = shown.length < files.length ? `the last ${shown.length} of ${files.length} files` : "files";
    lines.push("", `${which} of ${pipeline}:`);
    lines.push(
      ...table(
        ["path", "generation", "state", "bytes", ...COUNTS],
        shown.map((file) => [file.path, file.generation, file.state, file.byte_offset, ...counts(file)]),
      ),
    );
  }
  return lines;
}

const FILES_SHOWN_MAX = 20;
const COUNTS = ["read", "written", "duplicates", "conflicts", "dead"];

function counts(one: StatusCounts): number[] {
  const dead = Object.values(one.dead_letters).reduce((sum, count) => sum + count, 0);
  return [one.records_read, one.events_written, one.duplicates, one.conflicts, dead];
}

/** Columns as wide as their widest cell, numbers to the right. */
function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => String(row[at]).length)),
  );
  const isNumber = head.map((_, at) => rows.some((row) => typeof row[at] === "number"));
  return [head, ...rows].map((row) =>
    row
      .map((cell, at) =>
        isNumber[at] ? String(cell).padStart(widths[at]!) : String(cell).padEnd(widths[at]!),
      )
      .join("  ")
      .trimEnd(),
  );
}
