/** The top of every page: the job, its state, whether the figures are live, and one sentence on whether all is well. */
import { useCallback } from "preact/hooks";
import type { JobOverview, Verdict } from "../../../job/job-view.js";
import { clock } from "../format.js";
import { hasEnded, type LiveState, useLive } from "../live/live.js";
import { useResource } from "../use-resource.js";
import { JobButtons } from "./job-buttons.js";
import { Badge, type Level } from "./panel.js";

const connectionOf = (live: LiveState) => ({ connection: live.connection, isOver: hasEnded(live) });
const headOf = ({ pipeline, runner, state, isPaused, actions }: JobOverview) => ({
  pipeline,
  runner,
  state,
  isPaused,
  actions,
});
export const actionsOf = ({ actions }: JobOverview) => actions;
const verdictOf = ({ verdict }: JobOverview) => verdict;

export function Header() {
  const head = useOverview(headOf);
  return (
    <header class="top">
      <a class="brand" href="/" aria-label="Millrace, to the overview">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="7" />
          <circle cx="16" cy="14" r="7.5" />
          <path d="M16 6.5v15M8.500 14h15M5 26c3.5-2.500 7-2.500 11 0s7.500 2.500 11 0" />
        </svg>
        <span>Millrace</span>
      </a>
      {head !== null && (
        <div class="job">
          <strong class="job-name">{head.pipeline}</strong>
          <span class="job-runner">{head.runner}</span>
          <StateBadge standing={head} />
        </div>
      )}
      <ConnectionMark />
      {head !== null && <JobButtons pipeline={head.pipeline} actions={head.actions} />}
    </header>
  );
}

/** A part of the live overview, or of what was read once until it comes. */
export function useOverview<Part extends NonNullable<unknown>>(
  select: (overview: JobOverview) => Part,
): Part | null {
  const live = useLive(
    useCallback(({ overview }: LiveState) => (overview === null ? null : select(overview)), [select]),
  );
  const first = useResource<JobOverview>(live === null ? "/api/overview" : null);
  return live ?? (first.data === null ? null : select(first.data));
}

export function VerdictLine() {
  const verdict = useOverview(verdictOf);
  const { connection, isOver } = useLive(connectionOf);
  if (connection.state === "lost" && !isOver) {
    return (
      <p class="verdict level-error">
        <LevelMark level="error" />
        <span>
          {connection.status === null
            ? `No connection: what is shown is of ${clock(connection.sinceMs)}. Connecting again; if the run has ended, start it again and open the link that it prints.`
            : `Nothing comes live, and what is shown may be older: ${connection.reason}. Trying again.`}
        </span>
      </p>
    );
  }
  if (verdict === null) return <p class="verdict level-neutral">Reading the state of the job…</p>;
  return (
    <p class={`verdict level-${verdict.level}`}>
      <LevelMark level={verdict.level} />
      <span>
        {verdict.sentence}
        {connection.state === "lost" &&
          ` What is shown is its end, of ${clock(connection.sinceMs)}; its next run at this address shows itself here.`}
      </span>
    </p>
  );
}

type Standing = Pick<JobOverview, "state" | "isPaused">;

function StateBadge({ standing }: { readonly standing: Standing }) {
  const { state, isPaused } = standing;
  return <Badge level={levelOf(standing)}>{isPaused && state === "RUNNING" ? "PAUSED" : state}</Badge>;
}

function levelOf({ state, isPaused }: Standing): Level {
  if (state === "FAILED") return "error";
  if (state === "RUNNING") return isPaused ? "warning" : "ok";
  return state === "DRAINING" || state === "CANCELLING" ? "warning" : "neutral";
}

function ConnectionMark() {
  const { connection, isOver } = useLive(connectionOf);
  if (connection.state === "lost" && isOver) {
    return (
      <span class="connection level-neutral">
        <span class="dot" aria-hidden="true" />
        Ended at {clock(connection.sinceMs)}
      </span>
    );
  }
  if (connection.state === "lost") {
    return (
      <span class="connection level-error" title={connection.reason}>
        <span class="dot" aria-hidden="true" />
        Stale since {clock(connection.sinceMs)}
      </span>
    );
  }
  const isLive = connection.state === "live";
  return (
    <span class={`connection level-${isLive ? "ok" : "neutral"}`}>
      <span class="dot" aria-hidden="true" />
      {isLive ? "Live" : "Connecting"}
    </span>
  );
}

/** A shape for each level, so that colour is not all that tells them apart. */
function LevelMark({ level }: { readonly level: Verdict["level"] }) {
  const names = { ok: "All is well", warning: "Warning", error: "Error" };
  const shapes = {
    ok: <path d="M5.500 10.500l3 3 6-7" />,
    warning: <path d="M10 4.500v7M10 14.600v.8" />,
    error: <path d="M6 6l8 8M14 6l-8 8" />,
  };
  return (
    <svg class="level-mark" viewBox="0 0 20 20" role="img" aria-label={names[level]}>
      <circle cx="10" cy="10" r="9.2" />
      {shapes[level]}
    </svg>
  );
}
