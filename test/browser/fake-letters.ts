/** Dead letters and panels as a monitor would send them, hostile ones among them. */
import type {
  DeadLetterDetail,
  DeadLetterQuery,
  DeadLetterReasons,
  DeadLetterSummary,
  Page,
  PanelData,
  PanelDescription,
} from "../../runners/job/job-view.js";

/** A record that would run as script were it ever read as HTML. */
export const hostile =
  '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>';

const names = ["event_id", "user_id", "event_type", "product_id", "price", "event_timestamp"];

interface Case {
  readonly reason: string;
  readonly failing: string;
  readonly message: string;
  readonly values: readonly string[];
}

const cases: readonly Case[] = [
  {
    reason: "invalid_price",
    failing: "price",
    message: 'price must be 1 to 8 digits and at most 2 more after a point, got "-19.99"',
    values: ["e-90311", "u-4471", "purchase", "p-118", "-19.99", "2026-11-28T09:14:03Z"],
  },
  {
    reason: "invalid_event_type",
    failing: "event_type",
    message: `event_type must be one of view, add_to_cart, purchase, got "${hostile}"`,
    values: ["e-90312", "u-1290", hostile, "p-27", "4.50", "2026-11-28T09:14:03Z"],
  },
  {
    reason: "invalid_event_timestamp",
    failing: "event_timestamp",
    message: 'event_timestamp must be an existing date and time, got "2026-02-30 10:00:00"',
    values: ["e-90313", "u-77", "view", "p-3", "0", "2026-02-30 10:00:00"],
  },
  {
    reason: "field_count",
    failing: "event_timestamp",
    message: "a record has 6 fields, got 5",
    values: ["e-90314", "u-803", "view", "p-9", "1.00"],
  },
];

const lettersMax = 420;

export class FakeLetters {
  private readonly retried = new Map<string, DeadLetterSummary["retry"]>();

  page({ reason = "", search = "", limit = 50, before }: DeadLetterQuery): Page<DeadLetterSummary> {
    const newest = before === undefined ? lettersMax : Number(before) - 1;
    const wanted = Array.from({ length: newest }, (_, index) => this.summary(newest - index)).filter(
      (letter) =>
        (reason === "" || letter.reason === reason) &&
        `${letter.sourceFile} ${letter.messages.join(" ")}`.toLowerCase().includes(search.toLowerCase()),
    );
    const items = wanted.slice(0, limit);
    return { items, next: wanted.length > limit ? (items.at(-1)?.id ?? null) : null };
  }

  detail(id: string): DeadLetterDetail | null {
    const number = Number(id);
    if (!Number.isInteger(number) || number < 1 || number > lettersMax) return null;
    const { failing, values } = caseOf(number);
    // one in ten is no text at all
    const raw =
      number % 10 === 0
        ? Buffer.concat([
            Buffer.from("e-90320,u-5,view,"),
            Buffer.from([0xff, 0xfe, 0x00, 0x9f]),
            Buffer.from(",1.00\r\n"),
          ])
        : Buffer.from(`${values.join(",")}\n`);
    return {
      ...this.summary(number),
      rawBase64: raw.toString("base64"),
      text: number % 10 === 0 ? null : raw.toString(),
      fields:
        number % 10 === 0
          ? null
          : names.map((name, index) => ({ name, value: values[index] ?? "", isFailing: name === failing })),
    };
  }

  retry(id: string, nowMs: number): NonNullable<DeadLetterSummary["retry"]> {
    const undecided = { epoch: null, messages: [], reason: null, attempts: 0 };
    const retry = { status: "requested" as const, by: "monitor", atMs: nowMs, ...undecided };
    this.retried.set(id, retry);
    return retry;
  }

  retryReason(reason: string, nowMs: number): number {
    const ids = Array.from({ length: lettersMax }, (_, index) => index + 1).filter(
      (number) => caseOf(number).reason === reason,
    );
    for (const id of ids) this.retry(String(id), nowMs);
    return ids.length;
  }

  reasons(nowMs: number): DeadLetterReasons {
    const byReason: Record<string, number> = {
      invalid_price: 190,
      invalid_event_type: 110,
      field_count: 72,
      invalid_event_timestamp: 48,
    };
    const atMs = Array.from({ length: 48 }, (_, index) => nowMs - (47 - index) * 300_000);
    const series = Object.fromEntries(
      Object.entries(byReason).map(([reason, total], place) => [
        reason,
        atMs.map((_, index) => Math.round((total / 48) * (1 + Math.sin(index / (3 + place)) * 0.8))),
      ]),
    );
    return { total: lettersMax, byReason, retried: this.retried.size, atMs, series };
  }

