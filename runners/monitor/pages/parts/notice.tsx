/** What stands in place of contents that are not there: loading, failed, or kept for those with the token. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { clock } from "../format.js";
import { connect } from "../live/live.js";
import { setToken } from "../token.js";
import type { Resource } from "../use-resource.js";
import type { Level } from "./panel.js";

export function Notice({ level, children }: { readonly level: Level; readonly children: ComponentChildren }) {
  return <div class={`notice level-${level}`}>{children}</div>;
}

/** The resource's contents, or why they are not there; older contents stay, marked as stale. */
export function Loaded<Body>({
  resource,
  children,
}: {
  readonly resource: Resource<Body>;
  readonly children: (data: Body) => ComponentChildren;
}) {
  const { data, error, readAtMs } = resource;
  if (error?.needsToken === true) return <TokenNeeded message={error.message} />;
  return (
    <>
      {error !== null && (
        <Notice level="error">
          <p>
            {error.message}
            {data !== null && ` What is shown was read at ${clock(readAtMs)}.`}
          </p>
          <button type="button" onClick={resource.reload}>
            Read again
          </button>
        </Notice>
      )}
      {data !== null ? children(data) : error === null && <p class="empty">Loading…</p>}
    </>
  );
}

export function TokenNeeded({ message }: { readonly message?: string }) {
  const [text, setText] = useState("");
  const use = (event: Event) => {
    event.preventDefault();
    if (text.trim() === "") return;
    setToken(text.trim());
    connect();
  };
  return (
    <section class="panel token-needed">
      <h2>This needs the token</h2>
      <p>
        Every user of this machine can reach this address, so records, settings and whatever changes the job
        are kept for those who have the token. Open the link that the run printed when it started (it ends
        with <code>#token=…</code>), or paste the token here. It stays in this tab only.
      </p>
      {message !== undefined && <p class="muted">The server said: {message}</p>}
      <form class="inline-form" onSubmit={use}>
        <label>
          Token
          <input
            type="password"
            autocomplete="off"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="primary">
          Use token
        </button>
      </form>
    </section>
  );
}
