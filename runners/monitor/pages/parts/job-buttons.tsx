/** What can be asked of the job as a whole; only what its runner can do is shown. */
import { useState } from "preact/hooks";
import type { JobAction, JobOverview } from "../../../job/job-view.js";
import { postJson } from "../api.js";
import { Confirm } from "./dialog.js";
import { perform } from "./messages.js";

type ButtonAction = Exclude<JobAction, "retry-dead-letters">;

interface Button {
  readonly action: ButtonAction;
  readonly title: string;
  /** What it does, asked first; absent where it can be taken back at once. */
  readonly question?: string;
  readonly isDangerous?: boolean;
}

const buttons: readonly Button[] = [
  { action: "pause", title: "Pause" },
  { action: "resume", title: "Resume" },
  { action: "savepoint", title: "Savepoint" },
  {
    action: "drain",
    title: "Drain",
    question:
      "The job reads nothing new, finishes and commits what it has read, fires its last windows and ends. It cannot go on afterwards; what it has read stays read.",
    isDangerous: true,
  },
  {
    action: "cancel",
    title: "Cancel",
    question:
      "The job stops now. What is not committed is read again by the next run, so nothing is lost and nothing is written twice.",
    isDangerous: true,
  },
];

export function JobButtons({ pipeline, actions }: Pick<JobOverview, "pipeline" | "actions">) {
  const [asked, setAsked] = useState<Button | null>(null);
  const shown = buttons.filter(({ action }) => actions.includes(action));
  const request = ({ action, title }: Button) =>
    perform(title, async () => {
      const { state } = await postJson<{ state: string }>(`/api/job/${action}`, {});
      return `${title} was accepted: the job is ${state}.`;
    });
  if (shown.length === 0) return null;
  return (
    <div class="buttons job-buttons">
      {shown.map((button) => (
        <button
          key={button.action}
          type="button"
          class={button.isDangerous === true ? "danger-outline" : ""}
          onClick={() => (button.question === undefined ? void request(button) : setAsked(button))}
        >
          {button.title}
        </button>
      ))}
      {asked !== null && (
        <Confirm
          title={`${asked.title} ${pipeline}?`}
          action={asked.title === "Cancel" ? "Cancel the job" : asked.title}
          isDangerous={asked.isDangerous === true}
          onConfirm={() => void request(asked)}
          onClose={() => setAsked(null)}
        >
          <p>{asked.question}</p>
        </Confirm>
      )}
    </div>
  );
}
