/** The metrics of a job as it shows them: what steps counted, attempted and committed. */

/** Count, sum, smallest and largest of what was given; at least one value was. */
export interface DistributionValue {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
}

/** The last value given, and when, ms since 1970. */
export interface GaugeValue {
  readonly value: number;
  readonly timestampMs: number;
}

/** One metric of one step. */
export interface MetricResult<Value> {
  /** Path of the step. */
  readonly step: string;
  readonly name: string;
  /** With all that was tried: bundles in flight and bundles that failed too. */
  readonly attempted: Value;
  /** With committed bundles alone; undefined when none of them gave a value. */
  readonly committed: Value | undefined;
}

/** Metrics in the order of their steps' and names' first use. */
export interface MetricResults {
  readonly counters: readonly MetricResult<number>[];
  readonly distributions: readonly MetricResult<DistributionValue>[];
  readonly gauges: readonly MetricResult<GaugeValue>[];
}

/** What of them is wanted; everything by default. */
export interface MetricFilter {
  /** A step's path, or the path of a composite around it. */
  readonly step?: string;
  readonly name?: string;
}

export const NO_METRICS: MetricResults = { counters: [], distributions: [], gauges: [] };

/** The results that the filter lets through. */
export function filterMetrics(results: MetricResults, filter: MetricFilter): MetricResults {
  const matches = <Value>({ step, name }: MetricResult<Value>) =>
    (filter.name === undefined || name === filter.name) &&
    (filter.step === undefined || step === filter.step || step.startsWith(`${filter.step}/`));
  return {
    counters: results.counters.filter(matches),
    distributions: results.distributions.filter(matches),
    gauges: results.gauges.filter(matches),
  };
}

/** Of all values given to the one or the other. */
export function addDistributions(a: DistributionValue, b: DistributionValue): DistributionValue {
  return {
    count: a.count + b.count,
    sum: a.sum + b.sum,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
  };
}
