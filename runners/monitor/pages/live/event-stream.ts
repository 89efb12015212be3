/** Keeps one stream of server-sent events open: reads it with fetch, so that the token is no part of an address. */
import { ApiError, errorOf } from "../api.js";
import { type ServerEvent, SseParser } from "./sse-parser.js";

export type Connection =
  | { readonly state: "connecting" | "live" }
  | {
      readonly state: "lost";
      readonly reason: string;
      readonly sinceMs: number;
      /** Of the server's answer, where it is there and gives no stream: 401 for a token that is not its own. */
      readonly status: number | null;
    };

export interface EventStreamOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly onEvent: (event: ServerEvent) => void;
  readonly onConnection: (connection: Connection) => void;
  /** The real ones by default; tests give their own. */
  readonly fetch?: typeof fetch;
  readonly now?: () => number;
  readonly delay?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly random?: () => number;
}

/** Nothing for so long means that the connection is dead, whatever the network says: the server sends a comment sooner. */
export const silenceMaxMs = 30_000;
const firstRetryMs = 500;
const retryMaxMs = 10_000;

/** Reads until the signal aborts, and connects again whenever it ends. */
export async function readEvents(options: EventStreamOptions, signal: AbortSignal): Promise<void> {
  const { now = Date.now, delay = realDelay, random = Math.random } = options;
  let attempt = 0;
  let heardAtMs = now();
  while (!signal.aborted) {
    let reason = "The server ended the stream";
    let status: number | null = null;
    try {
      await readOnce(options, signal, () => {
        attempt = 0;
        heardAtMs = now();
      });
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
      status = error instanceof ApiError ? error.status : null;
    }
    if (signal.aborted) return;
    options.onConnection({ state: "lost", reason, sinceMs: heardAtMs, status });
    const limit = Math.min(retryMaxMs, firstRetryMs * 2 ** attempt);
    attempt++;
    await delay(limit * (0.5 + random() / 2), signal);
  }
}

async function readOnce(
  options: EventStreamOptions,
  signal: AbortSignal,
  onHeard: () => void,
): Promise<void> {
  const silence = new AbortController();
  const either = AbortSignal.any([signal, silence.signal]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(
      () => silence.abort(new Error(`Nothing came for ${silenceMaxMs / 1_000} s`)),
      silenceMaxMs,
    );
  };
  heard();
  try {
    const response = await (options.fetch ?? fetch)(options.url, {
      headers: options.headers,
      signal: either,
    });
    if (!response.ok) throw await errorOf(response);
    if (response.body === null) throw new Error("The server's answer is empty");
    const parser = new SseParser();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    options.onConnection({ state: "live" });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      onHeard();
      for (const event of parser.push(decoder.decode(value, { stream: true }))) options.onEvent(event);
    }
  } finally {
    clearTimeout(timer);
  }
}

function realDelay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
