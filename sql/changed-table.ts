/** The table that changes are written to: what a step says of it, and whether the database agrees. */
import { quoteTable } from "./identifier.js";
import type { SqlQueries } from "./sql-session.js";

/** What a change does to the row of its key. */
export const OPERATIONS = ["insert-once", "upsert", "delete"] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface ChangedTable {
  /** `table` or `schema.table`. */
  readonly table: string;
  /** Columns to fill. */
  readonly columns: readonly string[];
  /** Columns of a unique key. Without one rows are only appended. */
  readonly conflictKey?: readonly string[] | undefined;
  /** The column whose value rises with each change of a key. Without one the change that comes last wins. */
  readonly version?: string | undefined;
  /** A boolean column that is set instead of deleting the row, so that its version stays. */
  readonly tombstone?: string | undefined;
}

/**
 * Why changes that come again, or late, would not come to the same in the table; undefined where they would. An
 * `insert-once` needs a key, an upsert a version as well, a delete a tombstone besides.
 */
export function repeatProblem(table: ChangedTable, operations: ReadonlySet<Operation>): string | undefined {
  const { conflictKey, version, tombstone } = table;
  const versioned = [...operations].filter((operation) => operation !== "insert-once");
  const of = `table "${table.table}"`;
  if (conflictKey === undefined) {
    return `${of} has no conflictKey, by which a row that comes again would be known`;
  }
  if (versioned.length > 0 && version === undefined) {
    return `${of} has no version, by which an ${versioned.join(" or ")} that comes again would be late`;
  }
  if (operations.has("delete") && tombstone === undefined) {
    return (
      `${of} has no tombstone column, so an upsert that comes again would bring back what is deleted ` +
      '(operation: "upsert" says that nothing is deleted)'
    );
  }
  return undefined;
}

/** What only the database knows of the table. */
export interface TableFacts {
  readonly isPartitioned: boolean;
}

/** The table is not what the step says of it; every difference is one line of the message. */
export class ChangedTableError extends Error {
  override readonly name = "ChangedTableError";
  readonly code = "MILLRACE_CHANGED_TABLE";

  constructor(
    readonly table: string,
    readonly problems: readonly string[],
  ) {
    super(`table "${table}" cannot be written to as the step says:\n  ${problems.join("\n  ")}`);
  }
}

/** Types with an order in which a version can rise; in that of text "10" is less than "9". */
const VERSION_TYPES: ReadonlySet<string> = new Set([
  "smallint",
  "integer",
  "bigint",
  "numeric",
  "timestamp with time zone",
  "timestamp without time zone",
]);

interface Column {
  readonly name: string;
  readonly type: string;
  readonly is_not_null: boolean;
  readonly has_default: boolean;
}

/**
 * Asks the database whether it has the table with these columns, the unique key, and a version that can rise.
 * @throws ChangedTableError with every difference
 */
export async function checkChangedTable(
  queries: SqlQueries,
  table: ChangedTable,
  operations: ReadonlySet<Operation>,
): Promise<TableFacts> {
  const name = quoteTable(table.table);
  const [found] = await queries.query<{ kind: string }>(
    "select relkind::text as kind from pg_class where oid = to_regclass($1)",
    [name],
  );
  if (found === undefined) throw new ChangedTableError(table.table, ["the database has no such table"]);
  const columns = await queries.query<Column>(COLUMNS, [name]);
  const keys = await queries.query<{ columns: string[] }>(UNIQUE_KEYS, [name]);
  const known = new Map(columns.map((column) => [column.name, column]));
  const problems = [
    ...missingColumns(table, known),
    ...versionProblems(table, known),
    ...keyProblems(
      table,
      keys.map((key) => key.columns),
    ),
    ...(operations.has("delete") ? tombstoneProblems(table, known) : []),
  ];
  if (problems.length > 0) throw new ChangedTableError(table.table, problems);
  return { isPartitioned: found.kind === "p" };
}

const COLUMNS = `select attname::text as name, attnotnull as is_not_null,
    format_type(coalesce(nullif(typbasetype, 0), atttypid), null) as type,
    atthasdef or attidentity <> '' or attgenerated <> '' as has_default
  from pg_attribute join pg_type on pg_type.oid = atttypid
  where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
  order by attnum`;

/** Those that `on conflict` takes for their columns alone. */
const UNIQUE_KEYS = `select array(
      select attname::text from pg_attribute
      where attrelid = indrelid and attnum = any ((indkey::int2[])[0:indnkeyatts - 1])
      order by attnum) as columns
  from pg_index
  where indrelid = to_regclass($1) and indisunique and indimmediate and indisvalid
    and indpred is null and indexprs is null
  order by indexrelid`;

function missingColumns(
  { columns, tombstone }: ChangedTable,
  known: ReadonlyMap<string, Column>,
): readonly string[] {
  const wanted = tombstone === undefined ? columns : [...columns, tombstone];
  return wanted.filter((column) => !known.has(column)).map((column) => `it has no column "${column}"`);
}

function versionProblems({ version }: ChangedTable, known: ReadonlyMap<string, Column>): readonly string[] {
  const column = version === undefined ? undefined : known.get(version);
  if (column === undefined) return [];
  return [
    ...(VERSION_TYPES.has(column.type)
      ? []
      : [
          `version column "${version}" must be of a type whose values rise (${[...VERSION_TYPES].join(", ")}), ` +
            `got ${column.type}`,
        ]),
    ...(column.is_not_null
      ? []
      : [`version column "${version}" must be not null: no version is greater than none`]),
  ];
}

function keyProblems({ conflictKey }: ChangedTable, keys: readonly (readonly string[])[]): readonly string[] {
  if (conflictKey === undefined) return [];
  const isSame = (key: readonly string[]) =>
    key.length === conflictKey.length && conflictKey.every((column) => key.includes(column));
  if (keys.some(isSame)) return [];
  const found = keys.map((key) => `(${key.join(", ")})`).join(", ");
  return [
    `it must have a unique key of the conflict key's columns (${conflictKey.join(", ")}), not deferrable, ` +
      `without a condition; it has ${found || "none"}`,
  ];
}

/** What is deleted before it was ever there leaves a row of key, version and tombstone alone. */
function tombstoneProblems(
  { tombstone, columns, conflictKey = [], version }: ChangedTable,
  known: ReadonlyMap<string, Column>,
): readonly string[] {
  const column = tombstone === undefined ? undefined : known.get(tombstone);
  if (column === undefined) return [];
  const given = new Set([...conflictKey, version, tombstone]);
  const stuck = [...known.values()].filter(
    ({ name, is_not_null, has_default }) => is_not_null && !has_default && !given.has(name),
  );
  return [
    ...(column.type === "boolean" && column.is_not_null
      ? []
      : [`tombstone column "${tombstone}" must be boolean not null, got ${column.type}`]),
    ...stuck.map(
      ({ name }) =>
        `column "${name}"${columns.includes(name) ? "" : ", which the step does not fill,"} must be nullable or ` +
        "have a default: a row that is only a tombstone has no value for it",
    ),
  ];
}
