/** How elements come to stateful steps: by key, in order of arrival or of time. */
import { fixed } from "./graph-builder.js";
import { obeying, stateful } from "./obedient-step.js";
import { runTable } from "./run-table.js";

describe("Engine: batches by key", () => {
  it("hold each key's elements together, in the order of their coming", () => {
    runTable(
      stateful(),
      `
      In a:1@5 b:2@4 a:3@3 a:4@9 watermark 1
        S a: a:1@5 a:3@3 a:4@9
        S b: b:2@4
        Out: a:1@5 a:3@3 a:4@9 b:2@4`,
    );
  });
});

describe("Engine: time-sorted input", () => {
  it("holds the elements until the watermark is past them, then gives them in the order of their times", () => {
    runTable(
      stateful({ isTimeSorted: true }),
      `
      In k:c@5 k:a@2 j:x@4 k:b@3 watermark 1
      show S
        S 1
      In watermark 3
        S k: k:a@2
        Out: k:a@2
      show S
        S 3
      In watermark 6
        S k: k:b@3 k:c@5
        S j: j:x@4
        Out: k:b@3 k:c@5 j:x@4
      In k:late@1
        S k: k:late@1
        Out: k:late@1
      In k:d@9 end
        S k: k:d@9
        Out: k:d@9
      done?
        yes`,
    );
  });

  it("gives elements and timers in the order of their times", () => {
    runTable(
      stateful({ isTimeSorted: true }),
      `
      In k:t=4@1 k:x@4 k:y@6 watermark 2
        S k: k:t=4@1
      In watermark 10
        S k: k:x@4
        S k: timer t at 4
        Out: t!@4
        S k: k:y@6
      show S
        S 10`,
      obeying,
    );
  });

  it("lets what is held come before its window expires", () => {
    runTable(
      stateful({ isTimeSorted: true, hasExpirationCallback: true }),
      `
      In k:+@8 k:+@1 end
        S k: k:+@1 k:+@8
        S k: expiration [0,10)
        Out: gone:2@9
      done?
        yes`,
      { ...obeying, windowOf: fixed(10) },
    );
  });
});
