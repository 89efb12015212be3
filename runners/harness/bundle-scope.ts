/** One bundle as its steps see it: what they emit goes to the runner, what they leave and count into the answer. */
import type { EpochTransaction, Ledger } from "../../transforms/primitives/do-fn.js";
import type { Metrics } from "../../transforms/primitives/metrics.js";
import type { ActiveRestriction, BundleScope } from "../bundle/host.js";
import type { Residual, TimerUpdate } from "../engine/bundle.js";
import type { Element } from "../engine/element.js";
import { BundleMetrics, type WorkProgress } from "./bundle-metrics.js";
import type { BundleOutputs } from "./bundle-outputs.js";
import type { BundleTransaction } from "./database/worker-database.js";

/** After so much an unbounded restriction is checkpointed, so that its bundle ends and its outputs count. */
const CHECKPOINT_ELEMENTS = 10_000;
const CHECKPOINT_MS = 10_000;

export interface ScopeParts {
  readonly outputs: BundleOutputs;
  readonly now: () => number;
  /** Whether what the step makes is bounded. */
  readonly isBounded: (step: string) => boolean;
  /** What the bundle writes into the database; undefined where the worker has none. */
  readonly transaction: BundleTransaction | undefined;
}

/** A step asks for what only a database can give. */
export class NoWorkerDatabaseError extends Error {
  override readonly name = "NoWorkerDatabaseError";
  readonly code = "MILLRACE_NO_DATABASE";

  constructor(what: string) {
    super(
      `${what}, and this worker has no database: submit the pipeline with one, and name it (DATABASE_URL or PG*) ` +
        "in the environment of its worker pool",
    );
  }
}

export class HarnessBundleScope implements BundleScope {
  readonly figures: BundleMetrics;
  readonly residuals: Residual[] = [];
  /** Called when the runner says that the bundle is committed. */
  readonly afterCommits: (() => void | Promise<void>)[] = [];
  readonly #parts: ScopeParts;
  readonly #active = new Map<ActiveRestriction, () => void>();
  #emitted = 0;

  constructor(parts: ScopeParts) {
    this.#parts = parts;
    this.figures = new BundleMetrics(parts.now);
  }

  get ledger(): Ledger {
    return this.#written("the ledger is asked for").ledger;
  }

  metrics(step: string): Metrics {
    return this.figures.of(step);
  }

  afterCommit(callback: () => void | Promise<void>): void {
    this.afterCommits.push(callback);
  }

  async transaction(): Promise<EpochTransaction> {
    return this.#written("a transaction is asked for").open();
  }

  /** Commits what was written, if anything was. @throws what the database has against it */
  async commit(): Promise<void> {
    await this.#parts.transaction?.commit();
  }

  /** The bundle is lost, and whatever it has written too, unless its commit is on its way. */
  rollback(): Promise<void> {
    return this.#parts.transaction?.rollback() ?? Promise.resolve();
  }

  #written(what: string): BundleTransaction {
    if (this.#parts.transaction === undefined) throw new NoWorkerDatabaseError(what);
    return this.#parts.transaction;
  }

  processingTimeMs(): number {
    return this.#parts.now();
  }

  emit(collection: string, element: Element): void {
    this.#parts.outputs.emit(collection, element);
  }

  setTimer(update: TimerUpdate): void {
    this.#parts.outputs.setTimer(update);
  }

  addResidual(residual: Residual): void {
    this.residuals.push(residual);
  }

  beginRestriction(active: ActiveRestriction): () => void {
    if (this.#parts.isBounded(active.root)) {
      this.#active.set(active, () => undefined);
    } else {
      const timeout = setTimeout(() => active.checkpoint(), CHECKPOINT_MS);
      this.#active.set(active, () => clearTimeout(timeout));
      this.#emitted = 0;
    }
    return () => {
      this.#active.get(active)?.();
      this.#active.delete(active);
    };
  }

  sourceEmitted(): void {
    this.#emitted += 1;
    if (this.#emitted % CHECKPOINT_ELEMENTS !== 0) return;
    for (const active of this.#active.keys()) {
      if (!this.#parts.isBounded(active.root)) active.checkpoint();
    }
  }

  /** The restriction being worked on, if one is: the steps work on one at a time. */
  get active(): ActiveRestriction | undefined {
    const [active] = this.#active.keys();
    return active;
  }

  /** How far the restriction being worked on is. */
  work(): WorkProgress[] {
    return [...this.#active.keys()].flatMap((active) => {
      const progress = active.progress();
      return progress === undefined ? [] : [{ step: active.root, ...progress }];
    });
  }

  /** The bundle is over, however it ended. */
  end(): void {
    for (const stop of this.#active.values()) stop();
    this.#active.clear();
  }
}
