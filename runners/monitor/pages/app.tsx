/** The frame around every page: what job it is, whether all is well, where one can go. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { hasEnded, type LiveState, subscribe, useLive } from "./live/live.js";
import { useRoute } from "./navigation.js";
import { Header, VerdictLine } from "./parts/header.js";
import { Messages } from "./parts/messages.js";
import { Navigation } from "./parts/navigation.js";
import { Notice } from "./parts/notice.js";
import { type PageName, type Route, titleOf } from "./route.js";
import { Overview } from "./views/overview.js";

type View = ComponentType<{ readonly id: string | null }>;

/** Each page comes when it is first asked for. */
const views: Readonly<Record<Exclude<PageName, "overview">, () => Promise<View>>> = {
  graph: async () => (await import("./views/graph.js")).GraphPage,
  batches: async () => (await import("./views/batches.js")).Batches,
  checkpoints: async () => (await import("./views/checkpoints.js")).CheckpointsPage,
  files: async () => (await import("./views/files.js")).Files,
  "dead-letters": async () => (await import("./views/dead-letters.js")).DeadLetters,
  shop: async () => (await import("./views/shop.js")).Shop,
  environment: async () => (await import("./views/environment.js")).EnvironmentPage,
};

/** What a page follows live besides the overview, which the frame shows. */
const topics: Partial<Record<PageName, readonly string[]>> = {
  overview: ["batch"],
  graph: ["graph"],
  batches: ["batch"],
};

const pipelineOf = (live: LiveState) => live.overview?.pipeline ?? null;
const returnsOf = (live: LiveState) => live.returns;
const isStale = (live: LiveState) => live.connection.state === "lost" && !hasEnded(live);

export function App() {
  const route = useRoute();
  const pipeline = useLive(pipelineOf);
  const stale = useLive(isStale);
  const page = route?.page ?? null;

  useEffect(() => {
    const title = page === null ? "No such page" : titleOf(page);
    document.title = pipeline === null ? `${title} · Millrace` : `${title} · ${pipeline} · Millrace`;
  }, [page, pipeline]);
  useEffect(() => {
    // the shop's page names its panels itself
    if (page !== "shop") subscribe(["overview", ...((page !== null && topics[page]) || [])]);
  }, [page]);

  return (
    <div class={stale ? "frame is-stale" : "frame"}>
      <a class="skip" href="#contents">
        To the contents
      </a>
      <Header />
      <Navigation page={page} />
      <main id="contents" tabIndex={-1}>
        <VerdictLine />
        <h1>{page === null ? "No such page" : titleOf(page)}</h1>
        {route === null ? <p class="empty">Nothing is at this address.</p> : <CurrentView route={route} />}
      </main>
      <Messages />
    </div>
  );
}

function CurrentView({ route }: { readonly route: Route }) {
  const [loaded, setLoaded] = useState<{ page: PageName; view: View } | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const returns = useLive(returnsOf);
  const { page, id } = route;
  useEffect(() => {
    if (page === "overview") return;
    let isCurrent = true;
    setFailure(null);
    views[page]().then(
      (view) => {
        if (isCurrent) setLoaded({ page, view });
      },
      (error: unknown) => setFailure(String(error)),
    );
    return () => {
      isCurrent = false;
    };
  }, [page]);
  useEffect(() => {
    // browsers keep a module that could not be loaded as failed, and its name may be another one by now
    if (failure !== null) location.reload();
  }, [returns]);
  if (page === "overview") return <Overview />;
  if (failure !== null) {
    return (
      <Notice level="error">
        <p>The page could not be loaded: {failure}</p>
        <button type="button" onClick={() => location.reload()}>
          Load again
        </button>
      </Notice>
    );
  }
  if (loaded === null || loaded.page !== page) return <p class="empty">Loading…</p>;
  return <loaded.view id={id} />;
}
