/** What a sink tells the steps before it, in the same process: which records did not become a row. */

const refused = new WeakSet<object>();

/**
 * Says that this record did not become a row: its key was taken, or the database rejected it. Only
 * the few refused ones are marked, so that the many accepted ones cost nothing.
 */
export function markRefused(record: object): void {
  refused.add(record);
}

/** Whether no sink has refused this record; meaningful once its bundle is committed. */
export function isAccepted(record: object): boolean {
  return !refused.has(record);
}
