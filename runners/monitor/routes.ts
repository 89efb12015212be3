/** Every route of the API in one table: the server answers by it, and the OpenAPI document is made from it. */
import { z } from "zod";
import { type DeadLetterActions, PAGE_LETTERS_MAX, RETRY_BYTES_MAX } from "../job/dead-letter-actions.js";
import type { JobAction, JobOverview } from "../job/job-view.js";
import { ApiError, notFound } from "./api-error.js";
import type { LiveEvents } from "./live-events.js";
import type { Monitored } from "./monitored.js";
import type { PanelCache } from "./panel-cache.js";
import type { PrometheusMetrics } from "./prometheus.js";

/** What the handlers work with. */
export interface RouteParts extends Monitored {
  readonly live: LiveEvents;
  readonly cache: PanelCache;
  readonly prometheus: PrometheusMetrics;
  /** @throws ApiError without the token */
  mustHaveToken(request: Request): void;
}

/** A call that has passed the guard, its parameters read. */
export interface Call {
  readonly request: Request;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Route {
  readonly method: "GET" | "POST";
  /** With `:name` for a part of the path that is a parameter. */
  readonly path: string;
  /** On loopback; elsewhere everything needs the token. */
  readonly access: "open" | "token";
  readonly summary: string;
  /** Name of the answer's type in `job-view.ts`, or what it is. */
  readonly answers: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  /** Gives the JSON, or a response of its own. */
  run(parts: RouteParts, call: Call): unknown;
}

/** As many as of dead letters. */
const PAGE_SIZE_MAX = PAGE_LETTERS_MAX;
const POINTS_MAX = 500;
/** As base64. */
const RETRY_TEXT_MAX = Math.ceil(RETRY_BYTES_MAX / 3) * 4;
const TEXT_MAX = 200;
/** A path of names. */
const STEP_MAX = 2_000;

const cursor = z.string().regex(/^\d{1,18}$/, "must be what `next` of the page before was");
const page = {
  limit: z.coerce.number().int().min(1).max(PAGE_SIZE_MAX).default(50),
  before: cursor.optional(),
};
const text = z.string().min(1).max(TEXT_MAX);
const timeMs = z.coerce.number().int().min(0).max(8.64e15);
const seriesQuery = z.object({
  fromMs: timeMs,
  toMs: timeMs,
  points: z.coerce.number().int().min(1).max(POINTS_MAX).default(200),
});
const samplesQuery = z.object({ step: z.string().min(1).max(STEP_MAX) });
const filesQuery = z.object({ ...page, search: text.optional(), state: text.optional() });
const lettersQuery = z.object({ ...page, reason: text.optional(), search: text.optional() });
const retryBody = z.object({ rawBase64: z.base64().max(RETRY_TEXT_MAX).optional() });

const get = (path: string, access: Route["access"], summary: string, answers: string) =>
  ({ method: "GET", path, access, summary, answers }) as const;
const post = (path: string, summary: string, answers: string) =>
  ({ method: "POST", path, access: "token", summary, answers }) as const;

const jobRoutes: readonly Route[] = [
  {
    ...get("/api/overview", "open", "How the job is", "JobOverview"),
    run: ({ inspection }) => inspection.overview(),
  },
  {
    ...get("/api/graph", "open", "The Beam graph", "JobGraph"),
    run: ({ inspection }) => inspection.graph,
  },
  {
    ...get("/api/graph/figures", "open", "What each step does", "GraphFigures"),
    run: ({ inspection }) => inspection.figures(),
  },
  {
    ...get("/api/graph/samples", "token", "The last elements that a step has made", "StepSamples"),
    query: samplesQuery,
    run: ({ inspection }, { query }) => {
      const { step } = query as z.output<typeof samplesQuery>;
      return inspection.samples(step) ?? fail(notFound(`the graph has no step ${JSON.stringify(step)}`));
    },
  },
  {
    ...get("/api/series", "open", "Figures over time", "Series"),
    query: seriesQuery,
    run: ({ inspection }, { query }) => {
      const range = query as z.output<typeof seriesQuery>;
      if (range.toMs > range.fromMs) return inspection.series(range);
      throw new ApiError(400, "bad_query", `toMs must be after fromMs (${range.fromMs}), got ${range.toMs}`);
    },
  },
  {
    ...get("/api/batches", "open", "Commits, the newest first", "Page<Batch>"),
    query: z.object(page),
    run: ({ inspection }, { query }) => inspection.batches(query as never),
  },
  {
    ...get("/api/batches/:epoch", "open", "One commit", "BatchDetail"),
    run: async ({ inspection }, { params: { epoch = "" } }) =>
      (/^\d{1,15}$/.test(epoch) ? await inspection.batch(Number(epoch)) : undefined) ??
      fail(notFound(`no epoch ${JSON.stringify(epoch)} is kept`)),
  },
  {
    ...get("/api/checkpoints", "open", "Checkpoints", "Checkpoints"),
    run: ({ inspection }) => inspection.checkpoints(),
  },
  {
    ...get("/api/files", "open", "Files of the source, the newest first", "Page<FileView>"),
    query: filesQuery,
    run: ({ inspection }, { query }) => inspection.files(query as never),
  },
  {
    ...get("/api/environment", "token", "Settings and versions", "Environment"),
    run: ({ environment }) => environment(),
  },
  ...(["pause", "resume", "drain", "cancel", "savepoint"] as const).map(actionRoute),
];

function actionRoute(action: JobAction): Route {
  return {
    ...post(`/api/job/${action}`, `Asks the job to ${action}`, "{ state: JobState }"),
    run: async ({ inspection }) => ({ state: await inspection.act(action) }),
  };
}

const letterRoutes: readonly Route[] = [
  {
    ...get("/api/dead-letters", "token", "Dead letters, the newest first", "Page<DeadLetterSummary>"),
    query: lettersQuery,
    run: (parts, { query }) => letters(parts).list(query as never),
  },
  {
    ...get("/api/dead-letters/reasons", "open", "How many, by reason", "DeadLetterReasons"),
    run: (parts) => letters(parts).reasons(),
  },
  {
    ...get(
      "/api/dead-letters/export",
      "token",
      "All of them, one JSON object a line",
      "application/x-ndjson",
    ),
    query: z.object({ reason: text.optional() }),
    run: (parts, { query }) => {
      const lines = letters(parts).export(query["reason"] as string | undefined);
      const headers = {
        "content-type": "application/x-ndjson",
        "content-disposition": 'attachment; filename="dead-letters.ndjson"',
      };
      return new Response(toStream(lines), { headers });
    },
  },
  {
    ...get("/api/dead-letters/:id", "token", "One dead letter with its bytes", "DeadLetterDetail"),
    run: (parts, { params }) => letters(parts).show(params["id"]!),
  },
  {
    ...post(
      "/api/dead-letters/:id/retry",
      "Reads it again, with other bytes if some are given",
      "DeadLetterRetry",
    ),
    body: retryBody,
    run: (parts, { params, body }) => {
      const { rawBase64 } = body as z.output<typeof retryBody>;
      const raw = rawBase64 === undefined ? {} : { raw: Buffer.from(rawBase64, "base64") };
      return letters(parts).retryOne(params["id"]!, { by: RETRIED_BY, ...raw });
    },
  },
  {
    ...post("/api/dead-letters/retry", "Reads all of a reason again", "{ requested: number, atMs: number }"),
    body: z.object({ reason: text }),
    run: (parts, { body }) => letters(parts).retryReason(body["reason"] as string, RETRIED_BY),
  },
];

/** Who asked for a retry, as far as a token tells. */
const RETRIED_BY = "monitor";

const panelRoutes: readonly Route[] = [
  {
    ...get("/api/panels", "token", "Views of the pipeline's own data", "PanelDescription[]"),
    run: ({ cache }) => cache.descriptions,
  },
  {
    ...get("/api/panels/:name", "token", "One of them", "PanelData"),
    run: ({ cache }, { params: { name = "" } }) =>
      cache.has(name) ? cache.get(name) : fail(notFound(`no panel ${JSON.stringify(name)}`)),
  },
  {
    ...get("/api/events", "open", "Live figures; panels need the token", "text/event-stream of LiveEvents"),
    query: z.object({ topics: z.string().max(1_000).default("overview") }),
    run: ({ live, mustHaveToken }, { request, query }) => {
      const topics = live.parseTopics(query["topics"] as string);
      if ([...topics].some((topic) => topic.startsWith("panel:"))) mustHaveToken(request);
      return live.open(topics);
    },
  },
];

const operatingRoutes: readonly Route[] = [
  {
    ...get("/livez", "open", "Whether the process answers", "text/plain"),
    run: () => new Response("ok\n"),
  },
  {
    ...get("/readyz", "open", "Whether the job runs; 503 and reasons if not", "Readiness"),
    run: ({ inspection }) => {
      const readiness = inspection.readiness();
      return Response.json(readiness, { status: readiness.ready ? 200 : 503 });
    },
  },
  {
    ...get("/metrics", "open", "Prometheus", "text/plain"),
    run: async ({ prometheus }) =>
      new Response(await prometheus.text(), { headers: { "content-type": prometheus.contentType } }),
  },
];

/** The first that fits answers. */
export const routes: readonly Route[] = [...jobRoutes, ...letterRoutes, ...panelRoutes, ...operatingRoutes];

function letters({ deadLetters, inspection }: RouteParts): DeadLetterActions {
  const { pipeline }: JobOverview = inspection.overview();
  return deadLetters ?? fail(notFound(`pipeline "${pipeline}" has no dead letters that could be asked for`));
}

function fail(error: ApiError): never {
  throw error;
}

function toStream(lines: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = lines[Symbol.asyncIterator]();
  return new ReadableStream({
    pull: async (controller) => {
      const next = await iterator.next();
      if (next.done === true) controller.close();
      else controller.enqueue(Buffer.from(next.value));
    },
    cancel: async () => void (await iterator.return?.()),
  });
}
