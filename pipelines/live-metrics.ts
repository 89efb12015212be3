/** Metrics of the shop while they happen: minutes, sessions, abandoned carts and top products, kept up to date in tables. */
import type { Sourced } from "../transforms/input-record.js";
import { P, type PCollection, Pipeline, Root, withName } from "../transforms/primitives/beam.js";
import { combinePerKey } from "../transforms/primitives/combine-per-key.js";
import type { JsonValue } from "../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../transforms/primitives/par-do.js";
import { afterCount, afterProcessingTime, afterWatermark, never } from "../transforms/primitives/triggers.js";
import type { KV } from "../transforms/primitives/window.js";
import {
  fixedWindows,
  sessions,
  slidingWindows,
  type WindowFn,
} from "../transforms/primitives/window-fns.js";
import { type WindowingOptions, windowInto } from "../transforms/primitives/window-into.js";
import { type ReadFromDirectoryOptions, readFromDirectory } from "../transforms/read-from-directory.js";
import { validate } from "../transforms/validate-records.js";
import {
  type RowOf,
  type WriteRowsOptions,
  writeRowsToPostgres,
} from "../transforms/write-changes-to-postgres.js";
import { writeDeadLetters } from "../transforms/write-dead-letters.js";
import { ABANDONED_CARTS } from "./live-metrics/abandoned-carts.js";
import {
  KEY_BY_TYPE,
  MINUTE_ROW,
  PURCHASES_TOGETHER,
  SESSION_ROW,
  TOP_PRODUCT_ROWS,
} from "./live-metrics/metric-rows.js";
import { ACCEPT, KEY_BY_SHARD, LATE_OUTPUT, type ShopEvent } from "./live-metrics/shop-event.js";
import { MINUTE_TOTALS, SESSION_TOTALS, TOP_PRODUCTS } from "./live-metrics/totals.js";
import { type UserEvent, userEventSchema } from "./user-event-schema.js";
import { userEventsFormat } from "./user-events.js";

const MINUTE_MS = 60_000;
/** How long nothing happens until a session is over, or a cart abandoned. */
export const PATIENCE_MS = 30 * MINUTE_MS;
const TOP_WINDOW_MS = 10 * MINUTE_MS;
const TOP_COUNT = 10;
/** How often an open minute is written. */
const EARLY_MS = 1_000;

export interface LiveMetricsOptions {
  /** Directory to read. */
  readonly input: string;
  /** Directory for the files of dead letters. */
  readonly errorDir: string;
  /** Between a record's fields; a comma by default. */
  readonly delimiter?: string;
  /** How far behind the watermark an event still counts; 10 minutes by default. */
  readonly allowedLatenessMs?: number;
  /** How long in event time an id is remembered; a day by default, and never less than the lateness. */
  readonly horizonMs?: number;
  /** More for the reader, e.g. `outOfOrdernessMs`. */
  readonly read?: Omit<ReadFromDirectoryOptions, "directory" | "format">;
}

type UserShopEvent = KV<string, ShopEvent>;

/**
 * Builds the graph. An event counts once, by its id, if the watermark has not left it behind by more than the allowed
 * lateness; others are kept in `live_late_events`. All tables are of the same events. For the direct runner.
 */
export function buildLiveMetrics(options: LiveMetricsOptions): Pipeline {
  const { input, errorDir, delimiter = ",", read, allowedLatenessMs = 10 * MINUTE_MS } = options;
  const horizonMs = Math.max(options.horizonMs ?? 24 * 60 * MINUTE_MS, allowedLatenessMs);
  const pipeline = new Pipeline();
  const source = readFromDirectory(
    { ...read, directory: input, format: userEventsFormat(delimiter) },
    "stream",
  );
  const records = new Root(pipeline).apply(withName("ReadEvents", source));
  const { valid, invalid } = P(records).apply(
    withName("ValidateEvents", validate<UserEvent>(userEventSchema.name)),
  );
  P([invalid]).apply(withName("WriteDeadLetters", writeDeadLetters({ errorDir })));

  const keyed = P(valid).apply(
    withName("KeyByShard", registeredParDo<Sourced<UserEvent>, UserShopEvent>(KEY_BY_SHARD, null)),
  );
  const { main: events, late } = P(keyed).apply(
    withName(
      "AcceptEvents",
      registeredParDo<UserShopEvent, { main: UserShopEvent; late: RowOf }>(
        ACCEPT,
        { horizonMs, allowedLatenessMs },
        { outputs: ["main", LATE_OUTPUT] },
      ),
    ),
  );
  write(late, "WriteLateEvents", {
    ...{ table: "live_late_events", conflictKey: ["event_id"], operation: "insert-once" },
    columns: ["event_id", "user_id", "event_type", "product_id", "price", "event_timestamp", "late_by"],
  });
  const metrics = new Metrics(events, allowedLatenessMs);
  metrics.minutes();
  metrics.sessions();
  metrics.abandonedCarts();
  metrics.topProducts();
  return pipeline;
}

