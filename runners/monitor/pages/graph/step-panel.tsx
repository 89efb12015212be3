/** All that is known of one step. */
import { useEffect, useRef } from "preact/hooks";
import type { GraphStep, StepFigures } from "../../../job/job-view.js";
import { bytes, count, dateTime, duration, rate, share } from "../format.js";
import { Code } from "../parts/code.js";
import { Facts } from "../parts/panel.js";
import { Samples } from "./samples.js";
import { kindName } from "./step-card.js";

type Fact = readonly [name: string, value: string];

/** A figure, or why there is none. */
function known(
  value: number | null | undefined,
  format: (value: number) => string,
  reason: string | undefined,
): string {
  return value == null ? (reason ?? "–") : format(value);
}

function countFacts({ unknown }: GraphStep, figures: StepFigures | undefined): Fact[] {
  if (unknown?.counts !== undefined) return [["Elements", unknown.counts]];
  return [
    ["In", `${rate(figures?.inPerSecond)}, ${count(figures?.elementsIn)} in all`],
    ["Out", `${rate(figures?.outPerSecond)}, ${count(figures?.elementsOut)} in all`],
    ["Busy", share(figures?.busyShare)],
    ["Waits for those behind", share(figures?.blockedShare)],
  ];
}

function stateFacts({ hasState, unknown }: GraphStep, figures: StepFigures | undefined): Fact[] {
  const keys = figures?.stateKeys;
  if (!hasState && keys == null) return [["State", "none"]];
  return [
    ...(keys == null ? [] : [["State", `${count(keys)} keys`] as const]),
    ["Size of its state", known(figures?.stateBytes, bytes, unknown?.stateBytes)],
  ];
}

export function StepPanel({
  step,
  figures,
  atMs,
  onClose,
}: {
  readonly step: GraphStep;
  readonly figures: StepFigures | undefined;
  readonly atMs: number | null;
  readonly onClose: () => void;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { id } = step;
  // another step is another panel
  useEffect(() => {
    heading.current?.focus();
  }, [id]);
  const lag = figures?.watermarkMs != null && atMs !== null ? atMs - figures.watermarkMs : null;
  const counters = Object.entries(figures?.counters ?? {});
  return (
    <aside
      class="panel step-panel"
      aria-label={`Step ${step.name}`}
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <header class="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {step.name}
        </h2>
        <div class="panel-tools">
          <button type="button" onClick={onClose}>
            Close
          </button>
        </div>
      </header>
      <Facts
        facts={[
          ["Transform", kindName(step.kind)],
          ...countFacts(step, figures),
          ["Waiting before it", known(figures?.waiting, count, step.unknown?.waiting)],
          ["Calls under way", known(figures?.queueFill, share, step.unknown?.queueFill)],
          [
            "Watermark",
            figures?.watermarkMs == null ? "–" : `${dateTime(figures.watermarkMs)} (${duration(lag)} behind)`,
          ],
          ...stateFacts(step, figures),
          ["Timers", step.hasTimers ? known(figures?.timers, count, step.unknown?.timers) : "none"],
          ["Fused stage", step.stage],
          ["Inside", step.composites.length === 0 ? "the pipeline itself" : step.composites.join(" / ")],
          ["URN", <code key="urn">{step.urn}</code>],
        ]}
      />
      <h3>User counters</h3>
      {counters.length === 0 ? (
        <p class="muted">It has none.</p>
      ) : (
        <Facts facts={counters.map(([name, value]) => [name, count(value)] as const)} />
      )}
      <Samples step={step} />
      {step.doFn !== null && (
        <>
          <h3>DoFn {step.doFn.name}</h3>
          <Code label="Its configuration">{JSON.stringify(step.doFn.config, null, 2)}</Code>
        </>
      )}
    </aside>
  );
}
