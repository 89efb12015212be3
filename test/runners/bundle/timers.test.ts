/** Timers over both hosts: what setting one tells the engine, what is refused, what a firing is given. */
import { expect } from "chai";
import type { TimerUpdate } from "../../../runners/engine/bundle.js";
import type { Window } from "../../../runners/engine/element.js";
import type { DoFn, ElementContext, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import {
  eventTimeTimer,
  type FiredTimer,
  processingTimeTimer,
} from "../../../transforms/primitives/timer-spec.js";
import {
  GLOBAL_WINDOW_END_MS,
  MAX_TIMESTAMP_MS,
  MIN_TIMESTAMP_MS,
} from "../../../transforms/primitives/timestamp-bounds.js";
import { GLOBAL_WINDOW, type KV, NO_FIRING } from "../../../transforms/primitives/window.js";
import { HOSTS } from "./hosts.js";
import { failureOf, firing, item, keyed, parDo, processorOf, runBundle, window } from "./stages.js";

type Act = (context: ElementContext, timers: Timed) => unknown;

/** Sets its timers as a test says. */
class Timed implements DoFn<KV<string, unknown>> {
  readonly due = eventTimeTimer();
  readonly tick = processingTimeTimer();
  readonly count = valueState<number>();
  readonly #act: Act;
  constructor(act: Act) {
    this.#act = act;
  }
  process(_element: KV<string, unknown>, context: ProcessContext): void {
    this.#act(context, this);
  }
  onTimer({ family, tag, fireAtMs }: FiredTimer, context: ElementContext) {
    const state = context.state(this.count);
    state.write((state.read() ?? 0) + 1);
    this.#act(context, this);
    return [`${family}/${tag} of ${context.key} in ${context.window.id} at ${fireAtMs}: ${state.read()}`];
  }
}

for (const kind of HOSTS) {
  describe(`timers of a BundleProcessor, ${kind.name}`, () => {
    /** What an element at 5 in a window sets, by default with 5 ms allowed lateness in [0, 10). */
    async function set(act: Act, { timestampMs = 5, inWindow = window(0) as Window, nowMs = 1000 } = {}) {
      const host = kind.create({ facts: { allowedLatenessMs: 5, isBounded: false } });
      const processor = await processorOf(host, parDo("T", new Timed(act)));
      const work = keyed("T", "k", item("k", 1, timestampMs, inWindow));
      const scope = await runBundle(processor, host, [work], (each) => {
        each.nowMs = nowMs;
      });
      return scope.timers;
    }

    const update = (family: string, update: TimerUpdate["set"], tag = ""): TimerUpdate => ({
      root: "T",
      keyId: "k",
      key: "k",
      window: window(0),
      family,
      tag,
      set: update,
    });

    it("sets an event-time timer, which holds its own time", async () => {
      const timers = await set((context, { due }) => context.timer(due).set(7));
      expect(timers).to.deep.equal([
        update("due", { domain: "event-time", fireAtMs: 7, outputTimestampMs: 7 }),
      ]);
    });

    it("sets a processing-time timer, which holds the element's time", async () => {
      const timers = await set((context, { tick }) => context.timer(tick).set(2000));
      expect(timers).to.deep.equal([
        update("tick", { domain: "processing-time", fireAtMs: 2000, outputTimestampMs: 5 }),
      ]);
    });

    it("sets timers relative to the element's time and to the clock's now", async () => {
      const timers = await set((context, { due, tick }) => {
        context.timer(due).setRelative(3);
        context.timer(tick).setRelative(3);
      });
      expect(timers.map((timer) => timer.set?.fireAtMs)).to.deep.equal([8, 1003]);
    });

    it("holds the output time that is given", async () => {
      const timers = await set((context, { due, tick }) => {
        context.timer(due).set(9, { outputTimestampMs: 6 });
        context.timer(tick).setRelative(1, { outputTimestampMs: 14 });
      });
      expect(timers.map((timer) => timer.set?.outputTimestampMs)).to.deep.equal([6, 14]);
    });

    it("holds nothing with the output time `none`, in either domain", async () => {
      const timers = await set((context, { due, tick }) => {
        context.timer(due).set(9, { outputTimestampMs: "none" });
        context.timer(tick).setRelative(1, { outputTimestampMs: "none" });
      });
      expect(timers.map((timer) => timer.set)).to.deep.equal([
        { domain: "event-time", fireAtMs: 9, outputTimestampMs: undefined },
        { domain: "processing-time", fireAtMs: 1001, outputTimestampMs: undefined },
      ]);
    });

    it("sets an event-time timer relative to the element at its window's expiry at the latest", async () => {
      const timers = await set((context, { due }) => {
        context.timer(due, "before").setRelative(9);
        context.timer(due, "behind").setRelative(10);
      });
      expect(timers.map((timer) => timer.set)).to.deep.equal([
        { domain: "event-time", fireAtMs: 14, outputTimestampMs: 14 },
        { domain: "event-time", fireAtMs: 14, outputTimestampMs: 14 },
      ]);
    });

    it("tells settings and clearings in order, by family and tag", async () => {
      const timers = await set((context, { due }) => {
        context.timer(due, "a").set(7);
        context.timer(due, "b").set(8);
        context.timer(due, "a").clear();
        context.timer(due).clear();
      });
      expect(
        timers.map(({ family, tag, set }) => `${family}/${tag} ${set?.fireAtMs ?? "cleared"}`),
      ).to.deep.equal(["due/a 7", "due/b 8", "due/a cleared", "due/ cleared"]);
    });

    it("takes an event time up to the end of the window plus allowed lateness", async () => {
      const [timer] = await set((context, { due }) => context.timer(due).set(14));
      expect(timer?.set?.fireAtMs).to.equal(14);
    });

    it("takes an event time in the past: it is due at once", async () => {
      const [timer] = await set((context, { due }) => context.timer(due).set(1));
      expect(timer?.set).to.deep.equal({ domain: "event-time", fireAtMs: 1, outputTimestampMs: 1 });
    });

    it("takes timers up to the end of the global window, and none behind it", async () => {
      const inWindow = GLOBAL_WINDOW;
      const timestampMs = MIN_TIMESTAMP_MS;
      const end = GLOBAL_WINDOW_END_MS;
      const [timer] = await set((context, { due }) => context.timer(due).set(end), { inWindow, timestampMs });
      expect(timer?.set?.fireAtMs).to.equal(end);
      const error = await failureOf(
        set((context, { due }) => context.timer(due).set(end + 1000), { inWindow, timestampMs }),
      );
      expect(error.message).to.contain(`(${end}), got ${end + 1000}`);
    });

    for (const [what, act, message] of [
      [
        "an event time behind the window and its lateness",
        (context, { due }) => context.timer(due).set(15),
        'event-time timer "due" must not be set behind the end of its window plus allowed lateness (14), got 15',
      ],
      [
        "an output time before the element's",
        (context, { due }) => context.timer(due, "t").set(9, { outputTimestampMs: 4 }),
        'event-time timer "due" with tag "t" must not output before the current element or timer (5), got 4',
      ],
      [
        "an output time after an event-time timer fires",
        (context, { due }) => context.timer(due).set(7, { outputTimestampMs: 8 }),
        'event-time timer "due" must not output after it fires (7), got 8',
      ],
      [
        "an output time of a processing-time timer after its window has expired",
        (context, { tick }) => context.timer(tick).set(0, { outputTimestampMs: 15 }),
        'processing-time timer "tick" must not output after its window has expired (14), got 15',
      ],
      [
        "a time that is none",
        (context, { tick }) => context.timer(tick).set(Number.NaN),
        'processing-time timer "tick" must be set to a time in ms, got NaN',
      ],
      [
        "a timer that stands in no field",
        (context) => context.timer(eventTimeTimer()).set(1),
        "no field of the DoFn holds this event-time timer",
      ],
    ] as [string, Act, string][]) {
      it(`refuses ${what}`, async () => {
        expect((await failureOf(set(act))).message).to.equal(`step "T" failed in process: ${message}`);
      });
    }

    it("gives a firing its family, tag, key, window and state, and its output time", async () => {
      const host = kind.create();
      const processor = await processorOf(host, parDo("T", new Timed(() => undefined)));
      const scope = await runBundle(processor, host, [
        keyed(
          "T",
          "k",
          firing({ family: "due", tag: "x", fireAtMs: 7, outputTimestampMs: 6 }, window(0)),
          firing(
            { family: "tick", domain: "processing-time", fireAtMs: 99, outputTimestampMs: 8 },
            window(0),
          ),
        ),
      ]);
      expect(
        scope.emitted.get("T")!.map(({ value, timestampMs, windows }) => [value, timestampMs, windows]),
      ).to.deep.equal([
        ["due/x of k in 0/10 at 7: 1", 6, [window(0)]],
        ["tick/ of k in 0/10 at 99: 2", 8, [window(0)]],
      ]);
    });

    /** Fires the timer `due` at 7, which was set without an output time. */
    async function fireSilently(onTimer: (context: ElementContext, timers: Timed) => unknown) {
      class Silent extends Timed {
        override onTimer(_: FiredTimer, context: ElementContext) {
          return onTimer(context, this) as string[];
        }
      }
      const host = kind.create();
      const processor = await processorOf(host, parDo("T", new Silent(() => undefined)));
      const fired = firing({ family: "due", fireAtMs: 7, outputTimestampMs: undefined }, window(0));
      return runBundle(processor, host, [keyed("T", "k", fired)]);
    }

    it("gives a firing without an output time its key, window and state, and the end of time", async () => {
      const seen: unknown[] = [];
      await fireSilently((context, { count }) => {
        context.state(count).write(1);
        seen.push(context.key, context.window.id, context.timestampMs, context.state(count).read());
      });
      expect(seen).to.deep.equal(["k", "0/10", MAX_TIMESTAMP_MS, 1]);
    });

    it("runs what a firing without an output time gives to its end, where it emits nothing", async () => {
      const ran: string[] = [];
      await fireSilently(function* () {
        ran.push("generator");
        yield* [];
      });
      await fireSilently(async function* () {
        ran.push("async generator");
        yield* [];
      });
      await fireSilently(async () => void ran.push("promise"));
      expect(ran).to.deep.equal(["generator", "async generator", "promise"]);
    });

    it("lets a firing without an output time set timers: in processing time, as silent as itself", async () => {
      const { timers } = await fireSilently((context, { due, tick }) => {
        context.timer(due).set(9);
        context.timer(due, "s").set(9, { outputTimestampMs: "none" });
        context.timer(tick).setRelative(5);
      });
      expect(timers.map(({ set }) => set)).to.deep.equal([
        { domain: "event-time", fireAtMs: 9, outputTimestampMs: 9 },
        { domain: "event-time", fireAtMs: 9, outputTimestampMs: undefined },
        { domain: "processing-time", fireAtMs: 5, outputTimestampMs: undefined },
      ]);
    });

    for (const [what, onTimer] of [
      ["by output()", (context) => context.output("x")],
      ["at a time of its own", (context) => context.output("x", 9)],
      ["by outputTo()", (context) => context.outputTo("main", "x")],
      [
        "by outputWindowed()",
        (context) =>
          context.outputWindowed("main", {
            value: "x",
            timestampMs: 9,
            windows: [window(0)],
            pane: NO_FIRING,
          }),
      ],
      ["an array", () => ["x"]],
      ["from a promise", async () => ["x"]],
      [
        "from an async generator",
        async function* () {
          yield "x";
        },
      ],
    ] as [string, (context: ElementContext) => unknown][]) {
      it(`refuses what a firing without an output time emits, ${what}`, async () => {
        expect((await failureOf(fireSilently(onTimer))).message).to.equal(
          'step "T" failed in onTimer: timer "due" must not emit: it was set without an output timestamp, so that nothing waited for it',
        );
      });
    }

    for (const [what, act, message] of [
      [
        "an output time",
        (context, { tick }) => context.timer(tick).set(9, { outputTimestampMs: 8 }),
        'processing-time timer "tick" must not output, as the timer that is being processed has no output timestamp, got 8',
      ],
      [
        "an event time relative to its own",
        (context, { due }) => context.timer(due).setRelative(1),
        'event-time timer "due" has nothing to count from: the timer that is being processed has no output timestamp',
      ],
    ] as [string, Act, string][]) {
      it(`refuses a firing without an output time ${what}`, async () => {
        expect((await failureOf(fireSilently(act))).message).to.equal(
          `step "T" failed in onTimer: ${message}`,
        );
      });
    }

    it("lets a timer set itself again", async () => {
      const host = kind.create();
      const processor = await processorOf(
        host,
        parDo("T", new Timed((context, { due }) => context.timer(due).setRelative(2))),
      );
      const work = keyed("T", "k", firing({ family: "due", fireAtMs: 4, outputTimestampMs: 4 }, window(0)));
      const scope = await runBundle(processor, host, [work]);
      expect(scope.timers.map(({ set }) => set?.fireAtMs)).to.deep.equal([6]);
    });

    it("runs elements, timers and the expiration of a key in the order given", async () => {
      const calls: string[] = [];
      class Telling implements DoFn {
        readonly due = eventTimeTimer();
        async process(_: unknown, context: ProcessContext) {
          await new Promise((resolve) => setImmediate(resolve));
          calls.push(`process ${context.timestampMs}`);
        }
        onTimer({ fireAtMs }: FiredTimer): void {
          calls.push(`timer ${fireAtMs}`);
        }
        async onWindowExpiration() {
          calls.push("expiration");
        }
      }
      const host = kind.create();
      const processor = await processorOf(host, parDo("T", new Telling()));
      await runBundle(processor, host, [
        keyed(
          "T",
          "k",
          item("k", 1, 1),
          firing({ family: "due", fireAtMs: 2 }),
          item("k", 1, 3),
          firing({ family: "due", fireAtMs: 4 }),
          { kind: "expiration", window: GLOBAL_WINDOW },
        ),
      ]);
      expect(calls).to.deep.equal(["process 1", "timer 2", "process 3", "timer 4", "expiration"]);
    });

    it("refuses timers to a DoFn without onTimer", async () => {
      class Deaf implements DoFn {
        readonly due = eventTimeTimer();
        process(): void {}
      }
      const error = await failureOf(processorOf(kind.create(), parDo("T", new Deaf())));
      expect(error.message).to.equal('step "T" declares the timer "due", but has no onTimer');
    });
  });
}
