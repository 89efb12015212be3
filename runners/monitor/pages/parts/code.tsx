/** Text as it is, in a frame that scrolls, with the keyboard as well. */
import type { ComponentChildren } from "preact";
import { visibleRuns } from "../raw-bytes.js";

export function Code({
  label,
  class: extra = "",
  children,
}: {
  readonly label: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable without a mouse
    <section class={`code ${extra}`} aria-label={label} tabIndex={0}>
      <pre>{children}</pre>
    </section>
  );
}

/** A record's text: characters that cannot be seen are named, a line end ends the line as well. */
export function VisibleText({ text }: { readonly text: string }) {
  let at = 0;
  return (
    <>
      {visibleRuns(text).map((run) => {
        at += run.text.length;
        return run.isSign ? (
          <span key={at} class="sign">
            {run.text}
          </span>
        ) : (
          run.text
        );
      })}
    </>
  );
}
