/** Metrics as Beam's monitoring infos: the form in which other programs read them, and give them. */
import { MonitoringInfo } from "../../transforms/primitives/beam.js";
import { ByteReader } from "../../transforms/primitives/coders/byte-reader.js";
import type { DistributionValue, GaugeValue, MetricResult, MetricResults } from "./metrics.js";

/**
 * Attempted values, one info a metric, under Beam's URNs for metrics of users: whole numbers as int64,
 * as double where a value is none.
 */
export function monitoringInfos({ counters, distributions, gauges }: MetricResults): MonitoringInfo[] {
  return [
    ...counters.map((one) => info("sum", one, [one.attempted], sumPayload)),
    ...distributions.map((one) => {
      const { sum, min, max } = one.attempted;
      return info("distribution", one, [sum, min, max], distributionPayload);
    }),
    ...gauges.map((one) => info("latest", one, [one.attempted.value], gaugePayload)),
  ];
}

/** What a runner tells of metrics. */
export interface ToldMetrics {
  readonly attempted: readonly MonitoringInfo[];
  readonly committed: readonly MonitoringInfo[];
}

/**
 * The users' metrics among them, by step; other infos are passed over. One that is only committed was attempted as
 * well: a runner may tell of attempts by progress reports alone.
 */
export function metricResults({ attempted, committed }: ToldMetrics): MetricResults {
  return {
    counters: results("sum", { attempted, committed }, ({ number }) => number()),
    distributions: results("distribution", { attempted, committed }, ({ count, number }) => {
      const [n, sum, min, max] = [count(), number(), number(), number()];
      return { count: n, sum, min, max };
    }),
    gauges: results("latest", { attempted, committed }, ({ count, number }) => {
      const timestampMs = count();
      return { value: number(), timestampMs };
    }),
  };
}

interface Decode {
  /** A whole number in either type. */
  count(): number;
  /** One of the metric's type. */
  number(): number;
}

function results<Value>(
  kind: Kind,
  { attempted, committed }: ToldMetrics,
  read: (decode: Decode) => Value,
): MetricResult<Value>[] {
  const known = new Map<string, { -readonly [F in keyof MetricResult<Value>]: MetricResult<Value>[F] }>();
  for (const [infos, isCommitted] of [
    [attempted, false],
    [committed, true],
  ] as const) {
    for (const { urn, labels, payload } of infos) {
      const type = typeOf(urn, kind);
      if (type === undefined) continue;
      const { PTRANSFORM: step = "", NAME: name = "" } = labels;
      const value = read(decoder(payload, type));
      const id = JSON.stringify([step, name]);
      const before = known.get(id);
      if (before === undefined) {
        known.set(id, { step, name, attempted: value, committed: isCommitted ? value : undefined });
      } else if (isCommitted) before.committed = value;
    }
  }
  return [...known.values()];
}

function typeOf(urn: string, kind: Kind): "int64" | "double" | undefined {
  if (urn === `beam:metric:user:${kind}_int64:v1`) return "int64";
  return urn === `beam:metric:user:${kind}_double:v1` ? "double" : undefined;
}

function decoder(payload: Uint8Array, type: "int64" | "double"): Decode {
  const input = new ByteReader(payload);
  const count = () => Number(BigInt.asIntN(64, BigInt(input.varint())));
  return { count, number: type === "int64" ? count : () => input.doubleBigEndian() };
}

type Kind = "sum" | "distribution" | "latest";

type Encode = (value: number) => Buffer;

function info<Value>(
  kind: Kind,
  { step, name, attempted }: { step: string; name: string; attempted: Value },
  numbers: readonly number[],
  payload: (value: Value, encode: Encode) => Buffer,
): MonitoringInfo {
  const isWhole = numbers.every(Number.isSafeInteger);
  const type = isWhole ? "int64" : "double";
  return MonitoringInfo.create({
    urn: `beam:metric:user:${kind}_${type}:v1`,
    type: `beam:metrics:${kind}_${type}:v1`,
    labels: { PTRANSFORM: step, NAMESPACE: step, NAME: name },
    payload: payload(attempted, isWhole ? varint : double),
  });
}

function sumPayload(value: number, encode: Encode): Buffer {
  return encode(value);
}

function distributionPayload({ count, sum, min, max }: DistributionValue, encode: Encode): Buffer {
  return Buffer.concat([varint(count), encode(sum), encode(min), encode(max)]);
}

function gaugePayload({ value, timestampMs }: GaugeValue, encode: Encode): Buffer {
  return Buffer.concat([varint(timestampMs), encode(value)]);
}

/** beam:coder:varint:v1: 64 bits of two's complement, seven a byte, lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** beam:coder:double:v1: big-endian. */
function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}