  private summary(number: number): DeadLetterSummary {
    const { reason, message } = caseOf(number);
    const file = 9_700 + Math.floor(number / 3);
    return {
      id: String(number),
      reason,
      sourceFile: `data/raw/events-${String(file).padStart(6, "0")}.csv`,
      generation: 1,
      line: 17 + number * 13,
      byteStart: 1_290 + number * 913,
      byteEnd: 1_366 + number * 913,
      epoch: 8_000 + number,
      createdAtMs: Date.now() - (lettersMax - number) * 34_000 - 5_000,
      messages: [message],
      retry: this.retried.get(String(number)) ?? null,
    };
  }
}

export const panels: readonly PanelDescription[] = [
  { name: "funnel", title: "Purchase funnel", chart: "funnel", y: ["views", "carts", "purchases"] },
  {
    name: "hourly",
    title: "Events an hour",
    chart: "lines",
    x: "hour",
    y: ["event_count"],
    by: "event_type",
  },
  {
    name: "top",
    title: "Top products",
    chart: "bars",
    x: "product_id",
    y: ["revenue", "purchases", "unique_buyers"],
  },
  { name: "summary", title: "Summary by event type", chart: "table" },
  { name: "latest", title: "Latest 100 events", chart: "table" },
];

/** A panel's rows at a moment. */
export function panelData(name: string, nowMs: number): PanelData | null {
  const base = { name, queriedAtMs: nowMs - 400, tookMs: 38, staleReason: null };
  const tick = Math.floor(nowMs / 2_000) % 100_000;
  if (name === "funnel") {
    const columns = ["views", "carts", "purchases"].map((column) => ({
      name: column,
      type: "number" as const,
    }));
    return {
      ...base,
      columns,
      rows: [[48_211 + tick, 21_940 + Math.floor(tick / 2), 9_377 + Math.floor(tick / 5)]],
    };
  }
  if (name === "hourly") return { ...base, ...hourly(nowMs) };
  if (name === "top") return { ...base, ...topProducts() };
  if (name === "summary") {
    return {
      ...base,
      columns: [
        { name: "event_type", type: "text" },
        { name: "event_count", type: "number" },
        { name: "unique_users", type: "number" },
        { name: "revenue", type: "number" },
        { name: "last_event", type: "time" },
      ],
      rows: [
        ["view", 12_400_118 + tick, 48_211, "0", nowMs - 900],
        ["add_to_cart", 4_120_447, 21_940, "0", nowMs - 1_200],
        ["purchase", 1_302_880, 9_377, "98231447.12", nowMs - 2_100],
      ],
    };
  }
  if (name === "latest")
    return { ...base, ...latest(nowMs), staleReason: "canceling statement due to statement timeout (57014)" };
  return null;
}

function hourly(nowMs: number): Pick<PanelData, "columns" | "rows"> {
  const hour = Math.floor(nowMs / 3_600_000);
  const rows = Array.from({ length: 36 }, (_, index) => hour - 35 + index).flatMap((at) =>
    ["view", "add_to_cart", "purchase"].map((type, place) => [
      new Date(at * 3_600_000).toISOString().slice(0, 19),
      type,
      Math.round((340_000 / 3 ** place) * (1 + 0.5 * Math.sin(((at % 24) - 8) / 3.8))),
    ]),
  );
  return {
    columns: [
      { name: "hour", type: "time" },
      { name: "event_type", type: "text" },
      { name: "event_count", type: "number" },
    ],
    rows,
  };
}

function topProducts(): Pick<PanelData, "columns" | "rows"> {
  return {
    columns: [
      { name: "product_id", type: "text" },
      { name: "purchases", type: "number" },
      { name: "revenue", type: "number" },
      { name: "unique_buyers", type: "number" },
    ],
    rows: Array.from({ length: 10 }, (_, index) => [
      index === 6 ? hostile : `p-${118 + index * 7}`,
      Math.round(9_400 / (1 + index * 0.35)),
      (1_204_331.5 / (1 + index * 0.42)).toFixed(2),
      Math.round(3_100 / (1 + index * 0.3)),
    ]),
  };
}

function latest(nowMs: number): Pick<PanelData, "columns" | "rows"> {
  return {
    columns: [
      { name: "event_id", type: "text" },
      { name: "user_id", type: "text" },
      { name: "event_type", type: "text" },
      { name: "product_id", type: "text" },
      { name: "price", type: "number" },
      { name: "event_timestamp", type: "time" },
    ],
    rows: Array.from({ length: 100 }, (_, index) => [
      `e-${Math.floor(nowMs / 1_000) - index}`,
      `u-${(index * 7_919) % 50_000}`,
      ["view", "view", "add_to_cart", "purchase"][index % 4] ?? "view",
      `p-${(index * 31) % 500}`,
      (4.5 + index * 1.17).toFixed(2),
      nowMs - 900 - index * 140,
    ]),
  };
}

function caseOf(number: number): Case {
  return cases[number % cases.length] as Case;
}
