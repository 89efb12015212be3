/** Elements that were given times behind the ends of their windows: they run while their windows are there. */
import type { Behaviour } from "./fake-host.js";
import { fixed, GraphBuilder } from "./graph-builder.js";
import { obedient } from "./obedient-step.js";
import { runTable } from "./run-table.js";

const Move: Behaviour = {
  isSilent: true,
  element: (element, { emit }) => emit({ ...element, timestampMs: 50 }),
};
const moved = () => new GraphBuilder().source("In").stage("Move", "In");
const windowOf = fixed(10);

describe("Engine: elements with times behind their windows", () => {
  it("run before the window expires, though the watermark has not come to their times", () => {
    runTable(
      moved().keyed("S", "Move", { hasExpirationCallback: true }).stage("Out", "S"),
      `
      In k:+@1 watermark 30
        S k: k:+@50
        S k: expiration [0,10)
        Out: gone:1@9
      show S
        S 30`,
      { windowOf, behaviours: { Move, S: obedient } },
    );
  });

  it("run before the window expires in a step that wants them in order of time", () => {
    runTable(
      moved().keyed("S", "Move", { hasExpirationCallback: true, isTimeSorted: true }).stage("Out", "S"),
      `
      In k:+@1 watermark 5
      show S
        S 5
      In watermark 30
        S k: k:+@50
        S k: expiration [0,10)
        Out: gone:1@9
      show S
        S 30`,
      { windowOf, behaviours: { Move, S: obedient } },
    );
  });

  it("keep the side inputs of their windows until they have run, waiting or in a bundle to come", () => {
    const Main: Behaviour = {
      element: ({ windows: [window] }, { log, engine }) =>
        log(`reads ${engine.sideInput("Main", "s", window!).join(",")}`),
    };
    runTable(
      moved()
        .source("Side")
        .stage("Main", "Move", { sides: [{ name: "s", from: "Side" }] }),
      `
      Side x@1
      In a@1 b@2 watermark 30
      show Main
        Main 9
      Side watermark 10
        Main: a@50
        reads x
        Main: b@50
        reads x
      In c@31 watermark 60
      Side y@31 watermark 40
        Main: c@50
        reads y
      show Main
        Main 60`,
      { windowOf, elementsMax: 1, behaviours: { Move, Main } },
    );
  });
});
