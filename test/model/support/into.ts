/** Window.into under a name. */
import { type PCollection, withName } from "../../../transforms/primitives/beam.js";
import type { StepOf } from "../../../transforms/primitives/par-do.js";
import { windowInto } from "../../../transforms/primitives/window-into.js";

/** A named `windowInto`. */
export function into<T>(
  name: string,
  ...how: Parameters<typeof windowInto>
): StepOf<PCollection<T>, PCollection<T>> {
  return withName(name, windowInto<T>(...how));
}
