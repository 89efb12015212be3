/** The sinks of a graph, what each promises on a runner, and the refusal of those that could promise nothing there. */
import type { runnerApi } from "../../transforms/primitives/beam.js";
import type { DoFn } from "../../transforms/primitives/do-fn.js";
import { createDoFn, isDoFnRegistered } from "../../transforms/primitives/fn-registry.js";
import type { Guarantee, SinkPlace, SinkPromise } from "../../transforms/primitives/sink-promise.js";
import { readSteps, type Step } from "./step.js";

export interface Sink {
  /** Path of the step. */
  readonly step: string;
  readonly target: string;
  readonly guarantee: Guarantee;
  /** Of a sink in another database. */
  readonly elsewhere?: SinkPromise["elsewhere"];
}

/** What the bundles of the direct runner write is committed once, with the positions. */
export const DIRECT_SINK_PLACE: SinkPlace = { bundlesMayRepeat: false };
/** A job server may run a bundle again that is committed. */
export const JOB_SERVER_SINK_PLACE: SinkPlace = { bundlesMayRepeat: true };

/** Sinks that would write twice, or bring back what is deleted, on the runner that the graph is given to. */
export class UnsafeSinkError extends Error {
  override readonly name = "UnsafeSinkError";
  readonly code = "MILLRACE_UNSAFE_SINK";

  constructor(readonly sinks: readonly { readonly step: string; readonly why: string }[]) {
    const lines = sinks.map(({ step, why }) => `${step}: ${why}`);
    super(
      `bundles may run again on this runner, and these sinks would not come to the same:\n  ${lines.join("\n  ")}`,
    );
  }
}

/**
 * The sinks in the order of steps: DoFns that make a promise. Call it before anything runs.
 * @throws UnsafeSinkError with every sink that cannot stand there
 */
export function sinksOf(proto: runnerApi.Pipeline, place: SinkPlace): Sink[] {
  const promises = readSteps(proto).flatMap((step) => {
    const promise = promiseOf(step, place);
    return promise === undefined ? [] : [{ step: step.path, ...promise }];
  });
  const refused = promises.flatMap((sink) =>
    "refusal" in sink ? [{ step: sink.step, why: sink.refusal }] : [],
  );
  if (refused.length > 0) throw new UnsafeSinkError(refused);
  return promises.flatMap((sink) => ("guarantee" in sink ? [sink] : []));
}

/** One line for people. */
export function sinkText({ step, target, guarantee }: Sink): string {
  return `sink ${step} into ${target}: ${guarantee}`;
}

function promiseOf(step: Step, place: SinkPlace): SinkPromise | undefined {
  if (step.kind !== "parDo" || step.doFn.kind !== "registered" || !isDoFnRegistered(step.doFn.fn)) {
    return undefined;
  }
  return (createDoFn(step.doFn.fn, step.doFn.config) as DoFn).sinkPromise?.(place);
}
