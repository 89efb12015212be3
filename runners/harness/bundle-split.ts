/** Gives a part of a running bundle back to the runner: elements not begun, and the rest of a restriction. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../transforms/primitives/beam.js";
import {
  type ProcessBundleSplitRequest_DesiredSplit as DesiredSplit,
  ProcessBundleSplitResponse,
} from "apache-beam/proto/beam_fn_api";
import type { ActiveRestriction } from "../bundle/host.js";
import type { Channel } from "./bundle-inputs.js";
import type { ResidualRoots } from "./residual-roots.js";

/** What is being worked on, if it can be split within. */
export interface SplittableWork {
  readonly active: ActiveRestriction;
  readonly roots: ResidualRoots;
}

/** How far an element counts as done when nobody tells. */
const PROGRESS_UNKNOWN = 0.5;

/**
 * Splits where the runner asks for, as near as it can be had: within the restriction being worked on, or before
 * an element that no step has seen. Neither loses nor doubles anything: what is said to be residual will not be run.
 * An answer without a split says that there was nothing to split off.
 */
export function splitBundle(
  channel: Channel,
  desired: DesiredSplit,
  work: SplittableWork | undefined,
  nowMs: number,
): ProcessBundleSplitResponse {
  const response = ProcessBundleSplitResponse.create();
  const end = Math.min(channel.stopAt, Math.max(Number(desired.estimatedInputElements), channel.taken));
  const current = Math.max(0, channel.taken - 1);
  const done = channel.taken === 0 ? 0 : progressOf(work);
  const keep = (end - current - done) * desired.fractionOfRemainder;
  if (
    work !== undefined &&
    keep < 1 - done &&
    mayStopAt(desired, current) &&
    mayStopAt(desired, current + 1)
  ) {
    const split = work.active.split(keep / (1 - done));
    if (split !== undefined) {
      response.primaryRoots.push(work.roots.primary(split.residual, split.primary));
      response.residualRoots.push(work.roots.residual(split.residual, nowMs));
      stop(response, channel, current - 1, current + 1);
      return response;
    }
  }
  const at = splitPoint(channel.taken, end, current + Math.round(done + keep), desired);
  if (at !== undefined) stop(response, channel, at - 1, at);
  return response;
}

function progressOf(work: SplittableWork | undefined): number {
  if (work === undefined) return 1;
  const progress = work.active.progress();
  if (progress === undefined) return PROGRESS_UNKNOWN;
  const whole = progress.completed + progress.remaining;
  return whole > 0 ? progress.completed / whole : PROGRESS_UNKNOWN;
}

/** The point next to the wanted one, behind all that is begun; undefined when there is none before the end. */
function splitPoint(taken: number, end: number, wanted: number, desired: DesiredSplit): number | undefined {
  const allowed = desired.allowedSplitPoints.map(Number);
  const points = allowed.length > 0 ? allowed : [Math.max(taken, wanted)];
  const possible = points.filter((point) => point >= taken && point < end);
  if (possible.length === 0) return undefined;
  return possible.reduce((a, b) => (Math.abs(b - wanted) < Math.abs(a - wanted) ? b : a));
}

function mayStopAt({ allowedSplitPoints }: DesiredSplit, point: number): boolean {
  return allowedSplitPoints.length === 0 || allowedSplitPoints.includes(BigInt(point));
}

function stop(
  response: ProcessBundleSplitResponse,
  channel: Channel,
  lastPrimary: number,
  firstResidual: number,
): void {
  channel.stopAt = firstResidual;
  response.channelSplits.push({
    transformId: channel.source.transformId,
    lastPrimaryElement: BigInt(lastPrimary),
    firstResidualElement: BigInt(firstResidual),
  });
}
