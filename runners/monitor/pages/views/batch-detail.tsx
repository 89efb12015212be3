/** One commit: what it read from where, what became of it, and where its time went. */
import type { BatchDetail } from "../../../job/job-view.js";
import { bytes, count, dateTime, duration, rate, share, words } from "../format.js";
import { Ledger } from "../parts/ledger.js";
import { Loaded } from "../parts/notice.js";
import { Facts, Meter, Panel } from "../parts/panel.js";
import { Table } from "../parts/table.js";
import { useResource } from "../use-resource.js";

export function BatchDetailPage({ epoch }: { readonly epoch: string }) {
  const resource = useResource<BatchDetail>(`/api/batches/${encodeURIComponent(epoch)}`);
  return (
    <>
      <p class="crumbs">
        <a href="/batches">All batches</a> / Epoch {epoch}
      </p>
      <Loaded resource={resource}>{(batch) => <Detail batch={batch} />}</Loaded>
    </>
  );
}

function Detail({ batch }: { readonly batch: BatchDetail }) {
  const files = batch.sources.flatMap(({ description, files }) =>
    files.map((file) => ({ description, ...file })),
  );
  const totalMs = Math.max(1, batch.committedAtMs - batch.startedAtMs);
  const reasons = Object.entries(batch.counts.deadLetters);
  return (
    <>
      <div class="columns">
        <Panel title="Commit">
          <Facts
            facts={[
              ["Started", dateTime(batch.startedAtMs)],
              ["Committed", dateTime(batch.committedAtMs)],
              ["Duration", duration(totalMs)],
              ["Input rate", rate(batch.inPerSecond)],
              ["Process rate", rate(batch.processedPerSecond)],
              ["Latency p50 / p99", `${duration(batch.latencyMs?.p50)} / ${duration(batch.latencyMs?.p99)}`],
              ["Watermark", dateTime(batch.watermarkMs)],
              [
                "Event times",
                batch.eventTime === null
                  ? "–"
                  : `${dateTime(batch.eventTime.minMs)} to ${dateTime(batch.eventTime.maxMs)}`,
              ],
              ["Backlog after it", `${bytes(batch.backlogBytes)} in ${count(batch.backlogFiles)} files`],
              ...(batch.sentBytes == null ? [] : [["Sent to the database", bytes(batch.sentBytes)] as const]),
              ["Run", batch.runId],
            ]}
          />
        </Panel>
        <div class="stack">
          <Panel title="What became of its records">
            <Ledger counts={batch.counts} />
            {reasons.length > 0 && (
              <p class="muted">
                Dead letters:{" "}
                {reasons.map(([reason, letters]) => `${words(reason)} ${count(letters)}`).join(", ")}
              </p>
            )}
          </Panel>
          <Panel title="Where its time went">
            <dl class="bars">
              {Object.entries(batch.durationMs).map(([phase, ms]) => (
                <div key={phase}>
                  <dt>{words(phase)}</dt>
                  <dd>
                    <Meter share={ms / totalMs} />
                    <span class="figure">{duration(ms)}</span>
                    <span class="muted figure">{share(ms / totalMs)}</span>
                  </dd>
                </div>
              ))}
            </dl>
          </Panel>
        </div>
      </div>
      <Panel title="Files it read">
        <Table
          label="Files it read"
          rows={files}
          keyOf={({ path, startOffset }) => `${path}:${startOffset}`}
          columns={[
            { title: "File", isWide: true, cell: ({ path }) => <code>{path}</code> },
            { title: "From byte", isNumber: true, cell: ({ startOffset }) => count(startOffset) },
            { title: "To byte", isNumber: true, cell: ({ endOffset }) => count(endOffset) },
            {
              title: "Size",
              isNumber: true,
              cell: ({ startOffset, endOffset }) => bytes(endOffset - startOffset),
            },
            { title: "Source", cell: ({ description }) => description },
          ]}
        />
      </Panel>
    </>
  );
}
