/** All steps in the order of the graph, for those who read figures rather than drawings. */
import type { GraphStep, JobGraph, StepFigures } from "../../../job/job-view.js";
import { count, duration, rate, share } from "../format.js";
import { Panel } from "../parts/panel.js";
import { Table } from "../parts/table.js";
import { pathOf } from "../route.js";

export function StepTable({
  graph,
  byId,
  atMs,
  onSelect,
}: {
  readonly graph: JobGraph;
  readonly byId: ReadonlyMap<string, StepFigures>;
  readonly atMs: number | null;
  readonly onSelect: (id: string) => void;
}) {
  const of = (step: GraphStep) => byId.get(step.id);
  const lag = (step: GraphStep) => {
    const watermarkMs = of(step)?.watermarkMs ?? null;
    return watermarkMs === null || atMs === null ? null : atMs - watermarkMs;
  };
  return (
    <Panel title="Figures" note="a second, now">
      <Table
        label="Figures of the steps"
        rows={graph.steps}
        keyOf={({ id }) => id}
        columns={[
          {
            title: "Step",
            cell: (step) => (
              <a
                href={pathOf({ page: "graph", id: step.id })}
                onClick={(event) => {
                  event.preventDefault();
                  onSelect(step.id);
                }}
              >
                {step.name}
              </a>
            ),
          },
          { title: "In", isNumber: true, cell: (step) => rate(of(step)?.inPerSecond) },
          { title: "Out", isNumber: true, cell: (step) => rate(of(step)?.outPerSecond) },
          { title: "Busy", isNumber: true, cell: (step) => share(of(step)?.busyShare) },
          { title: "Waits", isNumber: true, cell: (step) => share(of(step)?.blockedShare) },
          { title: "Queue", isNumber: true, cell: (step) => share(of(step)?.queueFill) },
          { title: "Waiting", isNumber: true, cell: (step) => count(of(step)?.waiting) },
          { title: "Watermark lag", isNumber: true, cell: (step) => duration(lag(step)) },
        ]}
      />
    </Panel>
  );
}
