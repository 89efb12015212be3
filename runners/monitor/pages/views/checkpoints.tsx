/** Checkpoints in four parts: overview, history, summary, configuration. */
import type { Checkpoint, Checkpoints } from "../../../job/job-view.js";
import { bytes, count, dateTime, duration } from "../format.js";
import { Loaded } from "../parts/notice.js";
import { Badge, Facts, type Level, Panel, Tile } from "../parts/panel.js";
import { type Column, Table } from "../parts/table.js";
import { useResource } from "../use-resource.js";

const refreshMs = 2_000;

const columns: readonly Column<Checkpoint>[] = [
  { title: "Id", cell: ({ id }) => id },
  { title: "Kind", cell: ({ kind }) => kind },
  { title: "Status", cell: ({ status }) => <Badge level={levelOf(status)}>{status}</Badge> },
  { title: "Triggered", cell: ({ triggeredAtMs }) => dateTime(triggeredAtMs) },
  { title: "Duration", isNumber: true, cell: ({ durationMs }) => duration(durationMs) },
  { title: "Size", isNumber: true, cell: ({ sizeBytes }) => bytes(sizeBytes) },
  { title: "Message", isWide: true, cell: ({ message }) => message ?? "" },
];

export function CheckpointsPage() {
  const resource = useResource<Checkpoints>("/api/checkpoints", {}, refreshMs);
  return <Loaded resource={resource}>{(data) => <Parts data={data} />}</Loaded>;
}

function Parts({ data }: { readonly data: Checkpoints }) {
  const { overview, latest, history, summary, configuration } = data;
  return (
    <>
      <dl class="tiles">
        <Tile label="Triggered" value={count(overview.triggered)} />
        <Tile label="In progress" value={count(overview.inProgress)} />
        <Tile label="Completed" value={count(overview.completed)} />
        <Tile
          label="Failed"
          value={count(overview.failed)}
          level={overview.failed > 0 ? "warning" : "neutral"}
        />
        <Tile label="Restored" value={count(overview.restored)} />
      </dl>
      <div class="quarters">
        <Latest title="Last completed" checkpoint={latest.completed} />
        <Latest title="Last failed" checkpoint={latest.failed} />
        <Latest title="Last savepoint" checkpoint={latest.savepoint} />
        <Latest title="Last restored" checkpoint={latest.restored} />
      </div>
      <Panel title="History">
        <Table
          label="History of checkpoints"
          columns={columns}
          rows={history}
          keyOf={({ id, kind }) => `${kind} ${id}`}
          empty="No checkpoint yet."
        />
      </Panel>
      <div class="columns">
        <Panel title="Summary" note="of the completed ones in the history">
          <Table
            label="Summary"
            rows={[
              { name: "Duration", of: summary.durationMs, format: duration },
              { name: "Size", of: summary.sizeBytes, format: bytes },
            ]}
            keyOf={({ name }) => name}
            columns={[
              { title: "Figure", cell: ({ name }) => name },
              { title: "Least", isNumber: true, cell: ({ of, format }) => format(of?.min) },
              { title: "Mean", isNumber: true, cell: ({ of, format }) => format(of?.mean) },
              { title: "Most", isNumber: true, cell: ({ of, format }) => format(of?.max) },
            ]}
          />
        </Panel>
        <Panel title="Configuration">
          <Facts facts={configuration.map(({ name, value }) => [name, value] as const)} />
        </Panel>
      </div>
    </>
  );
}

function Latest({ title, checkpoint }: { readonly title: string; readonly checkpoint: Checkpoint | null }) {
  return (
    <Panel title={title}>
      {checkpoint === null ? (
        <p class="muted">None.</p>
      ) : (
        <Facts
          facts={[
            ["Id", `${checkpoint.id} (${checkpoint.kind})`],
            ["Triggered", dateTime(checkpoint.triggeredAtMs)],
            ["Duration", duration(checkpoint.durationMs)],
            ["Size", bytes(checkpoint.sizeBytes)],
            ...(checkpoint.message === null ? [] : [["Message", checkpoint.message] as const]),
          ]}
        />
      )}
    </Panel>
  );
}

function levelOf(status: Checkpoint["status"]): Level {
  return status === "completed" ? "ok" : status === "failed" ? "error" : "neutral";
}
