/** Metrics as Beam's monitoring infos: the form in which other programs read them. */
import { MonitoringInfo } from "../../transforms/primitives/beam.js";
import type { DistributionValue, GaugeValue, MetricResults } from "./metrics.js";

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

type Encode = (value: number) => Buffer;

function info<Value>(
  kind: "sum" | "distribution" | "latest",
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
