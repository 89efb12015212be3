/** Inputs of scenarios: bounded elements with event times, and scripted streams. */
import { type PCollection, type Root, withName } from "../../../transforms/primitives/beam.js";
import { create } from "../../../transforms/primitives/create.js";
import type { StepOf } from "../../../transforms/primitives/par-do.js";
import type { testStream } from "../../../transforms/primitives/test-stream.js";
import type { KV } from "../../../transforms/primitives/window.js";
import type { windowInto } from "../../../transforms/primitives/window-into.js";
import { into } from "./into.js";

/** A key with its value. */
export function kv<K, V>(key: K, value: V): KV<K, V> {
  return { key, value };
}

/** A bounded PCollection of these elements, at the minimum timestamp. */
export function elements<T>(root: Root, values: readonly T[], name = "Create"): PCollection<T> {
  return root.apply(withName(name, create(values)));
}

/** A bounded PCollection of these elements at these event times. */
export function elementsAt<T>(
  root: Root,
  timestamped: readonly (readonly [value: T, timestampMs: number])[],
  name = "Create",
): PCollection<T> {
  return root.apply(
    timed(
      name,
      timestamped.map(([value, timestampMs]) => [timestampMs, value]),
    ),
  );
}

/** A bounded source of elements with event times. */
export function timed<T>(
  name: string,
  timestamped: readonly (readonly [timestampMs: number, value: T])[],
): StepOf<Root, PCollection<T>> {
  const values = timestamped.map(([, value]) => value);
  return withName(name, create(values, { timestampMs: (index) => timestamped[index]![0] }));
}

/** A bounded PCollection of these elements at these event times, in windows. */
export function windowed<T>(
  root: Root,
  name: string,
  windowFn: Parameters<typeof windowInto>[0],
  ...timestamped: readonly (readonly [timestampMs: number, value: T])[]
): PCollection<T> {
  return root.apply(timed(name, timestamped)).apply(into(`${name} windows`, windowFn));
}

/** An element of a TestStream. */
export function at<T>(timestampMs: number, value: T): { value: T; timestampMs: number } {
  return { value, timestampMs };
}

/** A scripted stream as the pipeline's input. */
export function streamed<T>(
  root: Root,
  script: ReturnType<typeof testStream<T>>,
  name = "Stream",
): PCollection<T> {
  return root.apply(withName(name, script));
}
