/** One dead letter: what is wrong, its fields, its bytes shown safely, and a way to mend it. */
import { useState } from "preact/hooks";
import type { DeadLetterDetail } from "../../../job/job-view.js";
import { count, dateTime, words } from "../format.js";
import { Code, VisibleText } from "../parts/code.js";
import { Loaded } from "../parts/notice.js";
import { Badge, Facts, Panel } from "../parts/panel.js";
import { fromBase64, hexLines } from "../raw-bytes.js";
import { useEvery, useResource } from "../use-resource.js";
import { EditLetter } from "./edit-letter.js";
import { RetryBadge } from "./retry-badge.js";

const hexLinesMax = 512;
/** A commit decides a retry, mostly within a second. */
const pendingRefreshMs = 1_000;

export function LetterPage({ id }: { readonly id: string }) {
  const resource = useResource<DeadLetterDetail>(`/api/dead-letters/${encodeURIComponent(id)}`);
  const isPending = resource.data?.retry?.status === "requested";
  useEvery(isPending ? pendingRefreshMs : undefined, resource.reload);
  return (
    <>
      <p class="crumbs">
        <a href="/dead-letters">All dead letters</a> / Letter {id}
      </p>
      <Loaded resource={resource}>
        {(letter) => <Letter letter={letter} onRetried={resource.reload} />}
      </Loaded>
    </>
  );
}

function Letter({
  letter,
  onRetried,
}: {
  readonly letter: DeadLetterDetail;
  readonly onRetried: () => void;
}) {
  return (
    <>
      <div class="columns">
        <Panel
          title={words(letter.reason)}
          tools={letter.retry === null ? undefined : <RetryBadge retry={letter.retry} />}
        >
          <ul class="letter-messages">
            {letter.messages.map((message) => (
              <li key={message}>{message}</li>
            ))}
          </ul>
          <Facts
            facts={[
              ["File", <code key="file">{letter.sourceFile}</code>],
              ["Line", count(letter.line)],
              ["Bytes", `${count(letter.byteStart)} to ${count(letter.byteEnd)}`],
              ["Generation", String(letter.generation)],
              [
                "Epoch",
                <a key="epoch" href={`/batches/${letter.epoch}`}>
                  {letter.epoch}
                </a>,
              ],
              ["Thrown away", dateTime(letter.createdAtMs)],
              ...retryFacts(letter),
            ]}
          />
        </Panel>
        <Panel
          title="Fields"
          note={letter.fields === null ? "the header of its file is not known" : undefined}
        >
          <Fields letter={letter} />
        </Panel>
      </div>
      <RawBytes letter={letter} />
      <EditLetter letter={letter} onRetried={onRetried} />
    </>
  );
}

function retryFacts({ retry }: DeadLetterDetail): (readonly [string, string])[] {
  if (retry === null) return [];
  const decided = retry.epoch === null ? "not yet decided" : `decided in epoch ${retry.epoch}`;
  const facts: (readonly [string, string])[] = [
    ["Retried", `${dateTime(retry.atMs)} by ${retry.by}, ${decided}`],
  ];
  if (retry.messages.length > 0) facts.push(["Rejected again", retry.messages.join("; ")]);
  return facts;
}

function Fields({ letter }: { readonly letter: DeadLetterDetail }) {
  if (letter.fields === null) return <p class="muted">See its bytes below.</p>;
  return (
    <dl class="fields">
      {letter.fields.map(({ name, value, isFailing }) => (
        <div key={name} class={isFailing ? "is-failing" : ""}>
          <dt>
            {name} {isFailing && <Badge level="error">fails</Badge>}
          </dt>
          <dd>
            <code>{value === "" ? <span class="muted">empty</span> : <VisibleText text={value} />}</code>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function RawBytes({ letter }: { readonly letter: DeadLetterDetail }) {
  const [shown, setShown] = useState(letter.text === null ? "hex" : "text");
  const raw = fromBase64(letter.rawBase64);
  const lines = hexLines(raw, hexLinesMax);
  return (
    <Panel
      title="As it was read"
      note={`${count(raw.length)} bytes${letter.text === null ? ", no valid UTF-8" : ""}; what cannot be seen is named`}
      tools={
        <fieldset class="switch">
          <legend class="sr-only">Shown as</legend>
          {["text", "hex"].map((as) => (
            <label key={as}>
              <input
                type="radio"
                name="raw"
                checked={as === shown}
                disabled={as === "text" && letter.text === null}
                onChange={() => setShown(as)}
              />
              <span class="switch-face">{as === "text" ? "Text" : "Hex"}</span>
            </label>
          ))}
        </fieldset>
      }
    >
      <Code class="raw" label="The record's bytes">
        {shown === "text" && letter.text !== null ? (
          <VisibleText text={letter.text} />
        ) : (
          lines.map(({ offset, hex, ascii }) => `${offset}  ${hex.padEnd(48)} ${ascii}`).join("\n")
        )}
      </Code>
      {shown === "hex" && raw.length > hexLinesMax * 16 && (
        <p class="muted">The first {count(hexLinesMax * 16)} bytes; an export has them all.</p>
      )}
    </Panel>
  );
}
