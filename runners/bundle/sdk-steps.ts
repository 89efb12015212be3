/** The SDK's own steps that only hand elements on: with other windows, another time, or to another output. */
import { inspect } from "node:util";
import type { WindowFn } from "../../transforms/primitives/window-fn.js";
import {
  fixedWindows,
  globalWindows,
  sessions,
  slidingWindows,
} from "../../transforms/primitives/window-fns.js";
import type { Window } from "../engine/element.js";
import type { BundleFlow } from "./bundle-flow.js";
import type { Receive } from "./receive.js";
import { deserializeFn } from "./sdk-modules.js";
import { fromSdkInstant, fromSdkWindow, type SdkInstant, toSdkInstant } from "./sdk-values.js";
import { StepFailedError } from "./step-failed-error.js";

/** By the URN under which the SDK writes them. */
export const SDK_STEPS: ReadonlyMap<string, (step: SdkStep) => Receive> = new Map([
  ["beam:dofn:identity:0.1", identity],
  ["beam:dofn:splitting_dofn:v1", splitting],
  ["beam:dofn:js_window_into:v1", windowInto],
  ["beam:dofn:js_assign_timestamps:v1", assignTimestamps],
]);

export interface SdkStep {
  readonly path: string;
  readonly payload: Uint8Array;
  readonly outputs: ReadonlyMap<string, Receive>;
  readonly flow: BundleFlow;
}

function identity(step: SdkStep): Receive {
  return onlyOutput(step);
}

interface SplitOptions {
  readonly exclusive: boolean;
  readonly knownTags: readonly string[];
  readonly unknownTagBehavior: "error" | "rename" | "ignore";
  readonly unknownTagName?: string;
}

/** Hands each property of an element to the output of its name. */
function splitting(step: SdkStep): Receive {
  const { payload, outputs } = step;
  const options = deserializeFn(payload) as SplitOptions;
  const known = new Set(options.knownTags);
  const tagOf = (key: string, value: unknown): string | undefined => {
    if (known.has(key)) return key;
    if (options.unknownTagBehavior === "rename") return options.unknownTagName;
    if (options.unknownTagBehavior === "ignore") return undefined;
    throw new Error(`tag "${key}" of ${inspect(value)} is none of ${options.knownTags.join(", ")}`);
  };
  return named(step, (value, timestampMs, windows, pane) => {
    const parts = value as Record<string, unknown>;
    const keys = Object.keys(parts);
    if (options.exclusive && keys.length !== 1) {
      throw new Error(`an element must have exactly one tag, got ${inspect(value)}`);
    }
    for (const key of keys) {
      const tag = tagOf(key, value);
      if (tag !== undefined) outputs.get(tag)?.(parts[key], timestampMs, windows, pane);
    }
  });
}

/** Assigns once, however many windows the element was in; into no window at all drops it. */
function windowInto(step: SdkStep): Receive {
  const { windowFn } = deserializeFn(step.payload) as { windowFn: SdkWindowFn };
  const assign = assignerOf(windowFn);
  const receive = onlyOutput(step);
  return named(step, (value, timestampMs, _windows, pane) => {
    const windows = assign(timestampMs, value);
    if (windows.length > 0) receive(value, timestampMs, windows, pane);
  });
}

interface SdkWindowFn {
  /** What the SDK's own are called with, e.g. `fixedWindows(10)` or `slidingWindows(60, 30, 5)`: seconds. */
  readonly beamName?: string;
  assignWindows(timestamp: SdkInstant): readonly unknown[];
}

/**
 * Of the SDK's own window functions ours, as the SDK's put negative times into wrong windows; any other as it is.
 * They are known by name: their `toProto` does not outlive being serialised.
 */
function assignerOf(windowFn: SdkWindowFn): (timestampMs: number, value: unknown) => readonly Window[] {
  const own = ownWindowFn(windowFn.beamName ?? "");
  if (own !== undefined) return (timestampMs, value) => own.assign(timestampMs, value);
  return (timestampMs) => windowFn.assignWindows(toSdkInstant(timestampMs)).map(fromSdkWindow);
}

function ownWindowFn(beamName: string): WindowFn<Window> | undefined {
  const [, name, list = ""] = /^(\w+)\((-?[\d.]+(?:, -?[\d.]+)*)?\)$/.exec(beamName) ?? [];
  const [first = 0, second = 0, third = 0] = list.split(", ").map((seconds) => Number(seconds) * 1000);
  switch (name) {
    case "globalWindows":
      return globalWindows();
    case "fixedWindows":
      return fixedWindows(first, { offsetMs: second });
    case "slidingWindows":
      return slidingWindows({ sizeMs: first, periodMs: second, offsetMs: third });
    case "sessions":
      return sessions(first);
    default:
      return undefined;
  }
}

function assignTimestamps(step: SdkStep): Receive {
  const { func } = deserializeFn(step.payload) as { func(value: unknown, timestamp: SdkInstant): unknown };
  const receive = onlyOutput(step);
  return named(step, (value, timestampMs, windows, pane) => {
    receive(value, fromSdkInstant(func(value, toSdkInstant(timestampMs))), windows, pane);
  });
}

/** A failure is the bundle's, also where a DoFn before this step catches it. */
function named({ path, flow }: SdkStep, receive: Receive): Receive {
  return (value, timestampMs, windows, pane) => {
    try {
      receive(value, timestampMs, windows, pane);
    } catch (error) {
      throw flow.fail(StepFailedError.of(path, "process", error));
    }
  };
}

function onlyOutput({ path, outputs }: SdkStep): Receive {
  const [only] = outputs.values();
  if (only === undefined || outputs.size !== 1) {
    throw new Error(`step "${path}" must have one output, got ${outputs.size}`);
  }
  return only;
}
