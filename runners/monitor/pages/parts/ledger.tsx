/** Where the records went: all that was read is written, a duplicate, a conflict or a dead letter. */

import { count, share } from "../format.js";
import type { RecordCounts } from "../record-counts.js";
import { lettersOf, unaccounted } from "../record-counts.js";
import { Badge } from "./panel.js";

export function Ledger({ counts }: { readonly counts: RecordCounts }) {
  const parts = [
    { name: "Written", value: counts.eventsWritten, tone: 1 },
    { name: "Duplicates", value: counts.duplicates, tone: 3 },
    { name: "Conflicts", value: counts.conflicts, tone: 5 },
    { name: "Dead letters", value: lettersOf(counts), tone: 2 },
  ];
  const missing = unaccounted(counts);
  const whole = Math.max(1, counts.recordsRead);
  return (
    <div class="ledger">
      <div class="ledger-sum">
        <span class="ledger-read">{count(counts.recordsRead)}</span>
        <span class="muted">records read</span>
        {missing === 0 ? (
          <Badge level="ok">balanced</Badge>
        ) : (
          <Badge level="error">{count(missing)} unaccounted for</Badge>
        )}
      </div>
      <div class="ledger-bar" aria-hidden="true">
        {parts.map(({ name, value, tone }) => (
          <span key={name} class={`tone-${tone}`} style={{ flexGrow: String(value / whole) }} />
        ))}
      </div>
      <dl class="ledger-parts">
        {parts.map(({ name, value, tone }) => (
          <div key={name}>
            <dt>
              <span class={`swatch tone-${tone}`} />
              {name}
            </dt>
            <dd>
              {count(value)} <span class="muted">{share(value / whole)}</span>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
