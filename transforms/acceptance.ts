/** What a sink tells the steps before it, in the same process: which values did not become a row. */

const refused = new WeakSet<object>();

/**
 * Says that this value did not become a row: its key was taken, or the database rejected it. Only
 * the few refused ones are marked, so that the many accepted ones cost nothing.
 */
export function markRefused(value: object): void {
  refused.add(value);
}

/** Whether no sink has refused this value; meaningful once its bundle is committed. */
export function isAccepted(value: object): boolean {
  return !refused.has(value);
}
