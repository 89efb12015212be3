/** Applies an epoch of the log to another database: its rows and the rows of its ledger, one transaction. */
import { createHash } from "node:crypto";
import { checkChangedTable, repeatProblem, type TableFacts } from "../../../sql/changed-table.js";
import { runOfCommit } from "../../../sql/commits.js";
import type { PipelineKey } from "../../../sql/pipelines.js";
import {
  acceptStatement,
  advanceLedger,
  keepRefused,
  type LedgerRow,
  lockLedger,
} from "../../../sql/sink-ledger.js";
import {
  isLogged,
  type OutboxEntry,
  readBatch,
  readEntries,
  type SinkTarget,
} from "../../../sql/sink-outbox.js";
import type { SqlQueries, SqlSession, SqlTransaction } from "../../../sql/sql-session.js";
import { StagedChanges } from "../../../sql/staged-changes.js";
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { failpoint } from "../../../transforms/primitives/failpoint.js";
import { judge } from "./ledger-verdict.js";
import { SinkLedgerError } from "./sink-errors.js";

/** What became of the changes of a step, as its counters have it. */
export type ReplayCounts = Readonly<Record<"inserted" | "updated" | "deleted" | "stale" | "refused", number>>;

export interface ApplyOptions {
  readonly key: PipelineKey;
  /** The name of the other database. */
  readonly database: string;
  /** On the coordinating database. */
  readonly queries: SqlQueries;
  readonly log: Log;
}

/** One run's way of applying epochs; a connection that broke is replaced by `connected`. */
export class EpochApplier {
  readonly #options: ApplyOptions;
  /** Steps whose ledger has been found where it should be, in this run: from then on only this run moves it. */
  readonly #settled = new Set<string>();
  /** By stage name: on the connection that there is. */
  #stages = new Map<string, StagedChanges>();
  #session: SqlSession | undefined;

  constructor(options: ApplyOptions) {
    this.#options = options;
  }

  connected(session: SqlSession): void {
    this.#session = session;
    this.#stages = new Map();
  }

  /**
   * Applies what is not there yet. After a failure the connection must be closed, which rolls back.
   * @returns what became of the changes, by step; of steps whose rows were there already, nothing
   * @throws SinkLedgerError when the two databases do not fit
   */
  async apply(epoch: number): Promise<ReadonlyMap<string, ReplayCounts>> {
    const { key, database, queries } = this.#options;
    const session = this.#session as SqlSession;
    const entries = await readEntries(queries, key, database, epoch);
    failpoint("before-replay");
    const counts = new Map<string, ReplayCounts>();
    await session.begin();
    // a stage is known by its transaction, so each epoch needs an object of its own
    const transaction: SqlTransaction = {
      query: (text, values) => session.query(text, values),
      execute: (text, values) => session.execute(text, values),
      copy: (statement, chunks) => session.copy(statement, chunks),
    };
    for (const entry of entries) {
      const ledger = await lockLedger(transaction, key, entry);
      if (await this.#isApplied(entry, ledger)) continue;
      counts.set(entry.step, await this.#applyEntry(transaction, entry));
      await advanceLedger(transaction, key, entry);
    }
    failpoint("before-replay-commit");
    await session.commit();
    failpoint("after-replay");
    for (const { step } of entries) this.#settled.add(step);
    return counts;
  }

  async #isApplied(entry: OutboxEntry, ledger: LedgerRow): Promise<boolean> {
    const { key, queries, database, log } = this.#options;
    const { pipeline } = key;
    const verdict = await judge(entry, ledger, {
      isLogged: (mark) => isLogged(queries, key, entry.step, mark),
      runOfCommit: (epoch) => runOfCommit(queries, pipeline, epoch),
    });
    if (verdict === "apply" || verdict === "applied") return verdict === "applied";
    const problem = repeatProblem(entry.target, new Set(entry.target.operations));
    const at = `epoch ${ledger.mark?.epoch} of run ${ledger.mark?.runId}`;
    if (verdict !== "lost-here" || this.#settled.has(entry.step) || problem !== undefined) {
      throw new SinkLedgerError(this.#misfit(verdict, entry, ledger, problem));
    }
    log.warn(
      `sink ${entry.step} in database "${database}" is at ${at}, which the coordinating database has lost: ` +
        `what comes again from epoch ${entry.epoch} on is written over it by key`,
    );
    return false;
  }

  #misfit(
    verdict: string,
    entry: OutboxEntry,
    { chain, mark }: LedgerRow,
    problem: string | undefined,
  ): string {
    const { key, database } = this.#options;
    const there = mark === undefined ? "no epoch" : `epoch ${mark.epoch} of run ${mark.runId}`;
    const before = entry.after === undefined ? "its first" : `the one after epoch ${entry.after.epoch}`;
    const head =
      `sink ${entry.step} in database "${database}" has ${there}; ` +
      `the next to be replayed is epoch ${entry.epoch} of run ${entry.runId}, ${before}`;
    const why =
      verdict === "others"
        ? `what is there is of another coordinating database (chain ${chain}, not ${entry.chain})`
        : verdict === "lost-there"
          ? "what came between was confirmed and is no longer kept: the other database has lost it"
          : this.#settled.has(entry.step)
            ? "another run has written there meanwhile, from another coordinating database or an older copy of it"
            : `the coordinating database has lost what is there, and it comes again, but ${problem}`;
    const accept = acceptStatement(key, entry);
    return `${head}: ${why}. To have it replayed on top of what is there, run in that database: ${accept}`;
  }

  async #applyEntry(transaction: SqlTransaction, entry: OutboxEntry): Promise<ReplayCounts> {
    const { key, queries } = this.#options;
    const stage = await this.#stageOf(entry);
    const counts = { inserted: 0, updated: 0, deleted: 0, stale: 0, refused: 0 };
    for (let number = 0; number < entry.batches; number++) {
      const batch = await readBatch(queries, key, entry, number);
      // it was confirmed by another run between two statements: nothing of this transaction may stay
      if (batch === undefined) throw new SinkLedgerError(gone(entry, this.#options.database));
      const { rows, operations } = batch;
      const { inserted, updated, deleted, rejections } = await stage.write(transaction, rows, operations);
      await keepRefused(transaction, key, entry, number, rows, rejections);
      failpoint("mid-replay");
      counts.inserted += inserted;
      counts.updated += updated;
      counts.deleted += deleted;
      counts.refused += rejections.length;
      counts.stale += rows.length - inserted - updated - deleted - rejections.length;
    }
    return counts;
  }

  /** Of a table as it was when its rows were logged. @throws ChangedTableError when the database has it otherwise */
  async #stageOf({ step, target }: OutboxEntry): Promise<StagedChanges> {
    const hash = createHash("sha256")
      .update(JSON.stringify([step, target]))
      .digest("hex")
      .slice(0, 16);
    const name = `millrace_stage_${hash}`;
    let stage = this.#stages.get(name);
    if (stage === undefined) {
      const facts = await checkTarget(this.#session as SqlSession, target);
      // others may write there; without a key they have no row in common
      stage = new StagedChanges(target, name, facts, target.conflictKey !== undefined);
      this.#stages.set(name, stage);
    }
    return stage;
  }
}

/** @throws ChangedTableError with every difference between the table and what the step says of it */
export function checkTarget(queries: SqlQueries, target: SinkTarget): Promise<TableFacts> {
  return checkChangedTable(queries, target, new Set(target.operations));
}

function gone({ step, epoch }: OutboxEntry, database: string): string {
  return `epoch ${epoch} of sink ${step} in database "${database}" was taken out of the log while it was replayed`;
}
