/** Timers of stateful steps in the engine. */
import type { Behaviour } from "./fake-host.js";
import { obedient, obeying, stateful } from "./obedient-step.js";
import { runTable, type TableOptions } from "./run-table.js";

const looping = (timer: NonNullable<Behaviour["keyed"]>["timer"]): TableOptions => ({
  behaviours: { S: { keyed: { ...obedient.keyed, ...(timer === undefined ? {} : { timer }) } } },
});

describe("Engine: timers", () => {
  it("of event time fire when the watermark is past them, in order, and hold the output until then", () => {
    runTable(
      stateful(),
      `
      In k:t=10@1 k:u=7@1 watermark 3
        S k: k:t=10@1 k:u=7@1
      show S
        S 3
      In watermark 7
      show S
        S 7
      In watermark 9
        S k: timer u at 7
        Out: u!@7
      show S
        S 9
      In watermark 10
      show S
        S 10
      In watermark 50
        S k: timer t at 10
        Out: t!@10
      show S
        S 50`,
      obeying,
    );
  });

  it("set again replace the earlier setting, and cleared ones do not fire", () => {
    runTable(
      stateful(),
      `
      In k:t=10@1 k:u=12@1 watermark 2
        S k: k:t=10@1 k:u=12@1
      In k:t=20@3 k:-u@3 watermark 3
        S k: k:t=20@3 k:-u@3
      In watermark 15
      show S
        S 15
      In watermark 21
        S k: timer t at 20
        Out: t!@20
      In watermark 30`,
      obeying,
    );
  });

  it("cleared by the element that came with the watermark do not fire, although due", () => {
    runTable(
      stateful(),
      `
      In k:t=10@1 watermark 2
        S k: k:t=10@1
      In k:-t@15 watermark 20
        S k: k:-t@15
      show S
        S 20`,
      obeying,
    );
  });

  it("of processing time fire when the clock is there, and hold the output at their output time", () => {
    runTable(
      stateful(),
      `
      In k:p=1000>4@4 watermark 50
        S k: k:p=1000>4@4
      wake?
        1000
      show S
        S 4
      clock 999
      clock 1000
        S k: timer p at 1000
        Out: p!@4
      show S
        S 50
      wake?
        never`,
      obeying,
    );
  });

  it("loop within one epoch, each seeing what the one before has set", () => {
    runTable(
      stateful(),
      `
      In k:t=10@1 watermark 2
        S k: k:t=10@1
      In watermark 41
        S k: timer t at 10
        S k: timer t at 20
        S k: timer t at 30
        S k: timer t at 40
      show S
        S 41
      In watermark 51
        S k: timer t at 50`,
      looping(({ fireAtMs }, context) => context.set("t", fireAtMs + 10)),
    );
  });

  it("of one key fire one by one: the first may clear the second or set one before it", () => {
    runTable(
      stateful(),
      `
      In k:a=10@1 k:b=20@1 k:d=40@1 j:b=20@1 watermark 2
        S k: k:a=10@1 k:b=20@1 k:d=40@1
        S j: j:b=20@1
      In watermark 100
        S k: timer a at 10
        S j: timer b at 20
        S k: timer c at 30
        S k: timer d at 40`,
      looping(({ family }, context) => {
        if (family !== "a") return;
        context.clear("b");
        context.set("c", 30);
      }),
    );
  });

  it("that are due at the same time fire in the order of their setting", () => {
    runTable(
      stateful(),
      `
      In k:c=10@1 k:a=10@1 k:b=10@1 watermark 11
        S k: k:c=10@1 k:a=10@1 k:b=10@1
        S k: timer c at 10
        Out: c!@10
        S k: timer a at 10
        Out: a!@10
        S k: timer b at 10
        Out: b!@10`,
      obeying,
    );
  });

  it("behind the watermark do not pull it back", () => {
    runTable(
      stateful(),
      `
      In watermark 50
      In k:t=10@5
        S k: k:t=10@5
        S k: timer t at 10
        Out: t!@10
      In k:p=90>8@5
        S k: k:p=90>8@5
      In watermark 60
      show S
        S 50
      clock 90
        S k: timer p at 90
        Out: p!@8
      show S
        S 60`,
      obeying,
    );
  });

  it("without an output time fire as the others do, and hold nothing back until then", () => {
    runTable(
      stateful(),
      `
      In k:t=100>none@1 k:p=1000>none@1 watermark 50
        S k: k:t=100>none@1 k:p=1000>none@1
      show S
        S 50
      wake?
        1000
      In watermark 101
        S k: timer t at 100
      show S
        S 101
      clock 1000
        S k: timer p at 1000
      wake?
        never`,
      obeying,
    );
  });

  it("set again without an output time let go of the hold, and with one take it", () => {
    runTable(
      stateful(),
      `
      In k:t=100>5@1 watermark 20
        S k: k:t=100>5@1
      show S
        S 5
      In k:t=100>none@20
        S k: k:t=100>none@20
      show S
        S 20
      In k:t=100>30@20 watermark 50
        S k: k:t=100>30@20
      show S
        S 30
      In k:-t@50
        S k: k:-t@50
      show S
        S 50`,
      obeying,
    );
  });

  it("without an output time can be cleared, and go with their window at the end", () => {
    runTable(
      stateful(),
      `
      In k:t=10>none@1 k:p=1000>none@1 watermark 5
        S k: k:t=10>none@1 k:p=1000>none@1
      In k:-t@6 watermark 50
        S k: k:-t@6
      show S
        S 50
      In end
        S k: timer p at 1000
      show S
        S max`,
      obeying,
    );
  });
});
