/** Every file of the source: how far it is read, in which generation, and what became of its records. */
import { useState } from "preact/hooks";
import type { FileView, Page } from "../../../job/job-view.js";
import { baseName, bytes, count, dateTime, share } from "../format.js";
import { Loaded } from "../parts/notice.js";
import { Badge, type Level, Meter, Panel } from "../parts/panel.js";
import { Choice, Pager, Search } from "../parts/search.js";
import { type Column, Table } from "../parts/table.js";
import { lettersOf } from "../record-counts.js";
import { useResource } from "../use-resource.js";

const refreshMs = 4_000;
const states = ["reading", "ended", "done", "corrupt", "missing", "archived", "deleted", "replaced"];
const levels: Readonly<Record<string, Level>> = {
  reading: "ok",
  corrupt: "error",
  missing: "error",
  replaced: "warning",
};

const columns: readonly Column<FileView>[] = [
  {
    title: "File",
    isWide: true,
    cell: ({ path }) => (
      <code title={path} class="cell">
        {baseName(path)}
      </code>
    ),
  },
  { title: "State", cell: ({ state }) => <Badge level={levels[state] ?? "neutral"}>{state}</Badge> },
  { title: "Read", cell: (file) => <Progress file={file} /> },
  { title: "Size", isNumber: true, cell: ({ sizeBytes }) => bytes(sizeBytes) },
  { title: "Generation", isNumber: true, cell: ({ generation }) => generation },
  { title: "Records", isNumber: true, cell: ({ counts }) => count(counts.recordsRead) },
  { title: "Written", isNumber: true, cell: ({ counts }) => count(counts.eventsWritten) },
  { title: "Duplicates", isNumber: true, cell: ({ counts }) => count(counts.duplicates) },
  { title: "Conflicts", isNumber: true, cell: ({ counts }) => count(counts.conflicts) },
  {
    title: "Dead letters",
    isNumber: true,
    cell: ({ path, counts }) => {
      const letters = lettersOf(counts);
      return letters === 0 ? (
        <span class="muted">0</span>
      ) : (
        <a href={`/dead-letters?search=${encodeURIComponent(baseName(path))}`}>{count(letters)}</a>
      );
    },
  },
  { title: "First seen", cell: ({ firstSeenAtMs }) => dateTime(firstSeenAtMs) },
  { title: "Changed", cell: ({ updatedAtMs }) => dateTime(updatedAtMs) },
];

export function Files() {
  const [search, setSearch] = useState("");
  const [state, setState] = useState("");
  const [before, setBefore] = useState<string | null>(null);
  const page = useResource<Page<FileView>>("/api/files", { search, state, before, limit: 50 }, refreshMs);
  return (
    <Panel
      title="Files of the source"
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
            label="State"
            value={state}
            options={[["", "all"], ...states.map((name) => [name, name] as const)]}
            onChange={(chosen) => {
              setBefore(null);
              setState(chosen);
            }}
          />
        </>
      }
    >
      <Loaded resource={page}>
        {({ items, next }) => (
          <>
            <Table
              label="Files"
              columns={columns}
              rows={items}
              keyOf={({ fileId, generation }) => `${fileId} ${generation}`}
              empty={search === "" && state === "" ? "No file was found yet." : "No file is like that."}
            />
            <Pager isFirst={before === null} next={next} onFirst={() => setBefore(null)} onNext={setBefore} />
          </>
        )}
      </Loaded>
    </Panel>
  );
}

function Progress({ file }: { readonly file: FileView }) {
  // of a compressed file the offset is in what it unpacks to, whose size nobody knows before its end
  if (file.isCompressed) return <span>{bytes(file.byteOffset)} unpacked</span>;
  const read = file.sizeBytes === 0 ? 1 : file.byteOffset / file.sizeBytes;
  return (
    <span class="progress">
      <Meter share={read} level={read >= 1 ? "ok" : "neutral"} />
      <span class="figure">{share(read)}</span>
    </span>
  );
}
