/** The scope of one bundle: what its steps emit, set and leave is collected here for the engine. */
import type { EpochTransaction, Ledger } from "../../transforms/primitives/do-fn.js";
import type { Metrics } from "../../transforms/primitives/metrics.js";
import type { ActiveRestriction, BundleScope } from "../bundle/host.js";
import type { BundleResult, Residual, TimerUpdate } from "../engine/bundle.js";
import type { Element } from "../engine/element.js";
import type { Epoch } from "./epoch.js";

/** What a scope needs from the loop that runs its bundle. */
export interface ScopeLimits {
  /** Elements that splittable steps emit into one bundle, at the most. */
  readonly sourceRecordsMax: number;
  /** Fires when what a restriction has left shall wait for the drain to truncate it. */
  readonly drain: AbortSignal;
  readonly processingTimeMs: () => number;
  /** Takes what ends the wait of the root's residuals earlier. */
  readonly wakeBy: (root: string, wake: Promise<void>) => void;
}

/** Effects of one bundle on its epoch, and its result for the engine. */
export class DirectBundleScope implements BundleScope {
  readonly ledger: Ledger;
  /** What is worked on is the truncated rest of a drain: it is done to its end. */
  isTruncated = false;
  inputWatermarkMs: number | undefined;
  /** A step has asked for the transaction. */
  hasTransaction = false;
  readonly #epoch: Epoch;
  readonly #limits: ScopeLimits;
  readonly #active = new Set<ActiveRestriction>();
  #waitedMs = 0;
  #sourceRecords = 0;
  #outputs = new Map<string, Element[]>();
  #timers: TimerUpdate[] = [];
  #residuals: Residual[] = [];

  constructor(epoch: Epoch, limits: ScopeLimits) {
    this.#epoch = epoch;
    this.#limits = limits;
    this.ledger = epoch.ledger;
  }

  metrics(step: string): Metrics {
    return this.#epoch.metrics.of(step);
  }

  afterCommit(callback: () => void | Promise<void>): void {
    this.#epoch.afterCommit(callback);
  }

  async transaction(): Promise<EpochTransaction> {
    this.hasTransaction = true;
    const startMs = performance.now();
    const transaction = await this.#epoch.transaction();
    this.#waitedMs += performance.now() - startMs;
    return transaction;
  }

  get waitedMs(): number {
    return this.#waitedMs;
  }

  processingTimeMs(): number {
    return this.#limits.processingTimeMs();
  }

  emit(collection: string, element: Element): void {
    const elements = this.#outputs.get(collection);
    if (elements === undefined) this.#outputs.set(collection, [element]);
    else elements.push(element);
  }

  setTimer(update: TimerUpdate): void {
    this.#timers.push(update);
  }

  addResidual(residual: Residual, wake?: Promise<void>): void {
    this.#residuals.push(residual);
    if (wake !== undefined) this.#limits.wakeBy(residual.root, wake);
  }

  beginRestriction(active: ActiveRestriction): () => void {
    this.#active.add(active);
    if (this.#limits.drain.aborted && !this.isTruncated) active.checkpoint();
    return () => void this.#active.delete(active);
  }

  /** Ends what is being worked on; the rest of it becomes residuals. */
  checkpoint(): void {
    for (const active of this.#active) active.checkpoint();
  }

  sourceEmitted(timestampMs: number): void {
    this.#epoch.sourceEmitted(timestampMs);
    this.#sourceRecords += 1;
    if (this.#sourceRecords >= this.#limits.sourceRecordsMax) this.checkpoint();
  }

  /** What came of the bundle since the last call. */
  takeResult(): BundleResult {
    const result = { outputs: this.#outputs, timers: this.#timers, residuals: this.#residuals };
    this.#outputs = new Map();
    this.#timers = [];
    this.#residuals = [];
    return result;
  }
}
