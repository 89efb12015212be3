/** The top of every page: the job, its state, whether the figures are live, and one sentence on whether all is well. */
import type { JobOverview, Verdict } from "../../../job/job-view.js";
import { clock } from "../format.js";
import { hasEnded, type LiveState, useLive } from "../live/live.js";
import { useResource } from "../use-resource.js";
import { JobButtons } from "./job-buttons.js";
import { Badge, type Level } from "./panel.js";

const connectionOf = (live: LiveState) => live.connection;
const overviewOf = (live: LiveState) => live.overview;

export function Header() {
  const overview = useOverview();
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
      {overview !== null && (
        <div class="job">
          <strong class="job-name">{overview.pipeline}</strong>
          <span class="job-runner">{overview.runner}</span>
          <StateBadge overview={overview} />
        </div>
      )}
      <ConnectionMark />
      {overview !== null && <JobButtons overview={overview} />}
    </header>
  );
}

/** The live overview, or what was read once until it comes. */
export function useOverview(): JobOverview | null {
  const live = useLive(overviewOf);
  const first = useResource<JobOverview>(live === null ? "/api/overview" : null);
  return live ?? first.data;
}

export function VerdictLine() {
  const overview = useOverview();
  const connection = useLive(connectionOf);
  const isOver = useLive(hasEnded);
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
  if (overview === null) return <p class="verdict level-neutral">Reading the state of the job…</p>;
  const { verdict } = overview;
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

function StateBadge({ overview }: { readonly overview: JobOverview }) {
  const { state, isPaused } = overview;
  return <Badge level={levelOf(overview)}>{isPaused && state === "RUNNING" ? "PAUSED" : state}</Badge>;
}

function levelOf({ state, isPaused }: JobOverview): Level {
  if (state === "FAILED") return "error";
  if (state === "RUNNING") return isPaused ? "warning" : "ok";
  return state === "DRAINING" || state === "CANCELLING" ? "warning" : "neutral";
}

function ConnectionMark() {
  const connection = useLive(connectionOf);
  const isOver = useLive(hasEnded);
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
