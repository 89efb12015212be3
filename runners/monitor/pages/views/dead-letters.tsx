/** What was thrown away and why: by reason over time, and every letter. */
import { useState } from "preact/hooks";
import type { DeadLetterReasons, DeadLetterSummary, Page } from "../../../job/job-view.js";
import { getBlob, postJson } from "../api.js";
import { TimeChart } from "../charts/time-chart.js";
import { baseName, count, dateTime, share, short, words } from "../format.js";
import { Confirm } from "../parts/dialog.js";
import { actionsOf, useOverview } from "../parts/header.js";
import { perform } from "../parts/messages.js";
import { Loaded } from "../parts/notice.js";
import { Meter, Panel } from "../parts/panel.js";
import { Choice, Pager, Search } from "../parts/search.js";
import { type Column, Table } from "../parts/table.js";
import { type Resource, useResource } from "../use-resource.js";
import { LetterPage } from "./letter.js";
import { RetryBadge } from "./retry-badge.js";

const refreshMs = 5_000;

const columns: readonly Column<DeadLetterSummary>[] = [
  {
    title: "Letter",
    isNumber: true,
    cell: ({ id }) => <a href={`/dead-letters/${encodeURIComponent(id)}`}>{id}</a>,
  },
  { title: "Time", cell: ({ createdAtMs }) => dateTime(createdAtMs) },
  { title: "Reason", cell: ({ reason }) => words(reason) },
  { title: "What is wrong", isWide: true, cell: ({ messages }) => messages.join("; ") },
  {
    title: "File",
    cell: ({ sourceFile, line }) => (
      <code title={sourceFile} class="cell">
        {baseName(sourceFile)}:{line}
      </code>
    ),
  },
  { title: "Epoch", isNumber: true, cell: ({ epoch }) => <a href={`/batches/${epoch}`}>{epoch}</a> },
  { title: "Retry", cell: ({ retry }) => <RetryBadge retry={retry} /> },
];

export function DeadLetters({ id }: { readonly id: string | null }) {
  return id === null ? <AllLetters /> : <LetterPage id={id} />;
}

function AllLetters() {
  const [reason, setReason] = useState("");
  const reasons = useResource<DeadLetterReasons>("/api/dead-letters/reasons", {}, refreshMs);
  return (
    <>
      <Loaded resource={reasons}>
        {(data) => (
          <div class="columns">
            <Panel
              title="By reason"
              note={`${count(data.total)} letters, ${count(data.retried)} retried`}
              class="reasons-panel"
            >
              <Reasons data={data} chosen={reason} onChoose={setReason} />
            </Panel>
            <Panel title="Over time">
              <OverTime data={data} />
            </Panel>
          </div>
        )}
      </Loaded>
      <LetterList reason={reason} reasons={reasons} onReason={setReason} />
    </>
  );
}

function Reasons({
  data,
  chosen,
  onChoose,
}: {
  readonly data: DeadLetterReasons;
  readonly chosen: string;
  readonly onChoose: (reason: string) => void;
}) {
  const rows = sorted(data.byReason);
  if (rows.length === 0) return <p class="empty">No record was thrown away.</p>;
  return (
    <ul class="reasons">
      {rows.map(([reason, letters]) => (
        <li key={reason}>
          <button
            type="button"
            aria-pressed={reason === chosen}
            onClick={() => onChoose(reason === chosen ? "" : reason)}
          >
            <span class="reason-name">{words(reason)}</span>
            <Meter share={letters / Math.max(1, data.total)} level="warning" />
            <span class="figure">{count(letters)}</span>
            <span class="figure muted">{share(letters / Math.max(1, data.total))}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function OverTime({ data }: { readonly data: DeadLetterReasons }) {
  const names = sorted(data.byReason)
    .map(([reason]) => reason)
    .slice(0, 6);
  return (
    <TimeChart
      title="Letters"
      kind="stacked bars"
      series={names.map((name) => ({ name, label: words(name) }))}
      data={{ atSeconds: data.atMs.map((at) => at / 1_000), values: data.series }}
      format={short}
      height={170}
    />
  );
}

function LetterList({
  reason,
  reasons,
  onReason,
}: {
  readonly reason: string;
  readonly reasons: Resource<DeadLetterReasons>;
  readonly onReason: (reason: string) => void;
}) {
  const [search, setSearch] = useState(() => new URLSearchParams(location.search).get("search") ?? "");
  const [before, setBefore] = useState<string | null>(null);
  const query = { reason, search, before, limit: 50 };
  const page = useResource<Page<DeadLetterSummary>>("/api/dead-letters", query, refreshMs);
  const known = sorted(reasons.data?.byReason ?? {}).map(([name]) => [name, words(name)] as const);
  return (
    <Panel
      title="Letters"
      tools={
        <>
          <Search
            label="Search"
            value={search}
            onChange={(text) => {
              setBefore(null);
              setSearch(text);
            }}
          />
          <Choice
            label="Reason"
            value={reason}
            options={[["", "all"], ...known]}
            onChange={(chosen) => {
              setBefore(null);
              onReason(chosen);
            }}
          />
          <LetterActions reason={reason} letters={reasons.data?.byReason[reason] ?? 0} onDone={page.reload} />
        </>
      }
    >
      <Loaded resource={page}>
        {({ items, next }) => (
          <>
            <Table
              label="Dead letters"
              columns={columns}
              rows={items}
              keyOf={({ id }) => id}
              empty={search === "" && reason === "" ? "No dead letters." : "No letter is like that."}
            />
            <Pager isFirst={before === null} next={next} onFirst={() => setBefore(null)} onNext={setBefore} />
          </>
        )}
      </Loaded>
    </Panel>
  );
}

function LetterActions({
  reason,
  letters,
  onDone,
}: {
  readonly reason: string;
  readonly letters: number;
  readonly onDone: () => void;
}) {
  const actions = useOverview(actionsOf);
  const [isAsked, setAsked] = useState(false);
  const canRetry = actions?.includes("retry-dead-letters") === true;
  const retryAll = () =>
    perform("Retry", async () => {
      const { requested } = await postJson<{ requested: number }>("/api/dead-letters/retry", { reason });
      onDone();
      return `${count(requested)} letters will be read again with the next commits.`;
    });
  return (
    <>
      {canRetry && (
        <button
          type="button"
          disabled={reason === ""}
          title={reason === "" ? "Choose a reason first" : undefined}
          onClick={() => setAsked(true)}
        >
          Retry all
        </button>
      )}
      <button type="button" onClick={() => void perform("Export", () => save(reason))}>
        Export
      </button>
      {isAsked && (
        <Confirm
          title={`Retry all letters of “${words(reason)}”?`}
          action="Retry all"
          onConfirm={() => void retryAll()}
          onClose={() => setAsked(false)}
        >
          <p>
            About {count(letters)} records go through the pipeline again as they are. Those that are valid now
            are written once; the others stay here.
          </p>
        </Confirm>
      )}
    </>
  );
}

async function save(reason: string): Promise<string> {
  const url = URL.createObjectURL(await getBlob("/api/dead-letters/export", { reason }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `dead-letters${reason === "" ? "" : `-${reason}`}.ndjson`;
  link.click();
  URL.revokeObjectURL(url);
  return `${link.download} was saved: one letter a line, its bytes as base 64.`;
}

function sorted(byReason: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(byReason).sort(([nameA, a], [nameB, b]) => b - a || (nameA < nameB ? -1 : 1));
}
