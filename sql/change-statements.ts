/** The statements that bring a stage of changes into their table: one for each kind of change. */
import type { ChangedTable, TableFacts } from "./changed-table.js";
import { quoteIdentifier, quoteTable } from "./identifier.js";

/** How the stage's column `millrace_operation` says what a row does. */
export const OPERATION_CODES = { "insert-once": "i", upsert: "u", delete: "d" } as const;

/** Each takes effect once for a key: the stage may hold several changes of one. */
export interface ChangeStatements {
  readonly create: string;
  readonly empty: string;
  readonly copy: string;
  /** Locks the rows that are there of all keys in the stage, in the order of keys. */
  readonly lock: string;
  /** Touches as many rows as it inserts. */
  readonly insertOnce: string;
  /** Returns one row, `inserted` and `updated`. */
  readonly upsert: string;
  /** Touches as many rows as it deletes, or marks as deleted. */
  readonly delete: string;
}

/** Names in SQL, and the lists and conditions that are made of them. */
interface Words {
  readonly target: string;
  readonly stage: string;
  /** What an upsert sets in a row that is there: all but the key, or that where there is nothing else. */
  readonly updated: readonly string[];
  readonly list: string;
  readonly keyList: string;
  readonly version: string | undefined;
  readonly tombstone: string | undefined;
  /** The last change of each key that is no `insert-once`, in the order of keys. */
  readonly last: string;
  sameKey(one: string, other: string): string;
}

/**
 * Statements for a table, whose stage is a temporary one of its column types.
 *
 * Keys are compared, and versions ordered, by PostgreSQL alone: only it knows that 1.0 is 1. Of a key's changes the one
 * with the greatest version is the last; at the same version a delete is, and of upserts the first, as the table has it.
 * Rows are written, and so locked, in the order of their keys, so that writers who share keys wait for each other and do
 * not lock up.
 */
export function changeStatements(
  table: ChangedTable,
  stageName: string,
  facts: TableFacts,
): ChangeStatements {
  const words = wordsOf(table, stageName);
  const { target, stage, list } = words;
  return {
    create: `create temporary table if not exists ${stage} on commit delete rows
      as select 0::integer as millrace_row, ''::text as millrace_operation, ${list} from ${target} limit 0`,
    empty: `truncate ${stage}`,
    copy: `copy ${stage} (millrace_row, millrace_operation, ${list}) from stdin`,
    lock: `select from ${target} stored
      where exists (select from ${stage} as millrace_stage where ${words.sameKey("stored", "millrace_stage")})
      order by ${words.keyList} for update`,
    insertOnce: insertOnce(table, words),
    upsert: facts.isPartitioned ? upsertPartitioned(words) : upsert(words),
    delete: words.tombstone === undefined ? deleteRows(words) : markDeleted(words),
  };
}

function wordsOf(table: ChangedTable, stageName: string): Words {
  const columns = table.columns.map(quoteIdentifier);
  const key = (table.conflictKey ?? []).map(quoteIdentifier);
  const keyList = key.join(", ");
  const rest = columns.filter((column) => !key.includes(column));
  const stage = quoteIdentifier(stageName);
  const version = table.version === undefined ? undefined : quoteIdentifier(table.version);
  const order =
    version === undefined
      ? "millrace_row desc"
      : `${version} desc, millrace_operation = 'd' desc, millrace_row`;
  return {
    ...{ target: quoteTable(table.table), stage, list: columns.join(", "), keyList, version },
    updated: rest.length > 0 ? rest : key,
    tombstone: table.tombstone === undefined ? undefined : quoteIdentifier(table.tombstone),
    last: `select distinct on (${keyList}) * from ${stage} where millrace_operation <> 'i' order by ${keyList}, ${order}`,
    sameKey: (one, other) => key.map((column) => `${one}.${column} = ${other}.${column}`).join(" and "),
  };
}

function insertOnce({ conflictKey }: ChangedTable, { target, stage, list, keyList }: Words): string {
  const insert = `insert into ${target} (${list})`;
  if (conflictKey === undefined) return `${insert} select ${list} from ${stage} order by millrace_row`;
  return `${insert}
    select distinct on (${keyList}) ${list} from ${stage} where millrace_operation = 'i' order by ${keyList}, millrace_row
    on conflict (${keyList}) do nothing`;
}

function insertOrUpdate(words: Words): string {
  const { target, updated, list, keyList, version, tombstone } = words;
  const alive = tombstone === undefined ? "" : `, ${tombstone}`;
  const set = [...updated, ...(tombstone === undefined ? [] : [tombstone])]
    .map((column) => `${column} = excluded.${column}`)
    .join(", ");
  return `insert into ${target} as stored (${list}${alive})
    select ${list}${alive && ", false"} from millrace_last where millrace_operation = 'u' order by ${keyList}
    on conflict (${keyList}) do update set ${set}
    ${version === undefined ? "" : `where stored.${version} < excluded.${version}`}`;
}

/** A row that was updated has been locked for it by its own transaction, and carries that in `xmax`; a new one has not. */
function upsert(words: Words): string {
  return `with millrace_last as (${words.last}), millrace_written as (${insertOrUpdate(words)} returning xmax = 0 as is_new)
    select count(*) filter (where is_new)::integer as inserted,
      count(*) filter (where not is_new)::integer as updated
    from millrace_written`;
}

/**
 * Rows of a partitioned table show no `xmax`, so those are new that were not there as the statement began. Which row is
 * new may be off where another writer inserts it in that very moment; what is written is not.
 */
function upsertPartitioned(words: Words): string {
  const { target, keyList, sameKey } = words;
  return `with millrace_last as materialized (${words.last}),
    millrace_known as materialized (
      select ${keyList} from millrace_last where exists (select from ${target} stored where ${sameKey("stored", "millrace_last")})),
    millrace_written as (${insertOrUpdate(words)} returning ${keyList})
    select count(*) filter (where not is_known)::integer as inserted,
      count(*) filter (where is_known)::integer as updated
    from (
      select exists (select from millrace_known where ${sameKey("millrace_known", "millrace_written")}) as is_known from millrace_written
    ) as counted`;
}

function deleteRows({ target, last, version, sameKey }: Words): string {
  const isOld = version === undefined ? "" : `and stored.${version} <= millrace_last.${version}`;
  return `with millrace_last as (${last})
    delete from ${target} stored using millrace_last
    where millrace_last.millrace_operation = 'd' and ${sameKey("stored", "millrace_last")} ${isOld}`;
}

/** Also where there is no row yet: what is older than the delete must find its version. */
function markDeleted({ target, last, keyList, version, tombstone }: Words): string {
  return `with millrace_last as (${last})
    insert into ${target} as stored (${keyList}, ${version}, ${tombstone})
    select ${keyList}, ${version}, true from millrace_last where millrace_operation = 'd' order by ${keyList}
    on conflict (${keyList}) do update set ${version} = excluded.${version}, ${tombstone} = true
    where stored.${version} < excluded.${version}
      or (stored.${version} = excluded.${version} and not stored.${tombstone})`;
}
