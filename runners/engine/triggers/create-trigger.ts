/** Makes the machine of a trigger from its description. */
import type { TriggerSpec } from "../windowing-strategy.js";
import {
  AfterAllTrigger,
  AfterEachTrigger,
  AfterFirstTrigger,
  OrFinallyTrigger,
  RepeatTrigger,
} from "./composite-triggers.js";
import { EarlyAndLateTrigger } from "./early-and-late-trigger.js";
import {
  AlwaysTrigger,
  CountTrigger,
  DefaultTrigger,
  EndOfWindowTrigger,
  NeverTrigger,
  ProcessingTimeTrigger,
} from "./leaf-triggers.js";
import type { TriggerMachine } from "./trigger-machine.js";

/** @throws RangeError for a count or time that makes no sense, naming the trigger and the value */
export function createTrigger(spec: TriggerSpec, isMerging: boolean): TriggerMachine {
  const create = (part: TriggerSpec) => createTrigger(part, isMerging);
  switch (spec.kind) {
    case "default":
      return new DefaultTrigger();
    case "never":
      return new NeverTrigger();
    case "always":
      return new AlwaysTrigger();
    case "after-end-of-window":
      if (spec.early === undefined && spec.late === undefined) return new EndOfWindowTrigger();
      return new EarlyAndLateTrigger(
        create(spec.early ?? { kind: "never" }),
        spec.late && create(spec.late),
        isMerging,
      );
    case "after-count":
      return new CountTrigger(spec.count);
    case "after-processing-time":
      return new ProcessingTimeTrigger(spec.transforms);
    case "after-synchronized-processing-time":
      // One process: upstream's processing time is this one's.
      return new ProcessingTimeTrigger([]);
    case "repeat":
      return new RepeatTrigger([create(spec.of)]);
    case "after-each":
      return new AfterEachTrigger(atLeastOne(spec).map(create), isMerging);
    case "after-first":
      return new AfterFirstTrigger(atLeastOne(spec).map(create));
    case "after-all":
      return new AfterAllTrigger(atLeastOne(spec).map(create));
    case "or-finally":
      return new OrFinallyTrigger(create(spec.main), create(spec.finally));
  }
}

function atLeastOne(spec: TriggerSpec & { readonly of: readonly TriggerSpec[] }): readonly TriggerSpec[] {
  if (spec.of.length === 0) throw new RangeError(`${spec.kind}: it needs at least one trigger, got none`);
  return spec.of;
}
