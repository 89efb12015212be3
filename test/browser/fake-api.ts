/** A monitor's server without a job behind it: the built pages, every route of the API, and its security headers. */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, extname, join } from "node:path";
import { environment, FakeJob, graph } from "./fake-job.js";
import { FakeLetters, panelData, panels } from "./fake-letters.js";

export const pagesDir = "dist/runners/monitor/pages";
export const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const liveEveryMs = 500;
const limitMax = 200;

export class FakeApi {
  readonly token = "test-token-0123456789";
  readonly job = new FakeJob();
  readonly letters = new FakeLetters();
  /** What was posted, in order. */
  readonly posted: { readonly path: string; readonly body: unknown }[] = [];
  private readonly server: Server = createServer((request, response) => {
    this.answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  private readonly streams = new Set<ServerResponse>();

  /** Starts on a free port of loopback, or on the one it had. */
  async start(port = 0): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(port, "127.0.0.1", resolve);
    });
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const stream of this.streams) stream.destroy();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
    });
  }

  get openStreams(): number {
    return this.streams.size;
  }

  /** To all who read live events now, besides what they get of themselves. */
  push(name: string, data: unknown): void {
    for (const stream of this.streams) write(stream, name, data);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    if (!url.pathname.startsWith("/api/")) return await sendFile(url.pathname, response);
    const hasToken = request.headers.authorization === `Bearer ${this.token}`;
    if (request.method === "POST") return await this.post(url.pathname, request, response, hasToken);
    if (url.pathname === "/api/events") return this.stream(url, response, hasToken);
    if (needsToken(url.pathname) && !hasToken) return refuse(response);
    const body = this.get(url);
    if (body === null) return send(response, 404, error("not-found", `Nothing is at ${url.pathname}`));
    if (url.pathname === "/api/dead-letters/export") {
      response.writeHead(200, { "content-type": "application/x-ndjson" }).end(`${JSON.stringify(body)}\n`);
      return;
    }
    send(response, 200, body);
  }

  private get({ pathname, searchParams }: URL): unknown {
    const now = Date.now();
    const text = (name: string) => searchParams.get(name) ?? "";
    const before = searchParams.get("before");
    const limit = Math.min(limitMax, Number(searchParams.get("limit") ?? 50));
    const fixed: Readonly<Record<string, () => unknown>> = {
      "/api/overview": () => this.job.overview(now),
      "/api/graph": () => graph,
      "/api/graph/figures": () => this.job.graphFigures(now),
      "/api/series": () =>
        this.job.series(Number(text("fromMs")), Number(text("toMs")), Number(text("points"))),
      "/api/batches": () => this.job.batches(now, limit, before),
      "/api/checkpoints": () => this.job.checkpoints(now),
      "/api/files": () => this.job.files(now, text("search"), text("state"), limit, before),
      "/api/environment": () => environment,
      "/api/dead-letters": () =>
        this.letters.page({
          reason: text("reason"),
          search: text("search"),
          limit,
          ...(before === null ? {} : { before }),
        }),
      "/api/dead-letters/reasons": () => this.letters.reasons(now),
      "/api/dead-letters/export": () => this.letters.detail("1"),
      "/api/panels": () => panels,
    };
    const route = fixed[pathname];
    if (route !== undefined) return route();
    const [, , list, id = ""] = pathname.split("/");
    if (list === "batches") return this.job.batchDetail(Number(id));
    if (list === "dead-letters") return this.letters.detail(id);
    if (list === "panels") return panelData(id, now);
    return null;
  }

  private async post(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    hasToken: boolean,
  ): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (!hasToken) return refuse(response);
    const body = JSON.parse(Buffer.concat(chunks).toString() || "{}") as { reason?: string };
    this.posted.push({ path, body });
    const now = Date.now();
    if (path === "/api/dead-letters/retry") {
      return send(response, 200, { requested: this.letters.retryReason(body.reason ?? "", now) });
    }
    const [, , list, id = ""] = path.split("/");
    if (list === "dead-letters") return send(response, 202, this.letters.retry(id, now));
    if (id === "pause" || id === "resume") this.job.isPaused = id === "pause";
    if (id === "drain") this.job.state = "DRAINING";
    if (id === "cancel") this.job.state = "CANCELLING";
    send(response, 202, { state: this.job.state });
  }

  private stream(url: URL, response: ServerResponse, hasToken: boolean): void {
    const topics = (url.searchParams.get("topics") ?? "").split(",");
    if (topics.some((topic) => topic.startsWith("panel:")) && !hasToken) {
      refuse(response);
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    this.streams.add(response);
    let epoch = this.job.epochAt(Date.now());
    const push = (name: string, data: unknown) => write(response, name, data);
    const tick = () => {
      const now = Date.now();
      if (topics.includes("overview")) push("overview", this.job.overview(now));
      if (topics.includes("graph")) push("graph", this.job.graphFigures(now));
      const current = this.job.epochAt(now);
      if (current > epoch) {
        if (topics.includes("batch")) push("batch", this.job.batch(current));
        for (const topic of topics) {
          if (topic.startsWith("panel:")) push("panel", panelData(topic.slice("panel:".length), now));
        }
        epoch = current;
      }
    };
    tick();
    const timer = setInterval(tick, liveEveryMs);
    response.on("close", () => {
      clearInterval(timer);
      this.streams.delete(response);
    });
  }
}

function write(stream: ServerResponse, name: string, data: unknown): void {
  stream.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

function needsToken(path: string): boolean {
  if (path === "/api/dead-letters/reasons") return false;
  return ["/api/environment", "/api/dead-letters", "/api/panels"].some(
    (guarded) => path === guarded || path.startsWith(`${guarded}/`),
  );
}

async function sendFile(path: string, response: ServerResponse): Promise<void> {
  const file = path.startsWith("/assets/")
    ? join("assets", basename(path))
    : path === "/icon.svg"
      ? "icon.svg"
      : "index.html";
  const contents = await readFile(join(pagesDir, file));
  response.writeHead(200, {
    "content-type": types[extname(file)] ?? "application/octet-stream",
    "content-security-policy": contentSecurityPolicy,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  });
  response.end(contents);
}

function refuse(response: ServerResponse): void {
  send(response, 401, error("token-needed", "This needs the token: send it as Authorization: Bearer …"));
}

function error(code: string, message: string): unknown {
  return { error: { code, message } };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
