/** What a runner has a stage do before restrictions are processed: pair, split and truncate them, as DoFns. */
import type { DoFn, ProcessContext, SplittableDoFn } from "../../transforms/primitives/do-fn.js";
import type { KV } from "../../transforms/primitives/window.js";
import type { RestrictionPart } from "../graph/step.js";

/** A restriction and the state of its watermark estimator. */
type Restricted = KV<unknown, KV<unknown, unknown>>;
type Sized = KV<Restricted, number>;

/** The DoFn of the part. Its bundles are not those of `splittable`, which is told of its life alone. */
export function restrictionPart(work: RestrictionPart["work"], splittable: SplittableDoFn): DoFn<never> {
  return {
    observesWindows: splittable.observesWindows ?? false,
    setup: (context) => splittable.setup?.(context),
    process: PROCESS[work](splittable) as DoFn<never>["process"],
    teardown: () => splittable.teardown?.(),
  };
}

const PROCESS = { pair, split, truncate };

function pair(doFn: SplittableDoFn) {
  return (element: unknown, context: ProcessContext): void => {
    const restriction = doFn.initialRestriction(element);
    context.output(restricted(doFn, element, restriction, context.timestampMs));
  };
}

/** Each part gets a watermark state of its own, as the direct runner gives it. */
function split(doFn: SplittableDoFn) {
  return (whole: Restricted, context: ProcessContext): void => {
    const { key: element, value } = whole;
    if (doFn.splitRestriction === undefined) {
      context.output(sized(doFn, whole));
      return;
    }
    for (const restriction of doFn.splitRestriction(element, value.key)) {
      context.output(sized(doFn, restricted(doFn, element, restriction, context.timestampMs)));
    }
  };
}

function truncate(doFn: SplittableDoFn) {
  return ({ key: { key: element, value } }: Sized, context: ProcessContext): void => {
    if (doFn.truncateRestriction === undefined) {
      throw new Error("it has no truncateRestriction, and its stage does not say whether it is bounded");
    }
    const restriction = doFn.truncateRestriction(element, value.key);
    if (restriction === undefined) return;
    context.output(sized(doFn, { key: element, value: { key: restriction, value: value.value } }));
  };
}

function restricted(
  doFn: SplittableDoFn,
  element: unknown,
  restriction: unknown,
  timestampMs: number,
): Restricted {
  const watermarkState = doFn.initialWatermarkState?.(element, restriction, timestampMs);
  return { key: element, value: { key: restriction, value: watermarkState } };
}

/** Of the size that the DoFn tells, or what its tracker sees left to do, or 1. */
function sized(doFn: SplittableDoFn, whole: Restricted): Sized {
  const { key: element, value } = whole;
  const size =
    doFn.restrictionSize?.(element, value.key) ?? doFn.createTracker(value.key).progress?.().remaining ?? 1;
  if (!(size >= 0)) throw new Error(`the size of a restriction must be at least 0, got ${size}`);
  return { key: whole, value: size };
}
