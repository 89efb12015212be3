/** What the job runs with: settings with their origin, versions, the machine. */
import { useState } from "preact/hooks";
import type { Environment, Setting } from "../../../job/job-view.js";
import { Loaded } from "../parts/notice.js";
import { Badge, Facts, Panel } from "../parts/panel.js";
import { Search } from "../parts/search.js";
import { type Column, Table } from "../parts/table.js";
import { useResource } from "../use-resource.js";

const columns: readonly Column<Setting>[] = [
  { title: "Setting", cell: ({ name }) => <code>{name}</code> },
  { title: "Value", isWide: true, cell: ({ value }) => <code>{value}</code> },
  {
    title: "Origin",
    cell: ({ origin }) =>
      origin === "default" ? <span class="muted">default</span> : <Badge>{origin}</Badge>,
  },
];

export function EnvironmentPage() {
  const resource = useResource<Environment>("/api/environment");
  const [search, setSearch] = useState("");
  return (
    <Loaded resource={resource}>
      {({ settings, facts }) => {
        const wanted = search.toLowerCase();
        const shown = settings.filter(({ name, value, origin }) =>
          `${name} ${value} ${origin}`.toLowerCase().includes(wanted),
        );
        return (
          <div class="columns wide-first">
            <Panel title="Settings" tools={<Search label="Search" value={search} onChange={setSearch} />}>
              <Table
                label="Settings"
                columns={columns}
                rows={shown}
                keyOf={({ name }) => name}
                empty="No setting is like that."
              />
            </Panel>
            <Panel title="Versions and machine">
              <Facts facts={facts.map(({ name, value }) => [name, value] as const)} />
            </Panel>
          </div>
        );
      }}
    </Loaded>
  );
}
