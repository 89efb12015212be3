/** Names of tables and columns in statements that are put together at run time. */

/**
 * Quotes one SQL identifier.
 * @throws when it is empty, holds NUL or is longer than PostgreSQL keeps (63 bytes).
 */
export function quoteIdentifier(name: string): string {
  if (name.length === 0 || name.includes("\0") || Buffer.byteLength(name) > 63) {
    throw new Error(`a name in SQL must have 1 to 63 bytes and no NUL, got ${JSON.stringify(name)}`);
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/** Quotes `table` or `schema.table`. */
export function quoteTable(name: string): string {
  return name.split(".").map(quoteIdentifier).join(".");
}
