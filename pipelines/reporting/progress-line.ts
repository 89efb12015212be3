/** Progress in one line of text, for a terminal and for plain output. */
import type { RecordCounts } from "../../runners/job/job.js";
import { formatBytes, formatCount, formatDuration } from "./format-quantity.js";
import type { Progress } from "./progress-meter.js";

/** `user-events  1,020 records/s  12,345 written  no backlog  lag 84 ms`, with a bar over a backlog. */
export function formatProgress(pipeline: string, progress: Progress): string {
  const { totals, backlog } = progress;
  const parts = [pipeline];
  if (backlog !== null) parts.push(formatBar(backlog.doneShare));
  parts.push(
    `${formatCount(progress.recordsPerSecond)} records/s`,
    `${formatCount(totals.eventsWritten)} written`,
  );
  const dead = sumOf(totals.deadLetters);
  if (dead > 0) parts.push(counted(dead, "dead letter"));
  parts.push(formatBacklog(progress));
  if (backlog !== null && backlog.remainingMs !== null)
    parts.push(`${formatDuration(backlog.remainingMs)} left`);
  if (progress.lagMs !== null) parts.push(`lag ${formatDuration(progress.lagMs)}`);
  return parts.join("  ");
}

/** The whole account, for the end: `1,000 read: 970 written, 20 duplicates, 0 conflicts, 10 dead letters (…)`. */
export function formatTotals(totals: RecordCounts): string {
  const dead = sumOf(totals.deadLetters);
  const reasons = Object.entries(totals.deadLetters)
    .filter(([, count]) => count > 0)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([reason, count]) => `${reason} ${formatCount(count)}`);
  return (
    `${formatCount(totals.recordsRead)} read: ${formatCount(totals.eventsWritten)} written, ` +
    `${counted(totals.duplicates, "duplicate")}, ${counted(totals.conflicts, "conflict")}, ` +
    `${counted(dead, "dead letter")}${reasons.length === 0 ? "" : ` (${reasons.join(", ")})`}`
  );
}

/** `1 duplicate`, `2 duplicates`. */
function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function formatBacklog({ backlogFiles, backlogBytes }: Progress): string {
  if (backlogFiles === 0 && backlogBytes === 0) return "no backlog";
  return `backlog ${counted(backlogFiles, "file")} ${formatBytes(backlogBytes)}`;
}

const BAR_CELLS = 20;

function formatBar(share: number): string {
  const full = Math.floor(share * BAR_CELLS);
  return `[${"█".repeat(full)}${"░".repeat(BAR_CELLS - full)}] ${Math.floor(share * 100)} %`;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
