/** The steps of live-metrics one by one: what they keep, what they forget, what they cannot be made to trip over. */
import { expect } from "chai";
import { ABANDONED_CARTS } from "../../pipelines/live-metrics/abandoned-carts.js";
import { ACCEPT, type ShopEvent } from "../../pipelines/live-metrics/shop-event.js";
import { type ProductTotals, TOP_PRODUCTS } from "../../pipelines/live-metrics/totals.js";
import { decodeFromBytes, encodeToBytes } from "../../transforms/primitives/coders/encode.js";
import { GeneralObjectCoder } from "../../transforms/primitives/coders/general-object-coder.js";
import { createCombineFn } from "../../transforms/primitives/combine-per-key.js";
import type { DoFn, ElementContext, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { createDoFn, type JsonValue } from "../../transforms/primitives/fn-registry.js";
import type { KV } from "../../transforms/primitives/window.js";

const HORIZON_MS = 8_000;
const ALLOWED_LATENESS_MS = 500;

/** A DoFn with one key's state, told the watermark; what it does stands in `outputs`, `counts`, `late` and `timers`. */
class OneKey {
  watermarkMs = 0;
  late = 0;
  reads = 0;
  readonly outputs: unknown[] = [];
  readonly counts: string[] = [];
  readonly timers: number[] = [];
  readonly seen = new Map<string, string>();
  readonly bag: unknown[] = [];
  #value: unknown;
  readonly #doFn: DoFn<KV<string, ShopEvent>>;

  constructor(fn: string, config: JsonValue) {
    this.#doFn = createDoFn(fn, config) as DoFn<KV<string, ShopEvent>>;
  }

  process(event: ShopEvent): void {
    const context = { ...this.#context(), timestampMs: event.atMs };
    this.#doFn.process({ key: "5", value: event }, context as unknown as ProcessContext);
  }

  fire(fireAtMs: number): void {
    this.watermarkMs = Math.max(this.watermarkMs, fireAtMs + 1);
    const timer = { family: "sweep", tag: "", fireAtMs };
    this.#doFn.onTimer!(timer, this.#context() as unknown as ElementContext);
  }

  #context() {
    return {
      key: "5",
      state: ({ kind }: { kind: string }) => this.#cell(kind),
      timer: () => ({
        currentTimeMs: () => this.watermarkMs,
        set: (ms: number) => void this.timers.push(ms),
      }),
      ledger: { add: (_: number, count: string) => void this.counts.push(count) },
      metrics: { counter: () => ({ inc: () => void this.late++ }) },
      output: (value: unknown) => void this.outputs.push(value),
      outputTo: (_: string, value: unknown) => void this.outputs.push(value),
    };
  }

  #cell(kind: string) {
    const { seen, bag } = this;
    if (kind === "map") {
      return {
        get: (key: string) => seen.get(key),
        put: (key: string, value: string) => void seen.set(key, value),
        remove: (key: string) => void seen.delete(key),
        entries: () => [...seen],
      };
    }
    if (kind === "bag") {
      return {
        add: (value: unknown) => void bag.push(value),
        clear: () => void bag.splice(0),
        read: () => {
          this.reads++;
          return [...bag];
        },
      };
    }
    const write = (value: unknown) => {
      this.#value = value;
    };
    return { read: () => this.#value, write, clear: () => write(undefined) };
  }
}

function event(id: string, atMs: number, more: Partial<ShopEvent> = {}): ShopEvent {
  return { id, user: "u", type: "add_to_cart", product: "p", cents: 100, atMs, fileId: 1, ...more };
}

describe("live-metrics: AcceptEvents", () => {
  let step: OneKey;
  beforeEach(() => {
    step = new OneKey(ACCEPT, { horizonMs: HORIZON_MS, allowedLatenessMs: ALLOWED_LATENESS_MS });
  });

  it("lets an id pass once within the horizon, tells a repeat from a conflict, and lets it pass again behind it", () => {
    for (const one of [event("a", 100), event("a", 100), event("a", 100, { cents: 200 })]) step.process(one);
    step.watermarkMs = HORIZON_MS + 99;
    step.process(event("a", 100));
    expect(step.counts).to.deep.equal(["events_written", "duplicates", "conflicts", "duplicates"]);
    expect(step.outputs).to.have.length(1);
    step.watermarkMs = HORIZON_MS + 100;
    step.process(event("a", HORIZON_MS + 100));
    expect(step.outputs).to.have.length(2);
  });

  it("remembers an event of the future until the horizon behind its own time", () => {
    step.process(event("a", 3 * HORIZON_MS));
    step.watermarkMs = 4 * HORIZON_MS - 1;
    step.process(event("a", 3 * HORIZON_MS));
    expect(step.counts).to.deep.equal(["events_written", "duplicates"]);
  });

  it("keeps nothing of an id for longer than an eighth more than the horizon, and no timer without ids", () => {
    step.process(event("a", 0));
    step.watermarkMs = 4_000;
    step.process(event("b", 4_000));
    const [first = expect.fail()] = step.timers;
    expect(first).to.be.within(HORIZON_MS, (HORIZON_MS * 9) / 8);
    step.fire(first);
    expect([...step.seen.keys()]).to.deep.equal(["b"]);
    while (step.seen.size > 0) step.fire(step.timers.at(-1)!);
    expect(step.watermarkMs).to.be.at.most(4_000 + (HORIZON_MS * 9) / 8 + 1);
    const timers = step.timers.length;
    step.process(event("c", step.watermarkMs));
    expect(step.timers, "the next id sets it again").to.have.length(timers + 1);
  });

  it("parts what is later than allowed, by the millisecond, and counts it", () => {
    step.watermarkMs = 10_000;
    step.process(event("in-time", 10_000 - ALLOWED_LATENESS_MS));
    step.process(event("late", 10_000 - ALLOWED_LATENESS_MS - 1));
    expect(step.late).to.equal(1);
    expect(step.outputs[0]).to.deep.include({ key: "u" });
    expect(step.outputs[1]).to.deep.include({ event_id: "late", late_by: "501 ms" });
  });
});

describe("live-metrics: AbandonedCarts", () => {
  it("reads no cart for an event, however many there are, and waits for the earliest alone", () => {
    const step = new OneKey(ABANDONED_CARTS, { patienceMs: 1_000, allowedLatenessMs: 500 });
    for (let at = 0; at < 200_000; at++) step.process(event(`e${at}`, 200_000 - (at === 7 ? 50_000 : at)));
    expect(step.reads).to.equal(0);
    expect(step.bag).to.have.length(200_000);
    expect(step.timers.at(-1)).to.equal(1 + 1_500);
    step.watermarkMs = 10_000_000;
    step.fire(1 + 1_500);
    const prices = (step.outputs as { items: number }[]).map(({ items }) => items);
    expect(prices).to.deep.equal([200_000]);
    expect(step.bag, "nothing is kept of a cart that was told").to.deep.equal([]);
  });
});

describe("live-metrics: top products", () => {
  it("counts a product whatever it is called, through the coder of accumulators too", () => {
    const top = createCombineFn(TOP_PRODUCTS, { count: 3 });
    const coder = new GeneralObjectCoder();
    let sum = top.createAccumulator();
    for (const product of ["__proto__", "constructor", "__proto__", "2", "1"]) {
      sum = top.addInput(sum, event("e", 0, { type: "purchase", product }));
      sum = decodeFromBytes(coder, encodeToBytes(coder, sum));
    }
    const other = top.addInput(
      top.createAccumulator(),
      event("e", 0, { type: "purchase", product: "__proto__" }),
    );
    const totals = top.extractOutput(top.mergeAccumulators([sum, other])) as readonly ProductTotals[];
    expect(totals.map(({ product, purchases }) => [product, purchases])).to.deep.equal([
      ["__proto__", 3],
      ["1", 1],
      ["2", 1],
    ]);
  });
});
