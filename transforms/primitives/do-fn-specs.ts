/** What a DoFn declares in its fields: state, timers and side inputs, under the fields' names. */
import {
  IterableSideInputSpec,
  MapSideInputSpec,
  MultimapSideInputSpec,
  type SideInputSpec,
  SingletonSideInputSpec,
} from "./side-input-spec.js";
import {
  BagStateSpec,
  CombiningStateSpec,
  MapStateSpec,
  SetStateSpec,
  type StateSpec,
  ValueStateSpec,
} from "./state-spec.js";
import { TimerSpec } from "./timer-spec.js";

/** By name of the field. */
export interface DoFnSpecs {
  readonly states: ReadonlyMap<string, StateSpec>;
  readonly timers: ReadonlyMap<string, TimerSpec>;
  readonly sideInputs: ReadonlyMap<string, SideInputSpec>;
}

const STATE_SPECS = [ValueStateSpec, BagStateSpec, SetStateSpec, MapStateSpec, CombiningStateSpec];
const SIDE_INPUT_SPECS = [
  IterableSideInputSpec,
  SingletonSideInputSpec,
  MultimapSideInputSpec,
  MapSideInputSpec,
];

/** Reads the specs in an instance's own fields. */
export function specsOf(doFn: object): DoFnSpecs {
  const states = new Map<string, StateSpec>();
  const timers = new Map<string, TimerSpec>();
  const sideInputs = new Map<string, SideInputSpec>();
  for (const [field, value] of Object.entries(doFn)) {
    if (value instanceof TimerSpec) timers.set(field, value);
    else if (STATE_SPECS.some((kind) => value instanceof kind)) states.set(field, value);
    else if (SIDE_INPUT_SPECS.some((kind) => value instanceof kind)) sideInputs.set(field, value);
  }
  return { states, timers, sideInputs };
}

export function isStateful({ states, timers }: DoFnSpecs): boolean {
  return states.size > 0 || timers.size > 0;
}
