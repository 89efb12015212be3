/** The monitor as an HTTP application: guard, routes, pages, and headers that let a page load nothing from elsewhere. */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { z } from "zod";
import { DeadLetterError, type DeadLetterErrorCode } from "../job/dead-letter-actions.js";
import { ActionRefusedError } from "../job/job-inspection.js";
import { ApiError, notFound } from "./api-error.js";
import type { Guard } from "./guard.js";
import { openApiDocument } from "./open-api.js";
import { type Call, type Route, type RouteParts, routes } from "./routes.js";
import type { StaticPages } from "./static-pages.js";

const BODY_BYTES_MAX = 2 * 1024 * 1024;

const LETTER_STATUS: Readonly<Record<DeadLetterErrorCode, 400 | 404 | 409 | 413>> = {
  invalid_id: 400,
  invalid_limit: 400,
  not_found: 404,
  not_taken: 409,
  pending: 409,
  settled: 409,
  too_large: 413,
};

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

export function createApp(parts: RouteParts, guard: Guard, pages: StaticPages): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    guard.checkHost(context.req.raw);
    guard.checkOrigin(context.req.raw);
    await next();
    for (const [name, value] of Object.entries(HEADERS)) context.res.headers.set(name, value);
  });
  app.use(
    bodyLimit({
      maxSize: BODY_BYTES_MAX,
      onError: () => {
        throw new ApiError(413, "body_too_large", `a body may have ${BODY_BYTES_MAX} bytes`);
      },
    }),
  );
  for (const route of [...routes, openApiRoute]) {
    app.on(route.method, route.path, (context) => answer(route, parts, guard, context));
  }
  app.get("*", (context) => {
    const { path } = context.req;
    if (path.startsWith("/api/")) throw notFound(`no route GET ${path}`);
    return pages.respond(path);
  });
  app.notFound((context) => {
    throw notFound(`no route ${context.req.method} ${context.req.path}`);
  });
  app.onError((error) => withHeaders(toApiError(error, parts).toResponse()));
  return app;
}

const openApiRoute: Route = {
  ...{
    method: "GET",
    path: "/api/openapi.json",
    access: "open",
    summary: "This document",
    answers: "OpenAPI 3.1",
  },
  run: ({ inspection }) => openApiDocument([...routes, openApiRoute], inspection.overview().version),
};

async function answer(route: Route, parts: RouteParts, guard: Guard, context: Context): Promise<Response> {
  guard.checkToken(context.req.raw, route.access);
  const call: Call = {
    request: context.req.raw,
    params: context.req.param(),
    query: parse(route.query, context.req.query(), "query"),
    body: route.body === undefined ? {} : parse(route.body, await readJson(context), "body"),
  };
  const result = await route.run(parts, call);
  return result instanceof Response
    ? result
    : Response.json(result, { headers: { "cache-control": "no-store" } });
}

function parse(
  schema: z.ZodObject | undefined,
  value: unknown,
  what: "query" | "body",
): Record<string, unknown> {
  if (schema === undefined) return {};
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || what}: ${message}`);
  throw new ApiError(400, `bad_${what}`, problems.join("; "));
}

async function readJson(context: Context): Promise<unknown> {
  const text = await context.req.text();
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ApiError(400, "bad_body", `the body must be JSON: ${error.message}`);
  }
}

/** What is not ours to tell a caller is logged. */
function toApiError(error: unknown, { warn }: RouteParts): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DeadLetterError)
    return new ApiError(LETTER_STATUS[error.code], error.code, error.message);
  if (error instanceof ActionRefusedError) return new ApiError(409, "action_refused", error.message);
  const message = error instanceof Error ? error.message : String(error);
  warn(`the monitor could not answer: ${message}`);
  return new ApiError(503, "unavailable", "the answer is not to be had now: look at the log of the run");
}

function withHeaders(response: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  return response;
}
