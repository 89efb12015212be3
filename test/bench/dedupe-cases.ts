/** Benchmarks of deduplication: distinct ids through the cache and through state and timers, with horizons alike. */
import { deduplicate } from "../../transforms/deduplicate.js";
import { deduplicateBy } from "../../transforms/deduplicate-by.js";
import { registerRepresentativeFn } from "../../transforms/deduplicate-by-fn.js";
import { HORIZON_RECORDS_MAX } from "../../transforms/recent-values.js";
import "../../transforms/deduplicate-fn.js";
import { RecordOrigin, type Sourced } from "../../transforms/input-record.js";
import { impulse, P, type PCollection, type Root, withName } from "../../transforms/primitives/beam.js";
import type { ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { splittableParDo } from "../../transforms/primitives/splittable-par-do.js";
import { type ChunksConfig, ChunksFn } from "./chunks-fn.js";

/** What `user-events` remembers by default. */
const HORIZON_RECORDS = 65_536;
/** Longer than any run. */
const FOREVER_RECORDS = HORIZON_RECORDS_MAX;

type Event = Sourced<Readonly<Record<string, unknown>>>;
type Dedupe = (events: PCollection<Event>) => PCollection<Event>;

/** Events of distinct ids, one a ms: so a horizon of so many records is one of so many ms. */
class EventsFn extends ChunksFn {
  readonly #file = { fileId: 1, generation: 0, path: "events.csv" };
  readonly #chunk = Buffer.alloc(0);

  override emit(from: number, to: number, context: ProcessContext): void {
    for (let n = from; n < to; n++) {
      const scanned = { line: n, byteStart: 0, byteEnd: 0, chunk: this.#chunk, chunkStart: 0 };
      const record = new RecordOrigin(this.#file, scanned);
      const value = { event_id: `evt_${n}`, user_id: n % 10_000, event_type: "page_view", value: "12.50" };
      context.output({ record, value }, n);
    }
  }
}

registerDoFn("bench_events@1", (config: ChunksConfig) => new EventsFn(config));
const EVENT_ID = registerRepresentativeFn(
  "bench_event_id@1",
  (_config: null) =>
    ({ value }: Event) =>
      value["event_id"],
);

const cache =
  (records: number): Dedupe =>
  (events) =>
    P(events).apply(
      withName(
        "Dedupe",
        deduplicate<Readonly<Record<string, unknown>>>({ key: "event_id", horizon: { records } }),
      ),
    );

const stateful =
  (durationMs: number): Dedupe =>
  (events) =>
    P(events).apply(
      withName(
        "Dedupe",
        deduplicateBy<Event>(EVENT_ID, null, { horizon: { timeDomain: "event-time", durationMs } }),
      ),
    );

/** By name: `count` counts what passes. */
export function dedupeCases(
  count: (events: PCollection<unknown>) => unknown,
): Record<string, (root: Root, elements: number) => void> {
  const withDedupe = (dedupe: Dedupe) => (root: Root, elements: number) => {
    const events = P(root.apply(withName("Impulse", impulse()))).apply(
      withName(
        "Events",
        splittableParDo<Uint8Array, Event>("bench_events@1", { elements, perMs: 1 }, { bounded: true }),
      ),
    );
    count(dedupe(events));
  };
  return {
    "no-dedupe": withDedupe((events) => events),
    "dedupe-cache-65536": withDedupe(cache(HORIZON_RECORDS)),
    "dedupe-cache-all": withDedupe(cache(FOREVER_RECORDS)),
    "dedupe-state-65536": withDedupe(stateful(HORIZON_RECORDS)),
    "dedupe-state-all": withDedupe(stateful(FOREVER_RECORDS)),
  };
}
