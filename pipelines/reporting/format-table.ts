/** Rows of a query as a table of text. */

/** Column names, a rule, then the rows; numbers to the right, null as nothing. */
export function formatTable(rows: readonly Readonly<Record<string, unknown>>[]): string[] {
  const [first] = rows;
  if (first === undefined) return ["(no rows)"];
  const columns = Object.keys(first);
  const cells = rows.map((row) => columns.map((column) => formatCell(row[column])));
  const widths = columns.map((column, at) => Math.max(column.length, ...cells.map((row) => row[at]!.length)));
  const isNumber = columns.map((_, at) => cells.every((row) => /^-?[\d.]*$/.test(row[at]!)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => (isNumber[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join("  ")
      .trimEnd();
  return [line(columns), widths.map((width) => "─".repeat(width)).join("  "), ...cells.map(line)];
}

function formatCell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: data must not steer the terminal
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, "�");
}
