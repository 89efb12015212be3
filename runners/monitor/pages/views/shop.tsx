/** What the pipeline's data say: the panels that the pipeline registered, live while they are watched. */
import { useCallback, useEffect } from "preact/hooks";
import type { PanelData, PanelDescription } from "../../../job/job-view.js";
import { BarChart, FunnelChart, LineChart, RowTable } from "../charts/panel-charts.js";
import { clock, duration } from "../format.js";
import { type LiveState, subscribe, useLive } from "../live/live.js";
import { Loaded, Notice } from "../parts/notice.js";
import { Panel } from "../parts/panel.js";
import { useResource } from "../use-resource.js";

export function Shop() {
  const panels = useResource<readonly PanelDescription[]>("/api/panels");
  const names = (panels.data ?? []).map(({ name }) => `panel:${name}`).join(",");
  useEffect(() => {
    subscribe(["overview", ...(names === "" ? [] : names.split(","))]);
  }, [names]);
  return (
    <Loaded resource={panels}>
      {(shown) =>
        shown.length === 0 ? (
          <p class="empty">The pipeline registered no panels.</p>
        ) : (
          <div class="shop">
            {shown.map((panel) => (
              <OnePanel key={panel.name} panel={panel} />
            ))}
          </div>
        )
      }
    </Loaded>
  );
}

function OnePanel({ panel }: { readonly panel: PanelDescription }) {
  const { name } = panel;
  const live = useLive(useCallback((state: LiveState) => state.panels[name] ?? null, [name]));
  const first = useResource<PanelData>(
    live === null ? `/api/panels/${encodeURIComponent(panel.name)}` : null,
  );
  const data = live ?? first.data;
  return (
    <Panel
      title={panel.title}
      class={`shop-${panel.chart}`}
      note={data === null ? undefined : `at ${clock(data.queriedAtMs)}, took ${duration(data.tookMs)}`}
    >
      {data === null ? (
        <Loaded resource={first}>{() => null}</Loaded>
      ) : (
        <>
          {data.staleReason !== null && (
            <Notice level="warning">
              <p>
                Stale: this is of {clock(data.queriedAtMs)}. {data.staleReason}
              </p>
            </Notice>
          )}
          <Contents panel={panel} data={data} />
        </>
      )}
    </Panel>
  );
}

function Contents({ panel, data }: { readonly panel: PanelDescription; readonly data: PanelData }) {
  if (data.rows.length === 0) return <p class="empty">No rows yet.</p>;
  switch (panel.chart) {
    case "funnel":
      return <FunnelChart panel={panel} data={data} />;
    case "bars":
      return <BarChart panel={panel} data={data} />;
    case "lines":
      return <LineChart panel={panel} data={data} />;
    case "table":
      return <RowTable title={panel.title} data={data} />;
  }
}
