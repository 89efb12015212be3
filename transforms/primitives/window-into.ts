/** windowInto: assigns windows to elements, and says when and how their groups are emitted. */
import { type PCollection, type Pipeline, runnerApi } from "./beam.js";
import { MAIN_OUTPUT, type ProcessContext } from "./do-fn.js";
import { registerDoFn } from "./fn-registry.js";
import {
  CUSTOM_WINDOW_CODER_URN,
  coderIdOf,
  coderIdOfCollection,
  coderIdOrGeneral,
  fromBase64,
  GLOBAL_WINDOW_CODER_URN,
  INTERVAL_WINDOW_CODER_URN,
} from "./graph-coders.js";
import { createOutput, isBounded, mustBeNamed, parDoSpec, type StepOf } from "./par-do.js";
import { defaultTrigger, type Trigger } from "./triggers.js";
import { checkWholeMs, type WindowFn } from "./window-fn.js";
import { windowFnFromProto } from "./window-fns.js";

export interface WindowingOptions {
  /** By default the default trigger: at the end of the window, and for each late element. Any other needs `accumulation`. */
  readonly trigger?: Trigger;
  /** Whether a pane repeats what the ones before it had. */
  readonly accumulation?: "discarding" | "accumulating";
  /** How long after its end, in event time, a window still takes elements; by default 0. */
  readonly allowedLatenessMs?: number;
  /** Event time of a group; by default the window's end. */
  readonly timestampCombiner?: "end-of-window" | "earliest" | "latest";
  /** Whether an empty last pane is emitted; by default not. */
  readonly closingBehavior?: "emit-always" | "emit-if-non-empty";
  /** Whether an empty on-time pane is emitted; by default it is. */
  readonly onTimeBehavior?: "fire-always" | "fire-if-non-empty";
}

const {
  AccumulationMode_Enum,
  ClosingBehavior_Enum,
  MergeStatus_Enum,
  OnTimeBehavior_Enum,
  OutputTime_Enum,
} = runnerApi;

/**
 * Puts each element into the windows of its event time, once, whatever windows it was in. What `options`
 * leaves out has its default, not what the input had. Elements, coder, boundedness are the input's.
 * @throws when a trigger other than the default comes without `accumulation`.
 */
export function windowInto<T>(
  // biome-ignore lint/suspicious/noExplicitAny: a window function may have windows of its own type
  windowFn: WindowFn<any>,
  options: WindowingOptions = {},
): StepOf<PCollection<T>, PCollection<T>> {
  checkOptions(options);
  const spec = windowFn.toProto();
  const expand: StepOf<PCollection<T>, PCollection<T>> = (input, pipeline, proto) => {
    const config = { urn: spec.urn, payload: Buffer.from(spec.payload).toString("base64") };
    proto.spec = parDoSpec({ fn: WINDOW_INTO_DO_FN, config }, {});
    const strategy = strategyProto(pipeline, windowFn, options);
    const strategyId = pipeline.context.getWindowingStrategyId(strategy);
    const coderId = coderIdOfCollection(pipeline, input);
    return createOutput(pipeline, isBounded(pipeline, input), coderId, strategyId) as PCollection<T>;
  };
  return mustBeNamed(`the step that windows into ${spec.urn}`, expand);
}

/** The DoFn behind `windowInto`; its configuration is the window function's proto. */
const WINDOW_INTO_DO_FN = registerDoFn(
  "millrace/window-into@1",
  ({ urn, payload }: { readonly urn: string; readonly payload: string }) => {
    const windowFn = windowFnFromProto({ urn, payload: fromBase64(payload) });
    return {
      process(value: unknown, context: ProcessContext) {
        const { timestampMs, pane } = context;
        const windows = windowFn.assign(timestampMs, value);
        if (windows.length > 0) context.outputWindowed(MAIN_OUTPUT, { value, timestampMs, windows, pane });
      },
    };
  },
);

function checkOptions({ trigger, accumulation, allowedLatenessMs = 0 }: WindowingOptions): void {
  checkWholeMs("allowedLatenessMs of windowInto", allowedLatenessMs, 0);
  const kind = trigger?.trigger.oneofKind ?? "default";
  if (kind !== "default" && accumulation === undefined) {
    throw new Error(`windowInto with trigger "${kind}" needs accumulation: "discarding" or "accumulating"`);
  }
}

function strategyProto(
  pipeline: Pipeline,
  windowFn: WindowFn,
  options: WindowingOptions,
): runnerApi.WindowingStrategy {
  return {
    windowFn: windowFn.toProto(),
    mergeStatus: windowFn.isMerging ? MergeStatus_Enum.NEEDS_MERGE : MergeStatus_Enum.NON_MERGING,
    windowCoderId: windowCoderId(pipeline, windowFn),
    trigger: options.trigger ?? defaultTrigger(),
    accumulationMode: ACCUMULATION[options.accumulation ?? "discarding"],
    outputTime: OUTPUT_TIME[options.timestampCombiner ?? "end-of-window"],
    closingBehavior: CLOSING[options.closingBehavior ?? "emit-if-non-empty"],
    onTimeBehavior: ON_TIME[options.onTimeBehavior ?? "fire-always"],
    allowedLateness: BigInt(options.allowedLatenessMs ?? 0),
    assignsToOneWindow: windowFn.assignsToOneWindow,
    environmentId: pipeline.defaultEnvironment,
  };
}

const ACCUMULATION = {
  discarding: AccumulationMode_Enum.DISCARDING,
  accumulating: AccumulationMode_Enum.ACCUMULATING,
};
const OUTPUT_TIME = {
  "end-of-window": OutputTime_Enum.END_OF_WINDOW,
  earliest: OutputTime_Enum.EARLIEST_IN_PANE,
  latest: OutputTime_Enum.LATEST_IN_PANE,
};
const CLOSING = {
  "emit-always": ClosingBehavior_Enum.EMIT_ALWAYS,
  "emit-if-non-empty": ClosingBehavior_Enum.EMIT_IF_NONEMPTY,
};
const ON_TIME = {
  "fire-always": OnTimeBehavior_Enum.FIRE_ALWAYS,
  "fire-if-non-empty": OnTimeBehavior_Enum.FIRE_IF_NONEMPTY,
};

function windowCoderId(pipeline: Pipeline, { windowCoder }: WindowFn): string {
  if (windowCoder === "global") return coderIdOf(pipeline, GLOBAL_WINDOW_CODER_URN);
  if (windowCoder === "interval") return coderIdOf(pipeline, INTERVAL_WINDOW_CODER_URN);
  return coderIdOf(pipeline, CUSTOM_WINDOW_CODER_URN, coderIdOrGeneral(pipeline, undefined));
}
