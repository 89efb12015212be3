/** A bundle's scope for tests: keeps everything that its steps do, in order. */

import type { ActiveRestriction, BundleScope } from "../../../runners/bundle/host.js";
import type { Residual, TimerUpdate } from "../../../runners/engine/bundle.js";
import type { Element } from "../../../runners/engine/element.js";
import type { EpochTransaction, Ledger } from "../../../transforms/primitives/do-fn.js";
import type { Metrics } from "../../../transforms/primitives/metrics.js";

export class TestScope implements BundleScope {
  readonly emitted = new Map<string, Element[]>();
  readonly timers: TimerUpdate[] = [];
  readonly residuals: (Residual & { readonly wake?: Promise<void> })[] = [];
  /** Event times told by splittable roots. */
  readonly sourceTimes: number[] = [];
  /** What was counted: `step.name op value`. */
  readonly counted: string[] = [];
  readonly callbacks: (() => void | Promise<void>)[] = [];
  readonly ledgered: string[] = [];
  active: ActiveRestriction | undefined;
  /** Restrictions begun and ended. */
  begun = 0;
  ended = 0;
  nowMs = 0;
  /** Told of each output of a source; a host that has enough checkpoints here. */
  onSourceEmitted: (scope: TestScope) => void = () => undefined;
  readonly ledger: Ledger = {
    add: (fileId, counter, count = 1) => void this.ledgered.push(`${fileId} ${counter} ${count}`),
    addDeadLetter: (fileId, reason, count = 1) => void this.ledgered.push(`${fileId} ${reason} ${count}`),
  };

  constructor(private readonly carry: (value: unknown) => unknown) {}

  emit(collection: string, element: Element): void {
    const elements = this.emitted.get(collection) ?? [];
    elements.push({ ...element, value: this.carry(element.value) });
    this.emitted.set(collection, elements);
  }

  setTimer(update: TimerUpdate): void {
    this.timers.push(update);
  }

  addResidual(residual: Residual, wake?: Promise<void>): void {
    this.residuals.push(wake === undefined ? residual : { ...residual, wake });
  }

  beginRestriction(active: ActiveRestriction): () => void {
    this.active = active;
    this.begun++;
    return () => {
      this.active = undefined;
      this.ended++;
    };
  }

  sourceEmitted(timestampMs: number): void {
    this.sourceTimes.push(timestampMs);
    this.onSourceEmitted(this);
  }

  processingTimeMs(): number {
    return this.nowMs;
  }

  metrics(step: string): Metrics {
    const count = (name: string, op: string) => (value: number) =>
      void this.counted.push(`${step}.${name} ${op} ${value}`);
    return {
      counter: (name) => ({ inc: (by = 1) => count(name, "inc")(by) }),
      distribution: (name) => ({ update: count(name, "update") }),
      gauge: (name) => ({ set: count(name, "set") }),
    };
  }

  afterCommit(callback: () => void | Promise<void>): void {
    this.callbacks.push(callback);
  }

  async transaction(): Promise<EpochTransaction> {
    return { epoch: 1, runId: "r" } as EpochTransaction;
  }

  /** Values emitted to a PCollection. */
  values(collection: string): unknown[] {
    return (this.emitted.get(collection) ?? []).map(({ value }) => value);
  }
}
