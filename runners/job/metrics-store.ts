/** The metrics of a running job: each epoch counts by itself, and becomes committed with its commit. */
import type { Counter, Distribution, Gauge, Metrics } from "../../transforms/primitives/metrics.js";
import {
  addDistributions,
  type DistributionValue,
  type GaugeValue,
  type MetricResult,
  type MetricResults,
} from "./metrics.js";

/** Values by step, then name. */
type Table<Value> = Map<string, Map<string, Value>>;

/** What was counted so far by some epochs, or in one. */
class MetricTables {
  readonly counters: Table<number> = new Map();
  readonly distributions: Table<DistributionValue> = new Map();
  readonly gauges: Table<GaugeValue> = new Map();

  add(other: MetricTables): void {
    addTable(this.counters, other.counters, (a, b) => a + b);
    addTable(this.distributions, other.distributions, addDistributions);
    addTable(this.gauges, other.gauges, (a, b) => (b.timestampMs >= a.timestampMs ? b : a));
  }
}

/** The metrics of one epoch. */
export class EpochMetrics {
  readonly tables = new MetricTables();
  readonly #now: () => number;
  readonly #steps = new Map<string, Metrics>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** What the DoFn of the step updates. */
  of(step: string): Metrics {
    let metrics = this.#steps.get(step);
    if (metrics === undefined) {
      metrics = new StepMetrics(step, this.tables, this.#now);
      this.#steps.set(step, metrics);
    }
    return metrics;
  }
}

/** All metrics of a job. */
export class MetricsStore {
  readonly #now: () => number;
  readonly #committed = new MetricTables();
  /** Of epochs that will never commit. */
  readonly #abandoned = new MetricTables();
  readonly #inFlight = new Set<EpochMetrics>();

  constructor(now: () => number) {
    this.#now = now;
  }

  begin(): EpochMetrics {
    const epoch = new EpochMetrics(this.#now);
    this.#inFlight.add(epoch);
    return epoch;
  }

  commit(epoch: EpochMetrics): void {
    if (this.#inFlight.delete(epoch)) this.#committed.add(epoch.tables);
  }

  /** Everything in flight has failed: it was attempted and will not be committed. */
  abandon(): void {
    for (const epoch of this.#inFlight) this.#abandoned.add(epoch.tables);
    this.#inFlight.clear();
  }

  results(): MetricResults {
    const attempted = new MetricTables();
    for (const tables of [this.#committed, this.#abandoned]) attempted.add(tables);
    for (const { tables } of this.#inFlight) attempted.add(tables);
    return {
      counters: results(attempted.counters, this.#committed.counters),
      distributions: results(attempted.distributions, this.#committed.distributions),
      gauges: results(attempted.gauges, this.#committed.gauges),
    };
  }
}

/** Metrics of one step in one epoch; the same name gives the same cell. */
class StepMetrics implements Metrics {
  readonly #step: string;
  readonly #tables: MetricTables;
  readonly #now: () => number;
  readonly #cells = new Map<string, Counter | Distribution | Gauge>();

  constructor(step: string, tables: MetricTables, now: () => number) {
    this.#step = step;
    this.#tables = tables;
    this.#now = now;
  }

  counter(name: string): Counter {
    return this.#cell("counter", name, () => {
      const values = inner(this.#tables.counters, this.#step);
      return { inc: (by = 1) => void values.set(name, (values.get(name) ?? 0) + by) };
    });
  }

  distribution(name: string): Distribution {
    return this.#cell("distribution", name, () => {
      const values = inner(this.#tables.distributions, this.#step);
      const update = (value: number) => {
        const one = { count: 1, sum: value, min: value, max: value };
        const before = values.get(name);
        values.set(name, before === undefined ? one : addDistributions(before, one));
      };
      return { update };
    });
  }

  gauge(name: string): Gauge {
    return this.#cell("gauge", name, () => {
      const values = inner(this.#tables.gauges, this.#step);
      return { set: (value) => void values.set(name, { value, timestampMs: this.#now() }) };
    });
  }

  #cell<Cell extends Counter | Distribution | Gauge>(kind: string, name: string, create: () => Cell): Cell {
    const id = `${kind} ${name}`;
    let cell = this.#cells.get(id) as Cell | undefined;
    if (cell === undefined) {
      cell = create();
      this.#cells.set(id, cell);
    }
    return cell;
  }
}

function inner<Value>(table: Table<Value>, step: string): Map<string, Value> {
  let values = table.get(step);
  if (values === undefined) {
    values = new Map();
    table.set(step, values);
  }
  return values;
}

function addTable<Value>(into: Table<Value>, from: Table<Value>, add: (a: Value, b: Value) => Value): void {
  for (const [step, values] of from) {
    const known = inner(into, step);
    for (const [name, value] of values) {
      const before = known.get(name);
      known.set(name, before === undefined ? value : add(before, value));
    }
  }
}

function results<Value>(attempted: Table<Value>, committed: Table<Value>): MetricResult<Value>[] {
  return [...attempted].flatMap(([step, values]) =>
    [...values].map(([name, value]) => ({
      step,
      name,
      attempted: value,
      committed: committed.get(step)?.get(name),
    })),
  );
}
