/** GroupByKey in the engine: run without a bundle, between stages. */
import { assert } from "chai";
import { type Element, MAX_WATERMARK_MS, type Window } from "../../../../runners/engine/element.js";
import type { GroupByKeyOperator, Times } from "../../../../runners/engine/group-by-key-operator.js";
import { elementOf } from "./fake-host.js";
import { fixed, GraphBuilder } from "./graph-builder.js";
import { runTable } from "./run-table.js";

interface Group {
  readonly key: string;
  readonly window: Window;
  readonly values: string[];
  readonly earliestMs: number;
  readonly sinceMs: number;
}

/** Holds at the first element of a key's window. Fires it at its end, or `patienceMs` after its first element. */
class FakeGroupByKey implements GroupByKeyOperator {
  readonly keyCount = 0;
  readonly droppedDueToLateness = 1;
  readonly droppedDueToClosedWindow = 0;
  readonly seen: string[] = [];
  #groups: Group[] = [];
  #output: Element[] = [];

  constructor(readonly patienceMs: number) {}

  get holdMs(): number {
    return Math.min(MAX_WATERMARK_MS, ...this.#groups.map(({ earliestMs }) => earliestMs));
  }

  get nextProcessingTimeMs(): number | undefined {
    const times = this.#groups.map(({ sinceMs }) => sinceMs + this.patienceMs);
    return times.length === 0 || this.patienceMs === Number.POSITIVE_INFINITY
      ? undefined
      : Math.min(...times);
  }

  add(elements: readonly Element[], { inputWatermarkMs, processingTimeMs }: Times): void {
    this.seen.push(`${elements.length} at ${inputWatermarkMs}`);
    for (const { value, windows, timestampMs: earliestMs } of elements) {
      const { key, value: inner } = value as { key: string; value: string };
      for (const window of windows) {
        const group = this.#groups.find((other) => other.key === key && other.window.id === window.id);
        if (group === undefined)
          this.#groups.push({ key, window, values: [inner], earliestMs, sinceMs: processingTimeMs });
        else group.values.push(inner);
      }
    }
  }

  advance({ inputWatermarkMs, processingTimeMs }: Times): void {
    const isDue = ({ window, sinceMs }: Group) =>
      inputWatermarkMs > window.maxTimestampMs || processingTimeMs >= sinceMs + this.patienceMs;
    for (const { key, values, window } of this.#groups.filter(isDue)) {
      this.#output.push(elementOf({ key, value: values }, window.maxTimestampMs, window));
    }
    this.#groups = this.#groups.filter((group) => !isDue(group));
  }

  takeOutput(): Element[] {
    return this.#output.splice(0);
  }
}

const graph = () =>
  new GraphBuilder().source("In").stage("A", "In").groupByKey("Group", "A").keyed("S", "Group");

describe("Engine: GroupByKey", () => {
  it("fires with the watermark, holds the output meanwhile, and counts under its id", () => {
    const operator = new FakeGroupByKey(Number.POSITIVE_INFINITY);
    runTable(
      graph(),
      `
      In k:a@1 j:b@2 k:c@3 k:d@12 watermark 5
        A: k:a@1 j:b@2 k:c@3 k:d@12
      show Group
        Group 1
      In watermark 9
      In watermark 12
        S k: k:[a,c]@9
        S j: j:[b]@9
      show Group S
        Group 12
        S 12
      done?
        no
      In end
        S k: k:[d]@19
      done?
        yes
      counters?
        Group droppedDueToLateness 1`,
      { windowOf: fixed(10), createGroupByKey: () => operator },
    );
    assert.deepEqual(operator.seen, ["4 at 1"]);
  });

  it("fires with the clock, and says when", () => {
    runTable(
      graph(),
      `
      clock 100
      In k:a@1 watermark 5
        A: k:a@1
      wake?
        150
      clock 149
      clock 150
        S k: k:[a]@9
      wake?
        never
      show S
        S 5
      In k:late@2
        A: k:late@2
      show Group
        Group 5
      In watermark 7
      show Group
        Group 5
      clock 200
        S k: k:[late]@9
      show Group
        Group 7`,
      { windowOf: fixed(10), createGroupByKey: () => new FakeGroupByKey(50) },
    );
  });

  it("is the engine's own unless another is given", () => {
    runTable(
      graph(),
      `
      In k:a@1 k:b@2 watermark 5
        A: k:a@1 k:b@2
      In end
        S k: k:[a,b]@9
      done?
        yes`,
      { windowOf: fixed(10) },
    );
  });
});
