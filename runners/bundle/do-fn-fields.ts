/** What the fields of a DoFn declare, found by the declaration that a DoFn hands to its context. */
import { specsOf } from "../../transforms/primitives/do-fn-specs.js";
import type { SideInputSpec } from "../../transforms/primitives/side-input-spec.js";
import type { StateSpec } from "../../transforms/primitives/state-spec.js";
import type { TimerSpec } from "../../transforms/primitives/timer-spec.js";

/** Names of fields by what they hold. */
export interface DoFnFields {
  readonly states: ReadonlyMap<StateSpec, string>;
  readonly timers: ReadonlyMap<TimerSpec, string>;
  readonly sideInputs: ReadonlyMap<SideInputSpec, string>;
}

/** Reads the declarations of a DoFn. @throws when two fields hold the same one: which is meant could not be told. */
export function readFields(doFn: object): DoFnFields {
  const { states, timers, sideInputs } = specsOf(doFn);
  return { states: bySpec(states), timers: bySpec(timers), sideInputs: bySpec(sideInputs) };
}

function bySpec<Spec>(specs: ReadonlyMap<string, Spec>): Map<Spec, string> {
  const names = new Map<Spec, string>();
  for (const [name, spec] of specs) {
    const other = names.get(spec);
    if (other !== undefined) {
      throw new Error(`fields "${other}" and "${name}" hold the same declaration: each needs one of its own`);
    }
    names.set(spec, name);
  }
  return names;
}
