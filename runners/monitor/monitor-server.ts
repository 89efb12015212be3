/** The server of the page at :4040: listens beside a job, and never keeps the process or fails the job. */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { createApp } from "./app.js";
import { Guard } from "./guard.js";
import { LiveEvents } from "./live-events.js";
import { isLoopback, LOOPBACK_NAMES } from "./loopback.js";
import type { Monitored } from "./monitored.js";
import { PanelCache } from "./panel-cache.js";
import { PrometheusMetrics } from "./prometheus.js";
import { StaticPages } from "./static-pages.js";

export interface MonitorOptions extends Monitored {
  readonly host: string;
  /** Tried first; while it is taken, the next one. */
  readonly port: number;
  readonly token: string;
  /** More names that may stand in `Host`. */
  readonly allowedHosts: readonly string[];
  /** Files of certificate and key. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Takes another address than loopback without TLS. */
  readonly isInsecureAllowed: boolean;
}

export interface RunningMonitor {
  /** E.g. `http://127.0.0.1:4040`. */
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

const PORTS_TRIED = 20;
const CONNECTIONS_MAX = 128;
/** Who does not take the last frame of the events within this time goes without it. */
const LAST_FRAME_MS_MAX = 500;
const IDLE_LOOK_MS = 10;

/** @throws when the address cannot be listened on, or others could listen in */
export async function startMonitor(options: MonitorOptions): Promise<RunningMonitor> {
  const { host, tls, token, allowedHosts, inspection } = options;
  const isOpenToOthers = !isLoopback(host);
  if (isOpenToOthers && tls === undefined && !options.isInsecureAllowed) {
    throw new Error(
      `the monitor must have TLS on ${host}, which others can reach: give --monitor-tls-cert and --monitor-tls-key, ` +
        "or --monitor-insecure where the network is your own",
    );
  }
  const names = [...LOOPBACK_NAMES, host.includes(":") ? `[${host}]` : host, ...allowedHosts];
  const hostNames = new Set(names.map((name) => name.toLowerCase()));
  const guard = new Guard({ token, isOpenToOthers, hostNames });
  const cache = new PanelCache(options.panels);
  const live = new LiveEvents(inspection, cache);
  const prometheus = new PrometheusMetrics(inspection);
  const mustHaveToken = (request: Request) => guard.checkToken(request, "token");
  const app = createApp(
    { ...options, live, cache, prometheus, mustHaveToken },
    guard,
    await StaticPages.find(),
  );
  const server = await createHttpServer(getRequestListener(app.fetch), tls);
  const port = await listen(server, host, options.port);
  const shownHost = host.includes(":") ? `[${host}]` : host === "0.0.0.0" ? "127.0.0.1" : host;
  return {
    url: `${tls === undefined ? "http" : "https"}://${shownHost}:${port}`,
    port,
    close: async () => {
      live.close();
      prometheus.close();
      await closeServer(server);
    },
  };
}

async function createHttpServer(
  listener: ReturnType<typeof getRequestListener>,
  tls: MonitorOptions["tls"],
): Promise<Server> {
  const server = tls === undefined ? createServer(listener) : await createSecureServer(listener, tls);
  server.maxConnections = CONNECTIONS_MAX;
  // who looks on must not keep a process that has nothing else to do
  server.unref();
  server.on("connection", (socket) => socket.unref());
  return server;
}

async function createSecureServer(
  listener: ReturnType<typeof getRequestListener>,
  { certFile, keyFile }: NonNullable<MonitorOptions["tls"]>,
): Promise<Server> {
  const files = { cert: await readFile(certFile), key: await readFile(keyFile) };
  try {
    return createTlsServer(files, listener);
  } catch (error) {
    throw new Error(
      `the monitor cannot use the certificate ${certFile} with the key ${keyFile}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** A connection ends once what was asked through it is answered. */
async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  const look = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS);
  const limit = setTimeout(() => server.closeAllConnections(), LAST_FRAME_MS_MAX);
  await closed;
  clearInterval(look);
  clearTimeout(limit);
}

/** Port 0 is any free one. */
async function listen(server: Server, host: string, first: number): Promise<number> {
  for (let port = first; ; port++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, () => {
          server.off("error", reject);
          resolve();
        });
      });
      return (server.address() as AddressInfo).port;
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      if (!isTaken || port >= Math.min(first + PORTS_TRIED, 65_535)) throw error;
    }
  }
}
