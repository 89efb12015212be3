/** Commits as rows, the same on every page that lists them. */
import type { Batch } from "../../../job/job-view.js";
import { bytes, clock, count, duration, rate } from "../format.js";
import { type Column, Table } from "../parts/table.js";
import { lettersOf } from "../record-counts.js";

const columns: readonly Column<Batch>[] = [
  { title: "Epoch", isNumber: true, cell: ({ epoch }) => <a href={`/batches/${epoch}`}>{epoch}</a> },
  { title: "Committed", cell: ({ committedAtMs }) => clock(committedAtMs) },
  { title: "Read", isNumber: true, cell: ({ counts }) => count(counts.recordsRead) },
  { title: "Written", isNumber: true, cell: ({ counts }) => count(counts.eventsWritten) },
  { title: "Duplicates", isNumber: true, cell: ({ counts }) => count(counts.duplicates) },
  { title: "Conflicts", isNumber: true, cell: ({ counts }) => count(counts.conflicts) },
  { title: "Dead letters", isNumber: true, cell: ({ counts }) => <Letters value={lettersOf(counts)} /> },
  { title: "Duration", isNumber: true, cell: (batch) => duration(batch.committedAtMs - batch.startedAtMs) },
  { title: "Rate", isNumber: true, cell: ({ processedPerSecond }) => rate(processedPerSecond) },
  { title: "p99", isNumber: true, cell: ({ latencyMs }) => duration(latencyMs?.p99) },
  { title: "Backlog", isNumber: true, cell: ({ backlogBytes }) => bytes(backlogBytes) },
];

export function BatchTable({ rows }: { readonly rows: readonly Batch[] }) {
  return (
    <Table
      label="Commits"
      columns={columns}
      rows={rows}
      keyOf={({ epoch }) => epoch}
      empty="No commits yet: the first comes with the first records."
    />
  );
}

function Letters({ value }: { readonly value: number }) {
  return value === 0 ? <span class="muted">0</span> : <span class="warn-text">{count(value)}</span>;
}
