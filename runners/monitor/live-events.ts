/** Server-sent events: figures computed once for all who watch, sent on change, and only the newest to a slow reader. */
import type { InspectionEvent, JobInspection } from "../job/job-inspection.js";
import type { LiveEvents as EventData, JobOverview } from "../job/job-view.js";
import { ApiError } from "./api-error.js";
import type { PanelCache } from "./panel-cache.js";

const TICK_MS = 500;
/** What changes by the clock alone is sent so often. */
const CLOCK_TICKS = 10;
/** A comment tells a reader that the connection lives. */
const COMMENT_TICKS = 30;
export const CLIENTS_MAX = 16;
const TOPICS_MAX = 12;
const BATCHES_WAITING_MAX = 50;

/** One reader: of each topic the newest frame waits, of batches a few. */
class Client {
  readonly #frames = new Map<string, string>();
  readonly #batches: string[] = [];
  #wake: () => void = () => undefined;
  #hasEnded = false;

  constructor(readonly topics: ReadonlySet<string>) {}

  put(topic: string, frame: string): void {
    if (topic === "batch") {
      this.#batches.push(frame);
      if (this.#batches.length > BATCHES_WAITING_MAX) this.#batches.shift();
    } else this.#frames.set(topic, frame);
    this.#wake();
  }

  /** What waits is read yet. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** Undefined once it has ended and all of it is taken. */
  async take(): Promise<string | undefined> {
    while (this.#frames.size === 0 && this.#batches.length === 0) {
      if (this.#hasEnded) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const text = [...this.#batches.splice(0), ...this.#frames.values()].join("");
    this.#frames.clear();
    return text;
  }
}

export class LiveEvents {
  readonly #inspection: JobInspection;
  readonly #panels: PanelCache;
  readonly #clients = new Set<Client>();
  /** By topic: what was sent last, and by what it is told apart. */
  readonly #sent = new Map<string, { readonly essence: string; readonly frame: string }>();
  #timer: NodeJS.Timeout | undefined;
  #unsubscribe: () => void = () => undefined;
  #ticks = 0;

  constructor(inspection: JobInspection, panels: PanelCache) {
    this.#inspection = inspection;
    this.#panels = panels;
  }

  /** @throws ApiError for a topic that is none, too many of them, or too many clients */
  parseTopics(text: string): Set<string> {
    const topics = new Set(text.split(",").filter((topic) => topic !== ""));
    if (topics.size === 0 || topics.size > TOPICS_MAX) {
      throw new ApiError(400, "bad_topics", `topics must be 1 to ${TOPICS_MAX} names, got ${topics.size}`);
    }
    for (const topic of topics) {
      if (["overview", "graph", "batch"].includes(topic)) continue;
      if (topic.startsWith("panel:") && this.#panels.has(topic.slice(6))) continue;
      throw new ApiError(400, "bad_topics", `no topic ${JSON.stringify(topic)}`);
    }
    if (this.#clients.size >= CLIENTS_MAX) {
      throw new ApiError(429, "too_many_clients", `${CLIENTS_MAX} clients watch already: close one of them`);
    }
    return topics;
  }

  open(topics: ReadonlySet<string>): Response {
    const client = new Client(topics);
    this.#join(client);
    const stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const text = await client.take();
          if (text === undefined) controller.close();
          else controller.enqueue(Buffer.from(text));
        },
        cancel: () => this.#leave(client),
      },
      { highWaterMark: 0 },
    );
    const headers = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store" };
    return new Response(stream, { headers });
  }

  /** Readers get how it all ended, and then the end of their streams. */
  close(): void {
    this.#refreshJob(this.#wanted());
    for (const client of [...this.#clients]) {
      this.#leave(client);
      client.end();
    }
  }

  #join(client: Client): void {
    this.#clients.add(client);
    client.put("comment", ": welcome\n\n");
    if (this.#timer === undefined) {
      this.#unsubscribe = this.#inspection.subscribe((event) => this.#batch(event));
      this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    }
    for (const topic of client.topics) {
      const known = this.#sent.get(topic);
      if (known !== undefined) client.put(topic, known.frame);
    }
    this.#refresh();
  }

  #leave(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#unsubscribe();
    this.#sent.clear();
  }

  #tick(): void {
    this.#ticks += 1;
    this.#refresh();
    if (this.#ticks % COMMENT_TICKS === 0)
      for (const client of this.#clients) client.put("comment", ": alive\n\n");
  }

  #refresh(): void {
    const wanted = this.#wanted();
    this.#refreshJob(wanted);
    for (const topic of wanted) if (topic.startsWith("panel:")) void this.#refreshPanel(topic);
  }

  #wanted(): ReadonlySet<string> {
    return new Set([...this.#clients].flatMap(({ topics }) => [...topics]));
  }

  #refreshJob(wanted: ReadonlySet<string>): void {
    if (wanted.has("overview")) {
      const overview = this.#inspection.overview();
      this.#send(
        "overview",
        "overview",
        overview,
        essenceOf(overview, Math.floor(this.#ticks / CLOCK_TICKS)),
      );
    }
    if (wanted.has("graph")) {
      const figures = this.#inspection.figures();
      this.#send("graph", "graph", figures, JSON.stringify(figures.steps));
    }
  }

  async #refreshPanel(topic: string): Promise<void> {
    const data = await this.#panels.get(topic.slice(6));
    this.#send(topic, "panel", data, `${data.queriedAtMs} ${data.staleReason}`);
  }

  #batch(event: InspectionEvent): void {
    if (event.type !== "batch") return;
    const frame = frameOf("batch", event.batch);
    for (const client of this.#clients) if (client.topics.has("batch")) client.put("batch", frame);
  }

  #send<Name extends keyof EventData>(
    topic: string,
    name: Name,
    data: EventData[Name],
    essence: string,
  ): void {
    if (this.#sent.get(topic)?.essence === essence) return;
    const frame = frameOf(name, data);
    this.#sent.set(topic, { essence, frame });
    for (const client of this.#clients) if (client.topics.has(topic)) client.put(topic, frame);
  }
}

function frameOf<Name extends keyof EventData>(name: Name, data: EventData[Name]): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Without what every look at the clock changes. */
function essenceOf(
  { nowMs: _, watermarkLagMs: __, process: ___, ...rest }: JobOverview,
  turn: number,
): string {
  return JSON.stringify({ ...rest, turn });
}
