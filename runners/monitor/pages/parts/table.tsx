/** A table that scrolls inside its own frame, with the keyboard as well. */
import type { ComponentChildren, VNode } from "preact";
import { useMemo } from "preact/hooks";

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** Numbers stand on the right. */
  readonly isNumber?: boolean;
  /** Takes what width is left, and breaks. */
  readonly isWide?: boolean;
}

export function Table<Row extends object>({
  label,
  columns,
  rows,
  keyOf,
  empty = "Nothing yet.",
}: {
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string | number;
  readonly empty?: string;
}) {
  // a row that is the very same is not looked at again, where many stand still and one is new
  const before = useMemo(() => new WeakMap<Row, VNode>(), [columns]);
  const drawn = (row: Row) => {
    const shown = before.get(row) ?? (
      <tr key={keyOf(row)}>
        {columns.map((column) => (
          <td key={column.title} class={classOf(column)}>
            {column.cell(row)}
          </td>
        ))}
      </tr>
    );
    before.set(row, shown);
    return shown;
  };
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable without a mouse
    <section class="table-frame" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" class={classOf(column)}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{rows.map(drawn)}</tbody>
      </table>
    </section>
  );
}

function classOf({ isNumber, isWide }: { readonly isNumber?: boolean; readonly isWide?: boolean }): string {
  return isNumber === true ? "number" : isWide === true ? "wide" : "";
}
