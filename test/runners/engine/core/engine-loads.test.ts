/** What waits at the roots of stages and what they keep, as a watcher asks for it. */
import { expect } from "chai";
import { ElementQueue } from "../../../../runners/engine/element-queue.js";
import { elementOf } from "./fake-host.js";
import { GLOBAL, GraphBuilder } from "./graph-builder.js";
import { obeying, stateful } from "./obedient-step.js";
import { runTable, TableRun } from "./run-table.js";

describe("Engine: loads", () => {
  it("count keys with state or timers, and timers that are set, and forget what is gone", () => {
    runTable(
      stateful(),
      `
      In k:t=10@1 k:+@1 j:u=7@1 j:p=1000>4@4 watermark 3
        S k: k:t=10@1 k:+@1
        S j: j:u=7@1 j:p=1000>4@4
      loads S
        S waiting 0 keys 2 timers 3
      loads Out
        Out waiting 0
      In watermark 9
        S j: timer u at 7
        Out: u!@7
      In k:0@9 watermark 9
        S k: k:0@9
      loads S
        S waiting 0 keys 2 timers 2`,
      obeying,
    );
  });

  it("count elements until their bundle is taken", () => {
    const run = new TableRun(new GraphBuilder().source("In").stage("A", "In"));
    run.settle();
    const at = (value: string) => elementOf(value, 0, GLOBAL);
    const queue = new ElementQueue(() => 0);
    queue.push([at("a"), at("b"), at("c")], 0);
    queue.push([at("d")], 0);
    expect(queue.size).to.equal(4);
    const taken = queue.take(2);
    expect([taken.length, queue.size]).to.deep.equal([1, 2]);
    queue.take(9);
    expect(queue.size).to.equal(0);
    expect([...run.engine.stageLoads("A").values()]).to.deep.equal([{ waiting: 0 }]);
  });
});
