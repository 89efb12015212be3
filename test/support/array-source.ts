/** A source for tests: records given in its configuration, its position kept in a table of its own. */
import { type FileRef, InputRecord } from "../../transforms/input-record.js";
import type {
  FinishBundleContext,
  ProcessContext,
  ProcessContinuation,
  RestrictionTracker,
  SetupContext,
  SplittableDoFn,
} from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";

export interface ArraySourceConfig {
  readonly values: readonly Record<string, string>[];
  /** Whether it ends after the last value. */
  readonly ends: boolean;
  /** Records a call of `process` emits at the most. */
  readonly atOnce: number;
}

type Offset = number;

/** The offset up to which values belong to this bundle, until the host splits off the rest. */
class OffsetTracker implements RestrictionTracker<Offset, number> {
  #claimed: number;
  #stopped = false;
  constructor(readonly from: Offset) {
    this.#claimed = from;
  }
  tryClaim(position: number): boolean {
    if (this.#stopped) return false;
    this.#claimed = position + 1;
    return true;
  }
  trySplit(): { primary: Offset; residual: Offset } | undefined {
    if (this.#stopped) return undefined;
    this.#stopped = true;
    return { primary: this.from, residual: this.#claimed };
  }
  currentRestriction(): Offset {
    return this.#claimed;
  }
}

class ArraySource implements SplittableDoFn<Uint8Array, Offset, number> {
  readonly restoresPosition = true;
  #pipeline = "";
  #stored = 0;
  #from = 0;
  #to = 0;
  constructor(readonly config: ArraySourceConfig) {}

  async setup(context: SetupContext): Promise<void> {
    this.#pipeline = context.pipeline;
    await context.database.query(
      "create table if not exists array_positions (pipeline text primary key, position int)",
    );
    const rows = await context.database.query<{ position: number }>(
      "select position from array_positions where pipeline = $1",
      [context.pipeline],
    );
    this.#stored = rows[0]?.position ?? 0;
  }
  initialRestriction(): Offset {
    return this.#stored;
  }
  createTracker(restriction: Offset): OffsetTracker {
    return new OffsetTracker(restriction);
  }
  truncateRestriction(): undefined {
    return undefined;
  }
  async process(
    _element: Uint8Array,
    tracker: RestrictionTracker<Offset, number>,
    context: ProcessContext,
  ): Promise<ProcessContinuation> {
    this.#from = tracker.currentRestriction();
    this.#to = this.#from;
    const file: FileRef = { fileId: 1, generation: 0, path: "array" };
    while (this.#to < this.config.values.length && this.#to - this.#from < this.config.atOnce) {
      const at = this.#to;
      if (!tracker.tryClaim(at)) break;
      const fields = this.config.values[at] as Record<string, string>;
      const raw = Buffer.from(JSON.stringify(fields));
      const scanned = {
        line: at + 1,
        byteStart: at * 1000,
        byteEnd: at * 1000 + raw.length,
        fields,
        chunk: raw,
        chunkStart: 0,
      };
      this.#to = at + 1;
      context.ledger.add(file.fileId, "records_read");
      context.output(new InputRecord(file, scanned), at);
    }
    if (this.#to < this.config.values.length) return { resume: true, delayMs: 0 };
    return this.config.ends ? { resume: false } : { resume: true, delayMs: 20 };
  }
  async finishBundle(context: FinishBundleContext): Promise<void> {
    if (this.#to === this.#from) return;
    const transaction = await context.transaction();
    await transaction.execute(
      `insert into array_positions values ($1, $2)
       on conflict (pipeline) do update set position = excluded.position`,
      [this.#pipeline, this.#to],
    );
  }
}

export const ARRAY_SOURCE = registerDoFn(
  "array_source@test",
  (config: ArraySourceConfig) => new ArraySource(config),
);
