/** What became of a letter that was asked to go through the pipeline again. */
import type { DeadLetterRetry } from "../../../job/job-view.js";
import { Badge, type Level } from "../parts/panel.js";

const levels: Readonly<Record<DeadLetterRetry["status"], Level>> = {
  requested: "neutral",
  written: "ok",
  duplicate: "ok",
  conflict: "warning",
  rejected: "error",
};

export function RetryBadge({ retry }: { readonly retry: DeadLetterRetry | null }) {
  return retry === null ? (
    <span class="muted">–</span>
  ) : (
    <Badge level={levels[retry.status]}>{retry.status}</Badge>
  );
}