/** What is made of the events that count, each metric a branch of its own. */
class Metrics {
  constructor(
    private readonly events: PCollection<UserShopEvent>,
    private readonly allowedLatenessMs: number,
  ) {}

  /** A row a minute and type, written each second while it is open, and again for each late event. */
  minutes(): void {
    const trigger = afterWatermark({
      early: afterProcessingTime({ delayMs: EARLY_MS }),
      late: afterCount(1),
    });
    const byType = this.#parDo<UserShopEvent>("KeyByType", KEY_BY_TYPE);
    const windowed = this.#into("Minutes", byType, fixedWindows(MINUTE_MS), {
      ...{ trigger, accumulation: "accumulating" },
    });
    this.#rows("Minute", windowed, [MINUTE_TOTALS, null], MINUTE_ROW, {
      ...{ table: "live_minutes", conflictKey: ["minute", "event_type"] },
      columns: ["minute", "event_type", "events", "revenue", "version"],
    });
  }

  /** A row a session, once nothing can join it any more: two sessions that a late event makes one were never written. */
  sessions(): void {
    const windowed = this.#into("Sessions", this.events, sessions(PATIENCE_MS), {
      ...{ trigger: never(), accumulation: "discarding" },
    });
    this.#rows("Session", windowed, [SESSION_TOTALS, null], SESSION_ROW, {
      ...{ table: "live_sessions", conflictKey: ["user_id", "started_at"] },
      columns: [
        ...["user_id", "started_at", "ended_at", "events", "views", "carts", "purchases"],
        ...["revenue", "reached", "version"],
      ],
    });
  }

  abandonedCarts(): void {
    const config = { patienceMs: PATIENCE_MS, allowedLatenessMs: this.allowedLatenessMs };
    const carts = this.#parDo<RowOf>("AbandonedCarts", ABANDONED_CARTS, config);
    write(carts, "WriteAbandonedCarts", {
      ...{ table: "live_abandoned_carts", conflictKey: ["user_id", "started_at"], version: "version" },
      columns: ["user_id", "started_at", "last_added_at", "items", "amount", "version"],
      operation: "upsert",
    });
  }

  topProducts(): void {
    const trigger = afterWatermark({ late: afterCount(1) });
    const purchases = this.#parDo<UserShopEvent>("Purchases", PURCHASES_TOGETHER);
    const windows = slidingWindows({ sizeMs: TOP_WINDOW_MS, periodMs: MINUTE_MS });
    const windowed = this.#into("TopWindows", purchases, windows, { trigger, accumulation: "accumulating" });
    this.#rows("TopProduct", windowed, [TOP_PRODUCTS, { count: TOP_COUNT }], TOP_PRODUCT_ROWS, {
      ...{ table: "live_top_products", conflictKey: ["window_start", "rank"] },
      columns: ["window_start", "rank", "product_id", "purchases", "revenue", "version"],
    });
  }

  #parDo<Out>(name: string, fn: string, config: JsonValue = null): PCollection<Out> {
    return P(this.events).apply(withName(name, registeredParDo<UserShopEvent, Out>(fn, config)));
  }

  #into(
    name: string,
    input: PCollection<UserShopEvent>,
    // biome-ignore lint/suspicious/noExplicitAny: each has windows of its own type
    windows: WindowFn<any>,
    options: WindowingOptions,
  ): PCollection<UserShopEvent> {
    const { allowedLatenessMs } = this;
    return P(input).apply(
      withName(name, windowInto<UserShopEvent>(windows, { ...options, allowedLatenessMs })),
    );
  }

  /** Totals of each key and window, as rows of a table that a later firing replaces. */
  #rows(
    name: string,
    input: PCollection<UserShopEvent>,
    [combineFn, config]: readonly [fn: string, config: JsonValue],
    rowFn: string,
    table: Pick<WriteRowsOptions, "table" | "columns" | "conflictKey">,
  ): void {
    const totals = P(input).apply(
      withName(`${name}Totals`, combinePerKey<string, ShopEvent, unknown>(combineFn, config)),
    );
    const rows = P(totals).apply(
      withName(`${name}Rows`, registeredParDo<KV<string, unknown>, RowOf>(rowFn, null)),
    );
    write(rows, `Write${name}s`, { ...table, version: "version", operation: "upsert" });
  }
}

function write(rows: PCollection<RowOf>, name: string, options: WriteRowsOptions): void {
  P(rows).apply(withName(name, writeRowsToPostgres(options)));
}
