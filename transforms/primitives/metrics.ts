/** Metrics as DoFns update them; they count for good only when their bundle is committed. */

export interface Counter {
  /** Adds `by`, default 1; negative counts down. */
  inc(by?: number): void;
}

/** Count, sum, minimum and maximum of what was given. */
export interface Distribution {
  update(value: number): void;
}

/** The last value given. */
export interface Gauge {
  set(value: number): void;
}

/** Metrics by name, under the step that updates them. The same name gives the same metric. */
export interface Metrics {
  counter(name: string): Counter;
  distribution(name: string): Distribution;
  gauge(name: string): Gauge;
}
