/** One step in the drawing: what it is, how fast it goes, how full it is. */
import type { StepFigures } from "../../../job/job-view.js";
import { rate, share, short, words } from "../format.js";
import { Meter } from "../parts/panel.js";
import { type Standing, standingOf } from "./back-pressure.js";
import type { PlacedStep } from "./layout.js";

const kinds: Readonly<Record<string, string>> = {
  source: "Source",
  parDo: "ParDo",
  groupByKey: "GroupByKey",
  flatten: "Flatten",
  impulse: "Impulse",
  reshuffle: "Reshuffle",
  other: "Transform",
};

export function kindName(kind: string): string {
  return kinds[kind] ?? words(kind);
}

export function StepCard({
  placed,
  figures,
  isSelected,
  onSelect,
  onArrow,
}: {
  readonly placed: PlacedStep;
  readonly figures: StepFigures | undefined;
  readonly isSelected: boolean;
  readonly onSelect: () => void;
  readonly onArrow: (key: string) => boolean;
}) {
  const { step, label, x, y, width, height } = placed;
  const standing = standingOf(figures);
  return (
    <button
      type="button"
      id={`step-${step.id}`}
      class={`step is-${standing}`}
      style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}
      aria-pressed={isSelected}
      onClick={onSelect}
      onKeyDown={(event) => {
        if (event.key.startsWith("Arrow") && onArrow(event.key)) event.preventDefault();
      }}
    >
      <span class="step-head">
        <span class="step-name" title={step.name}>
          {label}
        </span>
        <StandingMark standing={standing} figures={figures} />
      </span>
      <span class="step-kind">
        {kindName(step.kind)}
        {step.doFn !== null && ` · ${step.doFn.name}`}
      </span>
      <span class="step-rates">
        <span>{rate(figures?.inPerSecond)}</span>
        <span class="muted" aria-hidden="true">
          →
        </span>
        <span class="sr-only">in, out</span>
        <span>{rate(figures?.outPerSecond)}</span>
        <span class="muted step-total">{short(figures?.elementsIn)}</span>
      </span>
      <span class="step-bars">
        <Bar name="busy" value={figures?.busyShare} level={standing === "bottleneck" ? "error" : "neutral"} />
        {figures?.queueFill == null ? (
          <Waiting elements={figures?.waiting} />
        ) : (
          <Bar
            name="queue"
            value={figures.queueFill}
            level={figures.queueFill >= 0.8 ? "warning" : "neutral"}
          />
        )}
      </span>
    </button>
  );
}

function Bar({
  name,
  value,
  level,
}: {
  readonly name: string;
  readonly value: number | null | undefined;
  readonly level: "neutral" | "warning" | "error";
}) {
  return (
    <span class="step-bar">
      <span class="muted">{name}</span>
      <Meter share={value ?? 0} level={level} />
      <span>{share(value)}</span>
    </span>
  );
}

/** Where there is no limit, a number says more than a bar. */
function Waiting({ elements }: { readonly elements: number | null | undefined }) {
  if (elements == null) return null;
  return (
    <span class="step-bar">
      <span class="muted">waiting</span>
      <span>{short(elements)}</span>
    </span>
  );
}

function StandingMark({
  standing,
  figures,
}: {
  readonly standing: Standing;
  readonly figures: StepFigures | undefined;
}) {
  if (standing === "bottleneck") return <span class="badge level-error">bottleneck</span>;
  if (standing === "blocked")
    return <span class="badge level-warning">waits {share(figures?.blockedShare)}</span>;
  return null;
}
