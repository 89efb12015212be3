/** What benchmarks print and how they sum up. */

/** A Markdown table; the first column is text, the others are numbers. */
export function printTable(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  console.log(`\n${title}\n`);
  console.log(line(head));
  console.log(line(head.map((_, at) => (at === 0 ? "---" : "---:"))));
  for (const row of rows) console.log(line(row));
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The smallest value that is not below `part` of the values. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

/** 0.123 → `12 %`. */
export function share(value: number): string {
  return `${(100 * value).toFixed(0)} %`;
}
