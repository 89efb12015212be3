/** Metrics in the form of Beam's Fn API. */
import { expect } from "chai";
import { NO_METRICS } from "../../../runners/job/metrics.js";
import { metricResults, monitoringInfos } from "../../../runners/job/monitoring-infos.js";

const labels = { PTRANSFORM: "A/B", NAMESPACE: "A/B", NAME: "n" };
const metric = <Value>(attempted: Value) => ({ step: "A/B", name: "n", attempted, committed: undefined });
const hex = (payload: Uint8Array) => Buffer.from(payload).toString("hex");

describe("monitoringInfos", () => {
  it("gives whole counters as 64-bit varints, also above 2^31 and below zero", () => {
    for (const [value, payload] of [
      [5, "05"],
      [300, "ac02"],
      [1_700_000_000_000, "80d095ffbc31"],
      [-1, "ffffffffffffffffff01"],
    ] as const) {
      const [info] = monitoringInfos({ ...NO_METRICS, counters: [metric(value)] });
      expect(info).to.include({ urn: "beam:metric:user:sum_int64:v1", type: "beam:metrics:sum_int64:v1" });
      expect(info?.labels).to.deep.equal(labels);
      expect(hex(info?.payload as Uint8Array)).to.equal(payload);
    }
  });

  it("gives a distribution as count, sum, min, max", () => {
    const [info] = monitoringInfos({
      ...NO_METRICS,
      distributions: [metric({ count: 2, sum: 300, min: 1, max: 299 })],
    });
    expect(info).to.include({
      urn: "beam:metric:user:distribution_int64:v1",
      type: "beam:metrics:distribution_int64:v1",
    });
    expect(hex(info?.payload as Uint8Array)).to.equal("02ac0201ab02");
  });

  it("gives a gauge as time and value, and fractions as doubles", () => {
    const [info] = monitoringInfos({ ...NO_METRICS, gauges: [metric({ value: 0.5, timestampMs: 300 })] });
    expect(info).to.include({
      urn: "beam:metric:user:latest_double:v1",
      type: "beam:metrics:latest_double:v1",
    });
    expect(hex(info?.payload as Uint8Array)).to.equal("ac023fe0000000000000");
  });
});

describe("metricResults", () => {
  const all = {
    counters: [metric(-2), { ...metric(0.5), name: "half" }],
    distributions: [metric({ count: 2, sum: 6_000_000_000, min: -1, max: 299 })],
    gauges: [metric({ value: 13, timestampMs: 1_700_000_000_000 })],
  };

  it("reads what monitoringInfos gives, and passes other infos over", () => {
    const attempted = monitoringInfos(all);
    attempted.push({ ...attempted[0]!, urn: "beam:metric:element_count:v1" });
    expect(metricResults({ attempted, committed: [] })).to.deep.equal(all);
  });

  it("puts committed values beside attempted ones, and for them where there are none", () => {
    const [more, same] = [metric(5), metric(3)];
    const attempted = monitoringInfos({ ...NO_METRICS, counters: [more] });
    const committed = monitoringInfos({ ...NO_METRICS, counters: [same, { ...same, step: "C" }] });
    expect(metricResults({ attempted, committed }).counters).to.deep.equal([
      { step: "A/B", name: "n", attempted: 5, committed: 3 },
      { step: "C", name: "n", attempted: 3, committed: 3 },
    ]);
  });
});
