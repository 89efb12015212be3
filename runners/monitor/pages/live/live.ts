/** What comes live, for every part of the page that shows it: drawn where it changed, and not at all in a hidden tab. */
import { useEffect, useState } from "preact/hooks";
import type { Batch, GraphFigures, JobOverview, LiveEvents, PanelData } from "../../../job/job-view.js";
import { address, authorization } from "../api.js";
import { forget, inTurn } from "../charts/in-turn.js";
import { type Connection, readEvents } from "./event-stream.js";
import type { ServerEvent } from "./sse-parser.js";
import { isUnchanged, keptParts } from "./unchanged.js";

export interface LiveState {
  readonly overview: JobOverview | null;
  readonly graph: GraphFigures | null;
  /** Newest first. */
  readonly batches: readonly Batch[];
  readonly panels: Readonly<Record<string, PanelData>>;
  readonly connection: Connection;
  /** How often it came back after it was away: what was read once may have missed something each time. */
  readonly returns: number;
}

/** States that no job leaves: a lost connection is then how it should be. */
const finalStates: readonly JobOverview["state"][] = ["DONE", "DRAINED", "CANCELLED", "FAILED"];

const batchesMax = 200;
/** A tab that nobody looks at gives its connection back after this time. */
const hiddenMaxMs = 20_000;

let state: LiveState = {
  overview: null,
  graph: null,
  batches: [],
  panels: {},
  connection: { state: "connecting" },
  returns: 0,
};
let topics = "";
let current: AbortController | null = null;
let wasAway = false;
const listeners = new Set<() => void>();

/** Reads these topics from now on; the same ones leave the connection as it is. */
export function subscribe(wanted: readonly string[]): void {
  const next = wanted.join(",");
  if (next === topics && current !== null) return;
  topics = next;
  connect();
}

/** With a new token, or after the tab was away. */
export function connect(): void {
  current?.abort();
  const mine = new AbortController();
  current = mine;
  if (state.connection.state !== "lost") change({ connection: { state: "connecting" } });
  void readEvents(
    {
      url: address("/api/events", { topics }),
      headers: authorization(),
      onEvent: take,
      onConnection: (connection) => {
        if (current === mine) follow(connection);
      },
    },
    mine.signal,
  );
}

/** Whether there is somebody to ask now; the first answer is still to come while it connects. */
export function canAsk(): boolean {
  return state.connection.state !== "lost" || state.connection.status !== null;
}

/** The run told how it ended before it was gone. */
export function hasEnded({ overview, connection }: LiveState): boolean {
  return connection.state === "lost" && overview !== null && finalStates.includes(overview.state);
}

function follow(connection: Connection): void {
  if (connection.state === "lost") wasAway = true;
  const isBack = connection.state === "live" && wasAway;
  if (isBack) wasAway = false;
  change({ connection, returns: state.returns + (isBack ? 1 : 0) });
  // a run with another token than the one before: what is open is followed, and the page asks for the token
  if (connection.state === "lost" && connection.status === 401 && topics.includes("panel:")) {
    subscribe(topics.split(",").filter((topic) => !topic.startsWith("panel:")));
  }
}

/** Connects and gives back as the tab is seen and hidden; call once. */
export function followVisibility(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const giveBackLater = () => {
    timer = setTimeout(() => {
      current?.abort();
      current = null;
      wasAway = true;
    }, hiddenMaxMs);
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) giveBackLater();
    else if (current === null) connect();
  });
  // a tab that was opened in the background; some of them would take all connections that a browser has for us
  if (document.hidden) giveBackLater();
}

/** A part of what is live, and again whenever it changed; one made of several is as it was while these are. */
export function useLive<Part>(select: (live: LiveState) => Part): Part {
  const [part, set] = useState(() => select(state));
  useEffect(() => {
    let shown = part;
    const draw = () => {
      shown = select(state);
      set(() => shown);
    };
    if (!isUnchanged(shown, select(state))) draw();
    // each part in its own turn: what one update changes is drawn over some frames, none of them long
    const listener = () => {
      if (!isUnchanged(shown, select(state))) inTurn(listener, "document", draw);
    };
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      forget(listener);
    };
  }, [select]);
  return part;
}

/** How each event changes what is live; an event that these pages do not know is another version's. */
const takers: { readonly [Name in keyof LiveEvents]: (data: LiveEvents[Name]) => Partial<LiveState> } = {
  overview: (overview) => ({ overview: keptParts(state.overview, overview) }),
  graph: (graph) => ({ graph: keptParts(state.graph, graph) }),
  batch: (batch) => ({ batches: withBatch(state.batches, batch) }),
  panel: (panel) => ({
    panels: { ...state.panels, [panel.name]: keptParts(state.panels[panel.name], panel) },
  }),
};

function take({ name, data }: ServerEvent): void {
  if (!Object.hasOwn(takers, name)) return;
  const taker = takers[name as keyof LiveEvents] as (data: unknown) => Partial<LiveState>;
  change(taker(JSON.parse(data)));
}

/** The same epoch may come again after a reconnect. */
function withBatch(batches: readonly Batch[], batch: Batch): readonly Batch[] {
  const others = batches.filter(({ epoch }) => epoch !== batch.epoch);
  return [batch, ...others].sort((a, b) => b.epoch - a.epoch).slice(0, batchesMax);
}

function change(part: Partial<LiveState>): void {
  state = { ...state, ...part };
  for (const listener of listeners) listener();
}
