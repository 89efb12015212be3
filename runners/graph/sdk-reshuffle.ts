/** The SDK's reshuffle as Beam's: a step that keeps event times, where the SDK groups by a random key and loses them. */
import type { runnerApi } from "../../transforms/primitives/beam.js";
import { RESHUFFLE_URN } from "../../transforms/primitives/reshuffle.js";

/** Names of the SDK's two parts, below the composite's own. */
const PARTS = ["groupByRandomKey", "flatMap(dropKeys)"] as const;

/**
 * The same transforms, with each reshuffle of the SDK as one leaf. Grouped, its elements would all come at the
 * end of their window, when the watermark has passed it: whatever gives them event times behind it, as is usual
 * behind the SDK's `create`, would make all of them late.
 */
export function withBeamsReshuffle(
  transforms: Readonly<Record<string, runnerApi.PTransform>>,
): Record<string, runnerApi.PTransform> {
  return Object.fromEntries(
    Object.entries(transforms).map(([id, transform]) => [
      id,
      isSdkReshuffle(transform, transforms) ? asLeaf(transform) : transform,
    ]),
  );
}

function isSdkReshuffle(
  { uniqueName, spec, subtransforms, inputs, outputs }: runnerApi.PTransform,
  transforms: Readonly<Record<string, runnerApi.PTransform>>,
): boolean {
  if (spec?.urn || subtransforms.length !== PARTS.length) return false;
  if (Object.keys(inputs).length !== 1 || Object.keys(outputs).length !== 1) return false;
  return PARTS.every(
    (name, place) => transforms[subtransforms[place]!]?.uniqueName === `${uniqueName}/${name}`,
  );
}

function asLeaf(transform: runnerApi.PTransform): runnerApi.PTransform {
  const spec = { urn: RESHUFFLE_URN, payload: new Uint8Array() };
  return { ...transform, spec, subtransforms: [], environmentId: "" };
}
