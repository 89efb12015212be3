/** A letter's bytes to mend, as text or as hexadecimal, and to send through the pipeline again. */
import { useState } from "preact/hooks";
import type { DeadLetterDetail, DeadLetterRetry } from "../../../job/job-view.js";
import { postJson } from "../api.js";
import { actionsOf, useOverview } from "../parts/header.js";
import { perform } from "../parts/messages.js";
import { Panel } from "../parts/panel.js";
import { fromBase64, hexOf, parseHex, toBase64 } from "../raw-bytes.js";

export function EditLetter({
  letter,
  onRetried,
}: {
  readonly letter: DeadLetterDetail;
  readonly onRetried: () => void;
}) {
  const actions = useOverview(actionsOf);
  // text would change bytes that are no valid UTF-8, and a text field every CR
  const isText = letter.text !== null && !letter.text.includes("\r");
  const original = isText && letter.text !== null ? letter.text : hexOf(fromBase64(letter.rawBase64));
  const [edited, setEdited] = useState(original);
  const [wrong, setWrong] = useState<string | null>(null);
  if (actions?.includes("retry-dead-letters") !== true || isSettled(letter)) return null;
  const isPending = letter.retry?.status === "requested";

  const send = (event: Event) => {
    event.preventDefault();
    let body: { rawBase64?: string };
    try {
      body =
        edited === original
          ? {}
          : { rawBase64: toBase64(isText ? new TextEncoder().encode(edited) : parseHex(edited)) };
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
      return;
    }
    setWrong(null);
    void perform("Retry", async () => {
      const { status } = await postJson<DeadLetterRetry>(
        `/api/dead-letters/${encodeURIComponent(letter.id)}/retry`,
        body,
      );
      onRetried();
      return `Letter ${letter.id}: the retry is ${status}.`;
    });
  };
  return (
    <Panel title="Edit and retry" note="it goes through the same pipeline; a valid record is written once">
      <form class="edit" onSubmit={send}>
        <label>
          {isText ? "The record as text" : "The record's bytes in hexadecimal"}
          <textarea
            rows={4}
            spellcheck={false}
            autocomplete="off"
            value={edited}
            {...(wrong === null ? {} : { "aria-invalid": true, "aria-describedby": "edit-wrong" })}
            onInput={(event) => setEdited(event.currentTarget.value)}
          />
        </label>
        {wrong !== null && (
          <p id="edit-wrong" class="error-text" role="alert">
            {wrong}
          </p>
        )}
        <div class="buttons">
          <button type="button" disabled={edited === original} onClick={() => setEdited(original)}>
            As it was
          </button>
          <button type="submit" class="primary" disabled={isPending}>
            {edited === original ? "Retry as it is" : "Retry with the changes"}
          </button>
        </div>
      </form>
    </Panel>
  );
}

/** It has become something else than a dead letter: no retry of it is taken any more. */
function isSettled({ retry }: DeadLetterDetail): boolean {
  return retry !== null && ["written", "duplicate", "conflict"].includes(retry.status);
}
