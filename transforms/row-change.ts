/** A row with what is to become of it in its table, and what is wrong with one that cannot be written. */
import { inspect } from "node:util";
import { OPERATION_CODES } from "../sql/change-statements.js";
import { type ChangedTable, OPERATIONS, type Operation } from "../sql/changed-table.js";
import { type ColumnValue, copyField } from "../sql/copy-text.js";
import type { Problem } from "./input-record.js";

/** An element of `writeChangesToPostgres`. Of a row that is deleted only key and version are looked at. */
export interface RowChange<Row = Readonly<Record<string, ColumnValue>>> {
  readonly operation: Operation;
  readonly row: Row;
}

/** A change that leaves as `rejected`, with the reason. */
export interface RejectedChange<Row = Readonly<Record<string, ColumnValue>>> extends RowChange<Row> {
  readonly problem: Problem;
}

/** PostgreSQL refuses a row, or it has no version, and nothing reads the output that would take it. */
export class RowRefusedError extends Error {
  override readonly name = "RowRefusedError";
  readonly code = "MILLRACE_ROW_REFUSED";

  constructor({ table, conflictKey = [] }: ChangedTable, change: RejectedChange, cause?: Error) {
    const values = conflictKey.map((column) => String(change.row[column] ?? null));
    const of = values.length === 0 ? "" : ` of key (${conflictKey.join(", ")}) = (${values.join(", ")})`;
    super(
      `table "${table}" refuses the ${change.operation}${of}: ${change.problem.messages.join("; ")}. ` +
        'Nothing reads the output "rejected" of this step, which would let the rest go on without it',
      { cause },
    );
  }
}

/** An element as a change. @throws TypeError what is none, with what it is. */
export function changeOf(element: unknown, { table }: ChangedTable, fixed: Operation | undefined): RowChange {
  if (fixed !== undefined) {
    if (isRecord(element)) return { operation: fixed, row: element as RowChange["row"] };
    throw new TypeError(`a row for table "${table}" must be an object of columns, got ${shown(element)}`);
  }
  const { operation, row } = (isRecord(element) ? element : {}) as Partial<RowChange>;
  if (OPERATIONS.includes(operation as Operation) && isRecord(row)) {
    return { operation: operation as Operation, row };
  }
  throw new TypeError(
    `a change for table "${table}" must be { operation, row } with operation ${OPERATIONS.join(", ")}, ` +
      `got ${shown(element)}`,
  );
}

/** What forbids to write the change, before PostgreSQL is asked: a missing key or version, a version without an order. */
export function problemOf(
  { row }: RowChange,
  { conflictKey = [], version }: ChangedTable,
): Problem | undefined {
  for (const column of conflictKey) {
    if (row[column] === undefined || row[column] === null) {
      return { reason: "missing_key", messages: [`key column "${column}" must not be null`] };
    }
  }
  if (version === undefined) return undefined;
  const value = row[version];
  if (value === undefined || value === null) {
    return { reason: "missing_version", messages: [`version column "${version}" must not be null`] };
  }
  // nothing could ever replace a row with it: to PostgreSQL, too, it is greater than any number
  if (NOT_A_NUMBER.test(String(value))) {
    return {
      reason: "invalid_version",
      messages: [`version column "${version}" must have an order, got NaN`],
    };
  }
  return undefined;
}

const NOT_A_NUMBER = /^\s*[+-]?nan\s*$/i;

/** The change as COPY text: its operation, then the columns. @throws TypeError for what no column can be given */
export function changeFields({ operation, row }: RowChange, { table, columns }: ChangedTable): string {
  let fields: string = OPERATION_CODES[operation];
  for (const column of columns) {
    const value = row[column];
    if (
      typeof value === "object" ? value !== null : typeof value === "function" || typeof value === "symbol"
    ) {
      throw new TypeError(
        `column "${column}" of table "${table}" must be given a string, number, bigint, boolean or null, ` +
          `got ${shown(value)}`,
      );
    }
    fields += `\t${copyField(value)}`;
  }
  return fields;
}

/** The same with columns that a tombstone does not have left empty. */
export function deleteFields(change: RowChange, table: ChangedTable): string {
  const kept = [...(table.conflictKey ?? []), ...(table.version === undefined ? [] : [table.version])];
  const row = Object.fromEntries(kept.map((column) => [column, change.row[column]]));
  return changeFields({ operation: change.operation, row }, table);
}

function isRecord(value: unknown): value is Readonly<Record<string, ColumnValue>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Enough of a value to find it by. */
function shown(value: unknown): string {
  const text = inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}

const SHOWN_MAX = 80;
