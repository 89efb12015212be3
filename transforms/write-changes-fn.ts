/** The DoFn of `writeChangesToPostgres` and `writeRowsToPostgres`: hands a bundle's changes to its transaction. */
import { createHash } from "node:crypto";
import {
  type ChangedTable,
  checkChangedTable,
  OPERATIONS,
  type Operation,
  repeatProblem,
} from "../sql/changed-table.js";
import { CopyRows } from "../sql/copy-text.js";
import { SINK_DATABASE_NAME } from "../sql/sink-databases.js";
import { SinkLog, type SinkTarget } from "../sql/sink-outbox.js";
import { type ChangesResult, StagedChanges } from "../sql/staged-changes.js";
import { inTurn } from "../sql/transaction-turns.js";
import type { Problem } from "./input-record.js";
import type {
  BundleContext,
  DoFn,
  FinishBundleContext,
  ProcessContext,
  SetupContext,
} from "./primitives/do-fn.js";
import { failpoint } from "./primitives/failpoint.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import type { SinkPlace, SinkPromise } from "./primitives/sink-promise.js";
import { NO_FIRING, type Window } from "./primitives/window.js";
import { rejectionProblem } from "./rejection-problem.js";
import {
  changeFields,
  changeOf,
  deleteFields,
  problemOf,
  type RejectedChange,
  type RowChange,
  RowRefusedError,
} from "./row-change.js";
import { REJECTED_OUTPUT, WAITING_BYTES_MAX, WAITING_ROWS_MAX, WaitingBatches } from "./waiting-batches.js";

export interface WriteChangesConfig extends ChangedTable {
  /** What becomes of all rows; without it each element says so itself. */
  readonly operation?: Operation | undefined;
  /** The name of a connection to another database, where the table is. */
  readonly database?: string | undefined;
}

/** A change, and where in time it stands. */
interface Waiting {
  readonly change: RowChange;
  readonly timestampMs: number;
  readonly windows: readonly Window[];
}

class Batch {
  readonly rows = new CopyRows();
  readonly waiting: Waiting[] = [];

  clear(): void {
    this.rows.clear();
    this.waiting.length = 0;
  }
}

/**
 * Writes each change in the transaction of its bundle: see `writeChangesToPostgres` for what comes of it. Elements need
 * no record of a file, and the ledger is not asked: counts are metrics of the step.
 */
export class WriteChangesFn implements DoFn {
  /** One batch is on its way while the next one fills. */
  readonly concurrencyMax = 2;
  readonly #config: WriteChangesConfig;
  readonly #operations: ReadonlySet<Operation>;
  readonly #batches = new WaitingBatches(() => new Batch());
  #changes: StagedChanges | undefined;
  /** Where rows go that are for another database. */
  #log: SinkLog | undefined;

  /** @throws Error for a configuration that names what it has not */
  constructor(config: WriteChangesConfig) {
    checkConfig(config);
    this.#config = config;
    this.#operations = new Set(config.operation === undefined ? OPERATIONS : [config.operation]);
  }

