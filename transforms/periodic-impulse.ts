/** periodicImpulse: a source that emits an element whenever an interval has passed. */
import { PERIODIC_IMPULSE_FN, type PeriodicImpulseConfig } from "./periodic-impulse-fn.js";
import { impulse, P, type PCollection, type Root, withName } from "./primitives/beam.js";
import { VarIntCoder } from "./primitives/coders/scalar-coders.js";
import { composite } from "./primitives/composite.js";
import { mustBeNamed, type StepOf } from "./primitives/par-do.js";
import { splittableParDo } from "./primitives/splittable-par-do.js";
import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from "./primitives/timestamp-bounds.js";
import { fixedWindows } from "./primitives/window-fns.js";
import { windowInto } from "./primitives/window-into.js";

export const PERIODIC_IMPULSE_URN = "millrace:transform:periodic_impulse:v1";

export interface PeriodicImpulseOptions {
  /** The first element's time, ms since 1970. In the past: what is due by now comes at once. */
  readonly startMs: number;
  readonly intervalMs: number;
  /** Elements are before this time. Without it the source is unbounded, and never ends by itself. */
  readonly stopMs?: number;
  /** Puts each element into a fixed window of `intervalMs` of its own; by default all are in the global window. */
  readonly applyWindowing?: boolean;
}

/**
 * Applied to a Root, Beam's `PeriodicImpulse`: the numbers startMs, startMs + intervalMs, …, each at that event time,
 * emitted when the clock has reached it and never sooner. Of the moments a busy or stopped runner has missed none is
 * left out: they come as soon as it can. The watermark is the time of the next element (Beam's is that of the last
 * one), so a window of one interval closes when its element is out.
 *
 * A composite of an Impulse and a splittable DoFn over the numbers of the elements, which asks to be resumed when the
 * next one is due: a runner that resumes none (Beam's on Spark) can run it only where all are due already. Bounded if
 * it has a stop. A drain ends it where it is. Exactly once where the runner keeps residuals, as the direct runner does
 * with a database or a commit log.
 *
 * @throws when a time is no whole number, the interval is below 1, or the stop before the start
 */
export function periodicImpulse(options: PeriodicImpulseOptions): StepOf<Root, PCollection<number>> {
  const config = checkOptions(options);
  const { intervalMs } = config;
  const applyWindowing = options.applyWindowing ?? false;
  const expand = composite<Root, PCollection<number>>(
    PERIODIC_IMPULSE_URN,
    { ...config, applyWindowing },
    (root) => {
      const start = P(root.apply(withName("Impulse", impulse())));
      const bounded = config.stopMs !== undefined;
      const coders = { main: new VarIntCoder() };
      const tick = splittableParDo<Uint8Array, number>(PERIODIC_IMPULSE_FN, config, { bounded, coders });
      const ticks = start.apply(withName("Tick", tick));
      if (!applyWindowing) return ticks;
      return P(ticks).apply(withName("Window", windowInto<number>(fixedWindows(intervalMs))));
    },
  );
  return mustBeNamed("a periodicImpulse", expand);
}

function checkOptions({ startMs, intervalMs, stopMs }: PeriodicImpulseOptions): PeriodicImpulseConfig {
  const must = (isRight: boolean, name: string, rule: string, value: unknown) => {
    if (!isRight) throw new Error(`${name} of periodicImpulse must be ${rule}, got ${value}`);
  };
  const isTime = (ms: number) => Number.isSafeInteger(ms) && ms >= MIN_TIMESTAMP_MS && ms < MAX_TIMESTAMP_MS;
  must(isTime(startMs), "startMs", "a whole number of ms in Beam's range", startMs);
  must(
    Number.isSafeInteger(intervalMs) && intervalMs >= 1,
    "intervalMs",
    "a whole number of at least 1",
    intervalMs,
  );
  if (stopMs === undefined) return { startMs, intervalMs };
  must(isTime(stopMs), "stopMs", "a whole number of ms in Beam's range", stopMs);
  must(stopMs >= startMs, "stopMs", `at least startMs (${startMs})`, stopMs);
  return { startMs, intervalMs, stopMs };
}
