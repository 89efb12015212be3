/** From a step of the graph to what runs it. */
import type { DoFn, SplittableDoFn } from "../../transforms/primitives/do-fn.js";
import { createDoFn } from "../../transforms/primitives/fn-registry.js";
import type { ParDoStep, PartStep } from "../graph/translate.js";
import { combinePart } from "./combine-parts.js";
import { type DoFnFields, readFields } from "./do-fn-fields.js";
import { ParDoRunner } from "./par-do-runner.js";
import type { Receive } from "./receive.js";
import { restrictionPart } from "./restriction-parts.js";
import { SdkDoFn } from "./sdk-do-fn.js";
import { SDK_STEPS } from "./sdk-steps.js";
import { SplittableRunner } from "./splittable-runner.js";
import { StatefulRunner } from "./stateful-runner.js";
import type { StepParts, StepRunner } from "./step-runner.js";
import { windowsPart } from "./windows-parts.js";

/** The URN of a DoFn that the SDK has serialised. */
const SERIALIZED_DO_FN_URN = "beam:dofn:serialized_js_dofn_info:v1";

export interface BuiltStep {
  /** Takes elements; of a stateful or a splittable step it refuses them, as those need more than an element. */
  readonly receive: Receive;
  /** Absent where no DoFn is run. */
  readonly runner: StepRunner | undefined;
}

type Around = Pick<StepParts, "place" | "outputs" | "readTags" | "flow" | "host">;

/** @throws when the DoFn cannot be built here, or is not what the graph says of it. */
export function buildStep(step: ParDoStep | PartStep, around: Around): BuiltStep {
  return step.kind === "part" ? buildPart(step, around) : buildParDo(step, around);
}

/** A part is run as a DoFn, which has no state, timers or side inputs. */
function buildPart(step: PartStep, around: Around): BuiltStep {
  const fields = readFields({});
  const runner = new ParDoRunner({ ...around, path: step.path, fields, doFn: partDoFn(step) });
  return { receive: runner.receive, runner };
}

function partDoFn({ path, part }: PartStep): DoFn {
  switch (part.kind) {
    case "restriction": {
      const doFn = createFn({ path, doFn: part.doFn });
      if (!("createTracker" in doFn)) throw new Error(`step "${path}": its DoFn has no createTracker`);
      return restrictionPart(part.work, doFn) as DoFn;
    }
    case "combine":
      return inStep(path, () => combinePart(part));
    case "windows":
      return windowsPart(part) as DoFn;
  }
}

function buildParDo(step: ParDoStep, around: Around): BuiltStep {
  const { path, doFn: spec } = step;
  if (spec.kind === "other") {
    const build = SDK_STEPS.get(spec.urn);
    if (build !== undefined) {
      const { outputs, flow } = around;
      return { receive: build({ path, payload: spec.payload, outputs, flow }), runner: undefined };
    }
  }
  const doFn = createFn(step);
  const fields = inStep(path, () => readFields(doFn));
  mustFit(step, doFn, fields);
  const parts = { ...around, path, fields };
  if (step.isSplittable) {
    const runner = new SplittableRunner({ ...parts, doFn: doFn as SplittableDoFn });
    return { receive: refuse(path, "a splittable DoFn, which needs a restriction"), runner };
  }
  if (step.isStateful) {
    const runner = new StatefulRunner({ ...parts, doFn: doFn as DoFn });
    return { receive: refuse(path, "a stateful DoFn, which needs the key's state"), runner };
  }
  const runner = new ParDoRunner({ ...parts, doFn: doFn as DoFn });
  return { receive: runner.receive, runner };
}

function createFn({ path, doFn }: Pick<ParDoStep, "path" | "doFn">): DoFn | SplittableDoFn {
  if (doFn.kind === "registered") return inStep(path, () => createDoFn(doFn.fn, doFn.config));
  if (doFn.urn === SERIALIZED_DO_FN_URN) return inStep(path, () => new SdkDoFn(doFn.payload));
  throw new Error(`step "${path}" has a DoFn under "${doFn.urn}", which cannot be built here`);
}

function inStep<T>(path: string, build: () => T): T {
  try {
    return build();
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`step "${path}": its DoFn cannot be built: ${message}`, { cause });
  }
}

/** What the DoFn declares must stand in the graph: the runner plans by that. */
function mustFit(step: ParDoStep, doFn: DoFn | SplittableDoFn, fields: DoFnFields): void {
  const must = (isRight: boolean, rule: string): void => {
    if (!isRight) throw new Error(`step "${step.path}": ${rule}`);
  };
  const isStateful = fields.states.size + fields.timers.size > 0;
  must("process" in doFn, "its DoFn has no process");
  must(!isStateful || step.isStateful, "its DoFn declares state or timers, the graph does not");
  must(
    !step.isStateful || isStateful,
    "the graph says it is stateful, its DoFn declares neither state nor timers",
  );
  must(!(isStateful && step.isSplittable), "a splittable DoFn cannot keep state");
  must(
    !step.isSplittable || "createTracker" in doFn,
    "the graph says it is splittable, its DoFn has no createTracker",
  );
  for (const name of fields.sideInputs.values()) {
    must(
      step.sideInputs.has(name),
      `its DoFn reads the side input "${name}", the graph has none of that name`,
    );
  }
}

function refuse(path: string, why: string): Receive {
  return () => {
    throw new Error(`step "${path}" cannot take elements from a step of its own stage: it is ${why}`);
  };
}
