/** The values of `standard_coders.yaml` as our coders take and give them. */
import { schemaApi } from "../../transforms/primitives/coders/sdk.js";
import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import {
  GLOBAL_WINDOW,
  IntervalWindow,
  type PaneInfo,
  type Window,
} from "../../transforms/primitives/window.js";
import { bytesOf, type CoderSpec } from "./standard-coders-file.js";

// biome-ignore lint/suspicious/noExplicitAny: a value of the file, whose shape its coder tells
type Json = any;

type ToValue = (json: Json, components: readonly CoderSpec[], spec: CoderSpec) => unknown;

const BY_URN: Readonly<Record<string, ToValue>> = {
  bytes: bytesOf,
  string_utf8: (json) => json,
  bool: (json) => json,
  varint: integer,
  double: (json) => Number(json),
  nullable: (json, [element]) => (json === null ? null : valueFor(element!, json)),
  kv: (json, [key, value]) => ({ key: valueFor(key!, json.key), value: valueFor(value!, json.value) }),
  iterable: elements,
  state_backed_iterable: elements,
  global_window: () => GLOBAL_WINDOW,
  interval_window: ({ end, span }) => new IntervalWindow(time(BigInt(end) - BigInt(span)), time(end)),
  custom_window: (json, [window]) => valueFor(window!, json.window),
  windowed_value: windowedValue,
  param_windowed_value: windowedValue,
  timer: timer,
  sharded_key: (json, [key]) => ({ key: valueFor(key!, json.key), shardId: bytesOf(json.shardId) }),
  row: (json, _, spec) => rowOf(schemaApi.Schema.fromBinary(bytesOf(spec.payload!)), json),
};

export function valueFor(spec: CoderSpec, json: Json): unknown {
  const toValue = BY_URN[spec.urn.replace(/^beam:coder:|:v1$/g, "")];
  if (toValue === undefined) throw new Error(`no value is known for ${spec.urn}`);
  return toValue(json, spec.components ?? [], spec);
}

function integer(json: bigint): number | bigint {
  return Number.isSafeInteger(Number(json)) ? Number(json) : BigInt(json);
}

/** Beam's bounds are ours, drawn in by one. */
function time(json: bigint): number {
  if (json === -9223372036854775n) return MIN_TIMESTAMP_MS;
  if (json === 9223372036854775n) return MAX_TIMESTAMP_MS;
  return Number(json);
}

function elements(json: Json[], [element]: readonly CoderSpec[]): unknown[] {
  return json.map((each) => valueFor(element!, each));
}

function windowsOf(json: Json[], window: CoderSpec): Window[] {
  return json.map((each) => valueFor(window, each) as Window);
}

function paneOf(json: Json): PaneInfo {
  return {
    timing: json.timing,
    isFirst: json.is_first,
    isLast: json.is_last,
    index: Number(json.index),
    nonSpeculativeIndex: Number(json.on_time_index),
  };
}

function windowedValue(json: Json, [element, window]: readonly CoderSpec[]): unknown {
  return {
    value: valueFor(element!, json.value),
    timestampMs: time(json.timestamp),
    windows: windowsOf(json.windows, window!),
    pane: paneOf(json.pane),
  };
}

function timer(json: Json, [key, window]: readonly CoderSpec[]): unknown {
  const timerOf = {
    userKey: valueFor(key!, json.userKey),
    dynamicTimerTag: json.dynamicTimerTag,
    windows: windowsOf(json.windows, window!),
    clearBit: json.clearBit,
  };
  if (json.clearBit) return timerOf;
  const times = { fireTimestampMs: time(json.fireTimestamp), holdTimestampMs: time(json.holdTimestamp) };
  return { ...timerOf, ...times, pane: paneOf(json.pane) };
}

function rowOf(schema: schemaApi.Schema, json: Json): unknown {
  return Object.fromEntries(schema.fields.map(({ name, type }) => [name, fieldValue(type!, json[name])]));
}

function fieldValue(type: schemaApi.FieldType, json: Json): unknown {
  if (json === null) return null;
  const info = type.typeInfo;
  switch (info.oneofKind) {
    case "atomicType":
      return atomicValue(info.atomicType, json);
    case "arrayType":
      return json.map((each: Json) => fieldValue(info.arrayType.elementType!, each));
    case "mapType":
      return new Map(
        Object.entries(json).map(([key, value]) => [key, fieldValue(info.mapType.valueType!, value)]),
      );
    case "rowType":
      return rowOf(info.rowType.schema!, json);
    case "logicalType":
      return logicalValue(info.logicalType, json);
    default:
      throw new Error(`no value is known for ${info.oneofKind}`);
  }
}

function atomicValue(type: schemaApi.AtomicType, json: Json): unknown {
  const { AtomicType } = schemaApi;
  if (type === AtomicType.BYTES) return bytesOf(json);
  if (type === AtomicType.DOUBLE) return Number(json);
  if (type === AtomicType.FLOAT) return Math.fround(Number(json));
  return typeof json === "bigint" ? integer(json) : json;
}

function logicalValue({ urn, representation }: schemaApi.LogicalType, json: Json): unknown {
  // The file gives the eight bytes as a signed number: the sign bit of the time is turned over.
  if (urn === "beam:logical_type:millis_instant:v1") return new Date(Number(json + 2n ** 63n));
  if (urn === "beam:logical_type:decimal:v1") return json;
  return fieldValue(representation!, json);
}
