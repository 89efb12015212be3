/** A timer that always sets itself again, when its input has ended: it goes on until the job is cancelled. */
import { expect } from "chai";
import { directRunner } from "millrace/runners";
import { JobState_Enum, withName } from "../../../transforms/primitives/beam.js";
import { create } from "../../../transforms/primitives/create.js";
import type { DoFn, ElementContext, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { eventTimeTimer, type FiredTimer } from "../../../transforms/primitives/timer-spec.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { until } from "./number-pipelines.js";

let fired = 0;

class EndlessFn implements DoFn<KV<string, number>> {
  readonly loop = eventTimeTimer();

  process(_: KV<string, number>, context: ProcessContext): void {
    context.timer(this.loop).set(0);
  }

  onTimer({ fireAtMs }: FiredTimer, context: ElementContext): void {
    fired++;
    context.timer(this.loop).set(fireAtMs + 1);
  }
}
const ENDLESS = registerDoFn("test/direct/endless-timer@1", () => new EndlessFn());

describe("directRunner() with a timer that always sets itself again", () => {
  it("goes on after the end of the input, as a drained job does, until it is cancelled", async () => {
    const result = await directRunner().runAsync((root) =>
      root
        .apply(withName("Create", create([{ key: "k", value: 1 }])))
        .apply(withName("Loop", registeredParDo<KV<string, number>, never>(ENDLESS, null))),
    );
    await until(() => fired > 100);
    expect(result.state).to.equal(JobState_Enum.RUNNING);
    expect(await result.cancel()).to.equal(JobState_Enum.CANCELLED);
    const atTheEnd = fired;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(fired).to.equal(atTheEnd);
  });
});