  sinkPromise({ bundlesMayRepeat }: SinkPlace): SinkPromise {
    const { table, database } = this.#config;
    if (database !== undefined) return this.#promiseElsewhere(database, bundlesMayRepeat);
    if (!bundlesMayRepeat) return { target: table, guarantee: "exactly once" };
    const refusal = repeatProblem(this.#config, this.#operations);
    return refusal === undefined
      ? { target: table, guarantee: "idempotent by key" }
      : { target: table, refusal };
  }

  #promiseElsewhere(database: string, bundlesMayRepeat: boolean): SinkPromise {
    const { table } = this.#config;
    const target = `${table} in database "${database}"`;
    if (bundlesMayRepeat) {
      const refusal =
        `table "${table}" is in another database, "${database}", ` +
        "into which only the direct runner replays what it has committed";
      return { target, refusal };
    }
    const guarantee = "exactly once, replayed behind the commit";
    return { target, guarantee, elsewhere: { database, table: targetOf(this.#config, this.#operations) } };
  }

  async setup(context: SetupContext): Promise<void> {
    const { database, bundlesMayRepeat, step } = context;
    if (this.#config.database !== undefined) {
      const target = targetOf(this.#config, this.#operations);
      const key = { pipeline: context.pipeline, shard: 0 };
      this.#log = new SinkLog({ key, step, database: this.#config.database, target });
      return;
    }
    const hash = createHash("sha256").update(step).digest("hex").slice(0, 16);
    const facts = await checkChangedTable(database, this.#config, this.#operations);
    this.#changes = new StagedChanges(this.#config, `millrace_stage_${hash}`, facts, bundlesMayRepeat);
  }

  startBundle(_context: BundleContext): void {
    this.#batches.begin();
  }

  process(element: unknown, context: ProcessContext): void | Promise<void> {
    const config = this.#config;
    const change = changeOf(element, config, config.operation);
    const { timestampMs, windows } = context;
    const problem = problemOf(change, config);
    if (problem !== undefined) {
      context.metrics.counter("rejected").inc();
      this.#reject({ change, timestampMs, windows }, problem, context);
      return undefined;
    }
    const fields =
      change.operation === "delete" ? deleteFields(change, config) : changeFields(change, config);
    const { rows } = this.#batches.filling;
    const isFull = rows.length >= WAITING_ROWS_MAX || rows.bytes >= WAITING_BYTES_MAX;
    const written = isFull ? this.#write(context) : undefined;
    const batch = this.#batches.filling;
    batch.rows.push(fields);
    batch.waiting.push({ change, timestampMs, windows });
    return written;
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    if (this.#batches.filling.rows.length > 0) await this.#write(context);
  }

  #write(context: ProcessContext | FinishBundleContext): Promise<void> {
    return this.#batches.write((batch) => this.#writeBatch(batch, context));
  }

  async #writeBatch({ rows, waiting }: Batch, context: ProcessContext | FinishBundleContext): Promise<void> {
    const transaction = await context.transaction();
    const operations = new Set(waiting.map(({ change }) => change.operation));
    if (this.#log !== undefined) {
      const log = this.#log;
      await inTurn(transaction, () => log.write(transaction, rows, operations));
      failpoint("after-rows");
      context.metrics.counter("logged").inc(waiting.length);
      return;
    }
    const result = await inTurn(transaction, () =>
      (this.#changes as StagedChanges).write(transaction, rows, operations),
    );
    failpoint("after-rows");
    count(result, waiting.length, context);
    for (const { index, error } of result.rejections) {
      this.#reject(waiting[index] as Waiting, rejectionProblem(error), context, error);
    }
  }

  /** At the time and in the windows of its element. @throws RowRefusedError where nobody takes it */
  #reject(
    { change, timestampMs, windows }: Waiting,
    problem: Problem,
    context: ProcessContext | FinishBundleContext,
    cause?: Error,
  ): void {
    const rejected: RejectedChange = { ...change, problem };
    if (!context.isRead(REJECTED_OUTPUT)) throw new RowRefusedError(this.#config, rejected, cause);
    context.outputWindowed(REJECTED_OUTPUT, { value: rejected, timestampMs, windows, pane: NO_FIRING });
  }
}

/** Every change is one of these: `stale` are those that came to nothing. */
function count(
  { inserted, updated, deleted, rejections }: ChangesResult,
  changes: number,
  { metrics }: BundleContext,
): void {
  const stale = changes - inserted - updated - deleted - rejections.length;
  const counts = { inserted, updated, deleted, stale, rejected: rejections.length };
  for (const [name, value] of Object.entries(counts)) metrics.counter(name).inc(value);
}

/** The table as it is logged: what a later program needs to know to replay the rows. */
function targetOf(
  { table, columns, conflictKey, version, tombstone }: WriteChangesConfig,
  operations: ReadonlySet<Operation>,
): SinkTarget {
  return { table, columns, conflictKey, version, tombstone, operations: [...operations] };
}

function checkConfig({
  table,
  columns,
  conflictKey,
  version,
  tombstone,
  operation,
  database,
}: WriteChangesConfig): void {
  const must = (isRight: boolean, rule: string): void => {
    if (!isRight) throw new Error(`the sink of table "${table}": ${rule}`);
  };
  const list = columns.join(", ");
  must(columns.length > 0, "`columns` must name at least one column");
  must(new Set(columns).size === columns.length, `\`columns\` must not name one twice, got ${list}`);
  must(
    operation === undefined || OPERATIONS.includes(operation),
    `\`operation\` must be one of ${OPERATIONS.join(", ")}, got ${JSON.stringify(operation)}`,
  );
  must(
    database === undefined || SINK_DATABASE_NAME.test(database),
    "`database` must be the name of a connection: lower-case letters, digits and underscores, the first a letter, " +
      `got ${JSON.stringify(database)}`,
  );
  must(conflictKey?.length !== 0, "`conflictKey` must name at least one column");
  must(
    conflictKey !== undefined || operation === "insert-once",
    `\`conflictKey\` is needed for ${operation ?? "upserts and deletes"}: it says which row a change is of`,
  );
  for (const column of conflictKey ?? []) {
    must(columns.includes(column), `conflict key "${column}" must be one of its columns, ${list}`);
  }
  if (version !== undefined) {
    must(columns.includes(version), `version "${version}" must be one of its columns, ${list}`);
    must(!conflictKey?.includes(version), `version "${version}" must not be in the conflict key`);
  }
  if (tombstone !== undefined) {
    must(
      !columns.includes(tombstone),
      `tombstone "${tombstone}" must not be one of its columns: it is set here`,
    );
    must(version !== undefined, `tombstone "${tombstone}" keeps a version, and there is none`);
  }
}

export const WRITE_CHANGES_FN = registerDoFn(
  "write_changes@1",
  (config: WriteChangesConfig) => new WriteChangesFn(config),
);
