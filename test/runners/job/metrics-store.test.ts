/** What a job has counted: attempted at once, committed with the epoch. */
import { expect } from "chai";
import { MetricsStore } from "../../../runners/job/metrics-store.js";

describe("MetricsStore", () => {
  let nowMs: number;
  let store: MetricsStore;
  beforeEach(() => {
    nowMs = 100;
    store = new MetricsStore(() => nowMs);
  });

  it("shows a counter as attempted before the commit and as committed after it", () => {
    const epoch = store.begin();
    epoch.of("S").counter("c").inc();
    epoch.of("S").counter("c").inc(4);
    expect(store.results().counters).to.deep.equal([
      { step: "S", name: "c", attempted: 5, committed: undefined },
    ]);
    store.commit(epoch);
    expect(store.results().counters).to.deep.equal([{ step: "S", name: "c", attempted: 5, committed: 5 }]);
  });

  it("keeps what failed as attempted, and never commits it", () => {
    const committed = store.begin();
    committed.of("S").counter("c").inc(2);
    store.commit(committed);
    const failed = store.begin();
    failed.of("S").counter("c").inc(3);
    store.abandon();
    store.commit(failed);
    expect(store.results().counters).to.deep.equal([{ step: "S", name: "c", attempted: 5, committed: 2 }]);
  });

  it("adds distributions over epochs and keeps steps apart", () => {
    for (const [step, value] of [
      ["S", 3],
      ["S", -1],
      ["T", 9],
    ] as const) {
      const epoch = store.begin();
      epoch.of(step).distribution("d").update(value);
      store.commit(epoch);
    }
    const one = (count: number, sum: number, min: number, max: number) => ({ count, sum, min, max });
    expect(store.results().distributions).to.deep.equal([
      { step: "S", name: "d", attempted: one(2, 2, -1, 3), committed: one(2, 2, -1, 3) },
      { step: "T", name: "d", attempted: one(1, 9, 9, 9), committed: one(1, 9, 9, 9) },
    ]);
  });

  it("shows the latest value of a gauge, with its time", () => {
    const first = store.begin();
    first.of("S").gauge("g").set(1);
    store.commit(first);
    nowMs = 200;
    const second = store.begin();
    second.of("S").gauge("g").set(2);
    expect(store.results().gauges).to.deep.equal([
      {
        step: "S",
        name: "g",
        attempted: { value: 2, timestampMs: 200 },
        committed: { value: 1, timestampMs: 100 },
      },
    ]);
  });

  it("keeps counter, distribution and gauge of one name apart", () => {
    const metrics = store.begin().of("S");
    metrics.counter("n").inc(1);
    metrics.distribution("n").update(2);
    metrics.gauge("n").set(3);
    const { counters, distributions, gauges } = store.results();
    expect(counters[0]?.attempted).to.equal(1);
    expect(distributions[0]?.attempted.sum).to.equal(2);
    expect(gauges[0]?.attempted.value).to.equal(3);
  });
});
