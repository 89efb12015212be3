/** What a bundle fails with over both hosts: step and method by name, and teardown all the same. */
import { expect } from "chai";
import { StepFailedError } from "../../../runners/bundle/bundle-processor.js";
import type { DoFn, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { singletonSideInput } from "../../../transforms/primitives/side-input-spec.js";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import { eventTimeTimer } from "../../../transforms/primitives/timer-spec.js";
import { GLOBAL_WINDOW } from "../../../transforms/primitives/window.js";
import { HOSTS } from "./hosts.js";
import {
  element,
  elements,
  failureOf,
  firing,
  fn,
  item,
  keyed,
  parDo,
  processorOf,
  runBundle,
} from "./stages.js";

const boom = () => {
  throw new Error("boom");
};
const pass = fn((value) => [value]);

for (const kind of HOSTS) {
  describe(`failures of a BundleProcessor, ${kind.name}`, () => {
    for (const method of ["setup", "startBundle", "process", "finishBundle"] as const) {
      for (const [when, fails] of [
        ["at once", boom],
        ["later", async () => boom()],
      ] as const) {
        it(`names the step when its ${method} fails ${when}, and tears down`, async () => {
          const host = kind.create();
          const torn: string[] = [];
          const teardown = (name: string) => ({ teardown: () => void torn.push(name) });
          const failing: DoFn = { ...pass, [method]: fails, ...teardown("failing") };
          const steps = [
            parDo("First", { ...pass, ...teardown("first") }),
            parDo("Failing", failing, { input: "First" }),
            parDo("Last", { ...pass, ...teardown("last") }, { input: "Failing" }),
          ];
          const error = await failureOf(
            (async () => {
              const processor = await processorOf(host, ...steps);
              try {
                await runBundle(processor, host, [elements(1)]);
              } finally {
                await processor.teardown();
              }
            })(),
          );
          expect(error).to.be.instanceOf(StepFailedError);
          expect(error.message).to.equal(`step "Failing" failed in ${method}: boom`);
          expect((error.cause as Error).message).to.equal("boom");
          expect(torn).to.deep.equal(
            method === "setup" ? ["first", "failing"] : ["first", "failing", "last"],
          );
        });
      }
    }

    it("returns what teardown throws, and calls every other", async () => {
      const host = kind.create();
      const torn: string[] = [];
      const steps = [
        parDo("A", { ...pass, teardown: boom }),
        parDo("B", { ...pass, teardown: async () => void torn.push("b") }, { input: "A" }),
      ];
      const processor = await processorOf(host, ...steps);
      const errors = (await processor.teardown()) as Error[];
      expect(errors.map(({ message }) => message)).to.deep.equal(['step "A" failed in teardown: boom']);
      expect(torn).to.deep.equal(["b"]);
      expect(await processor.teardown()).to.deep.equal([]);
    });

    it("fails though a DoFn before has caught the error", async () => {
      const host = kind.create();
      const careless = fn<number>((value, context) => {
        try {
          context.output(value);
        } catch {
          // it thinks that this is its own affair
        }
      });
      const processor = await processorOf(host, parDo("A", careless), parDo("B", fn(boom), { input: "A" }));
      const error = await failureOf(runBundle(processor, host, [elements(1)]));
      expect(error.message).to.equal('step "B" failed in process: boom');
    });

    it("tears nothing down that a step before it still emits to", async () => {
      const host = kind.create();
      const seen: string[] = [];
      let goOn = (): void => undefined;
      const slow = fn<number>(async (value) => {
        if (value === 1) await new Promise<void>((resolve) => (goOn = resolve));
        else boom();
        return [value];
      });
      const last: DoFn<number> = {
        process: (value) => void seen.push(`process ${value}`),
        teardown: () => void seen.push("teardown"),
      };
      const processor = await processorOf(host, parDo("Slow", slow), parDo("Last", last, { input: "Slow" }));
      await processor.startBundle(host.newScope());
      await processor.process(elements(1, 2));
      const ended = processor.teardown();
      await new Promise(setImmediate);
      goOn();
      await ended;
      expect(seen).to.deep.equal(["process 1", "teardown"]);
    });

    it("shows a thrown value that is no error", async () => {
      const host = kind.create();
      for (const [thrown, shown] of [
        [{ code: 42 }, "{ code: 42 }"],
        ["text", "text"],
        [undefined, "undefined"],
        [Object.create(null), "[Object: null prototype] {}"],
      ]) {
        const odd = fn(() => {
          throw thrown;
        });
        const processor = await processorOf(host, parDo("Odd", odd));
        const error = await failureOf(runBundle(processor, host, [elements(1)]));
        expect(error.message).to.equal(`step "Odd" failed in process: ${shown}`);
      }
    });

    it("is named where a DoFn has no process", async () => {
      const error = await failureOf(processorOf(kind.create(), parDo("Empty", {} as DoFn)));
      expect(error.message).to.equal('step "Empty": its DoFn has no process');
    });

    for (const [what, outputs] of [
      [
        "a generator",
        function* () {
          yield 1;
          boom();
        },
      ],
      [
        "an async generator",
        async function* () {
          yield 1;
          boom();
        },
      ],
    ] as const) {
      it(`names the step when ${what} fails half way`, async () => {
        const host = kind.create();
        const processor = await processorOf(host, parDo("Half", fn(outputs)));
        const error = await failureOf(runBundle(processor, host, [elements(1)]));
        expect(error.message).to.equal('step "Half" failed in process: boom');
      });
    }

    it("ends a generator when a step behind it fails", async () => {
      const host = kind.create();
      let isEnded = false;
      const spread = fn(function* () {
        try {
          yield 1;
          yield 2;
        } finally {
          isEnded = true;
        }
      });
      const processor = await processorOf(host, parDo("A", spread), parDo("B", fn(boom), { input: "A" }));
      await failureOf(runBundle(processor, host, [elements(1)]));
      expect(isEnded).to.equal(true);
    });

    it("begins nothing that waits once an element has failed", async () => {
      const host = kind.create();
      const begun: number[] = [];
      const slow = fn<number>(
        async (value) => {
          begun.push(value);
          if (value === 1) boom();
        },
        { concurrencyMax: 2 },
      );
      const processor = await processorOf(host, parDo("Slow", slow));
      const error = await failureOf(runBundle(processor, host, [elements(0, 1, 2, 3, 4, 5)]));
      expect(error.message).to.equal('step "Slow" failed in process: boom');
      expect(begun.length).to.be.at.most(4);
    });

    it("tears down only when what is running has ended", async () => {
      const host = kind.create();
      const calls: string[] = [];
      const slow: DoFn<number> = {
        process: async (value) => {
          if (value === 1) boom();
          await new Promise((resolve) => setTimeout(resolve, 5));
          calls.push("ended");
        },
        teardown: () => void calls.push("teardown"),
      };
      const processor = await processorOf(host, parDo("Slow", slow));
      await processor.startBundle(host.newScope());
      processor.process(elements(0, 1));
      await processor.teardown();
      expect(calls).to.deep.equal(["ended", "teardown"]);
    });

    it("takes no further bundle after a failure", async () => {
      const host = kind.create();
      const processor = await processorOf(host, parDo("A", fn(boom)));
      await failureOf(runBundle(processor, host, [elements(1)]));
      const again = await failureOf(runBundle(processor, host, []));
      expect(again.message).to.equal('step "A" failed in process: boom');
    });

    it("names the method of a stateful DoFn that fails, at once or later", async () => {
      class Failing implements DoFn {
        readonly seen = valueState<number>();
        readonly due = eventTimeTimer();
        constructor(readonly call: () => never | Promise<never>) {}
        process = () => this.call();
        onTimer = () => this.call();
        onWindowExpiration = () => this.call();
      }
      const works = {
        process: item("a", 1),
        onTimer: firing({ family: "due" }),
        onWindowExpiration: { kind: "expiration", window: GLOBAL_WINDOW },
      } as const;
      for (const call of [boom, async () => boom()]) {
        for (const [method, work] of Object.entries(works)) {
          const host = kind.create();
          const processor = await processorOf(host, parDo("Failing", new Failing(call)));
          const error = await failureOf(runBundle(processor, host, [keyed("Failing", "a", work)]));
          expect(error.message).to.equal(`step "Failing" failed in ${method}: boom`);
        }
      }
    });

    it("stops a key at its first failure", async () => {
      const host = kind.create();
      const seen: number[] = [];
      class Failing implements DoFn<{ value: number }> {
        readonly state = valueState<number>();
        async process({ value }: { value: number }) {
          seen.push(value);
          if (value === 2) boom();
        }
      }
      const processor = await processorOf(host, parDo("Failing", new Failing()));
      const items = [1, 2, 3].map((n) => item("a", n));
      await failureOf(runBundle(processor, host, [keyed("Failing", "a", ...items)]));
      expect(seen).to.deep.equal([1, 2]);
    });

    it("refuses state, timers and side inputs to a DoFn that declares none", async () => {
      const state = valueState();
      const timer = eventTimeTimer();
      const side = singletonSideInput();
      for (const [use, message] of [
        [(c: ProcessContext) => c.state(state), "there is no value state here"],
        [(c: ProcessContext) => c.timer(timer), "there is no timer here"],
        [(c: ProcessContext) => c.key, "there is no key here"],
        [(c: ProcessContext) => c.sideInput(side), "no field of the DoFn holds this singleton side input"],
      ] as const) {
        const host = kind.create();
        const processor = await processorOf(
          host,
          parDo(
            "A",
            fn((_, context) => void use(context)),
          ),
        );
        const error = await failureOf(runBundle(processor, host, [elements(1)]));
        expect(error.message).to.contain(`step "A" failed in process: ${message}`);
      }
    });

    it("refuses to use a context after its bundle", async () => {
      const host = kind.create();
      let kept: ProcessContext | undefined;
      const keep = fn((_, context) => {
        kept = context;
      });
      const processor = await processorOf(host, parDo("A", keep));
      const input = { kind: "elements", root: "in", elements: [element(1)] } as const;
      await runBundle(processor, host, [input]);
      expect(() => kept!.output(1)).to.throw("no bundle is under way");
    });

    it("refuses a DoFn that the graph does not describe", async () => {
      class Stateful implements DoFn {
        readonly state = valueState<number>();
        process(): void {}
      }
      const host = kind.create();
      for (const [step, message] of [
        [
          { ...parDo("A", new Stateful()), isStateful: false },
          "declares state or timers, the graph does not",
        ],
        [{ ...parDo("A", pass), isStateful: true }, "declares neither state nor timers"],
        [{ ...parDo("A", pass), isSplittable: true }, "has no createTracker"],
      ] as const) {
        expect((await failureOf(processorOf(host, step))).message)
          .to.contain(`step "A": `)
          .and.to.contain(message);
      }
    });
  });
}
