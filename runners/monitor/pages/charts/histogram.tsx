/** How often which value was: a bar for each span of values. */
import type { Histogram as HistogramData } from "../../../job/job-view.js";

const height = 100;

export function Histogram({
  title,
  data,
  format,
}: {
  readonly title: string;
  readonly data: HistogramData | undefined;
  readonly format: (value: number | null) => string;
}) {
  const counts = data?.counts ?? [];
  const most = Math.max(1, ...counts);
  const upTo = data?.upTo ?? [];
  const peak = counts.indexOf(Math.max(...counts));
  const label =
    counts.length === 0
      ? `Histogram of ${title}: nothing yet`
      : `Histogram of ${title}: up to ${format(upTo.at(-1) ?? null)}, most often up to ${format(upTo[peak] ?? null)}`;
  return (
    <figure class="histogram" aria-label={label}>
      <svg
        viewBox={`0 0 ${Math.max(1, counts.length)} ${height}`}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        {counts.map((value, index) => {
          const tall = value === 0 ? 0 : Math.max(2, (value / most) * height);
          // the span's place is its identity
          return <rect key={upTo[index]} x={index + 0.08} y={height - tall} width={0.84} height={tall} />;
        })}
      </svg>
      <figcaption>
        <span>0</span>
        <span>{format(upTo.at(-1) ?? null)}</span>
      </figcaption>
    </figure>
  );
}
