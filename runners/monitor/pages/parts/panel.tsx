/** The frame that most of a page's contents stand in, and the small pieces inside. */
import type { ComponentChildren } from "preact";

export function Panel({
  title,
  note,
  tools,
  children,
  class: extra = "",
}: {
  readonly title: string;
  readonly note?: ComponentChildren;
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
  readonly class?: string;
}) {
  return (
    <section class={`panel ${extra}`}>
      <header class="panel-head">
        <h2>{title}</h2>
        {note !== undefined && <p class="panel-note">{note}</p>}
        {tools !== undefined && <div class="panel-tools">{tools}</div>}
      </header>
      {children}
    </section>
  );
}

export type Level = "ok" | "warning" | "error" | "neutral";

/** One figure with its name; the note below says what makes it up. */
export function Tile({
  label,
  value,
  note,
  level = "neutral",
}: {
  readonly label: string;
  readonly value: string;
  readonly note?: ComponentChildren;
  readonly level?: Level;
}) {
  return (
    <div class={`tile level-${level}`}>
      <dt>{label}</dt>
      <dd>
        <span class="tile-value">{value}</span>
        {note !== undefined && <span class="tile-note">{note}</span>}
      </dd>
    </div>
  );
}

export function Badge({
  level = "neutral",
  children,
}: {
  readonly level?: Level;
  readonly children: ComponentChildren;
}) {
  return <span class={`badge level-${level}`}>{children}</span>;
}

/** A share of 0 to 1 as a bar; its text stands beside it. */
export function Meter({ share, level = "neutral" }: { readonly share: number; readonly level?: Level }) {
  const percent = Math.min(100, Math.max(0, share * 100));
  return (
    <span class={`meter level-${level}`} aria-hidden="true">
      <span style={{ width: `${percent}%` }} />
    </span>
  );
}

/** Names and values below each other. */
export function Facts({ facts }: { readonly facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
