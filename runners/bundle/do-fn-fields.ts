/** What the fields of a DoFn declare: its state, timers and side inputs, under the fields' names. */
import {
  IterableSideInputSpec,
  MapSideInputSpec,
  MultimapSideInputSpec,
  type SideInputSpec,
  SingletonSideInputSpec,
} from "../../transforms/primitives/side-input-spec.js";
import {
  BagStateSpec,
  CombiningStateSpec,
  MapStateSpec,
  SetStateSpec,
  type StateSpec,
  ValueStateSpec,
} from "../../transforms/primitives/state-spec.js";
import { TimerSpec } from "../../transforms/primitives/timer-spec.js";

const STATE_SPECS = [ValueStateSpec, BagStateSpec, SetStateSpec, MapStateSpec, CombiningStateSpec];
const SIDE_INPUT_SPECS = [
  IterableSideInputSpec,
  SingletonSideInputSpec,
  MultimapSideInputSpec,
  MapSideInputSpec,
];

/** Names of fields by what they hold. */
export interface DoFnFields {
  readonly states: ReadonlyMap<StateSpec, string>;
  readonly timers: ReadonlyMap<TimerSpec, string>;
  readonly sideInputs: ReadonlyMap<SideInputSpec, string>;
}

/** Reads the declarations of a DoFn. @throws when two fields hold the same one: which is meant could not be told. */
export function readFields(doFn: object): DoFnFields {
  const states = new Map<StateSpec, string>();
  const timers = new Map<TimerSpec, string>();
  const sideInputs = new Map<SideInputSpec, string>();
  for (const [name, value] of Object.entries(doFn)) {
    if (value instanceof TimerSpec) add(timers, value, name);
    else if (isOneOf<StateSpec>(STATE_SPECS, value)) add(states, value, name);
    else if (isOneOf<SideInputSpec>(SIDE_INPUT_SPECS, value)) add(sideInputs, value, name);
  }
  return { states, timers, sideInputs };
}

function add<Spec>(names: Map<Spec, string>, spec: Spec, name: string): void {
  const other = names.get(spec);
  if (other !== undefined) {
    throw new Error(`fields "${other}" and "${name}" hold the same declaration: each needs one of its own`);
  }
  names.set(spec, name);
}

function isOneOf<Spec>(
  classes: readonly (abstract new (...args: never[]) => object)[],
  value: unknown,
): value is Spec {
  return classes.some((declaration) => value instanceof declaration);
}
