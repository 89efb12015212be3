/** Keys for rows that come and go: a new row takes the key of one that is gone, so that its cells are filled anew, not made anew. */

/**
 * The key of each row, by its name; names that were there keep theirs.
 * @param before as this gave them for the rows that were shown before
 */
export function recycledKeys(
  before: ReadonlyMap<string, number>,
  names: readonly string[],
): Map<string, number> {
  const shown = new Set(names);
  const free = [...before].flatMap(([name, key]) => (shown.has(name) ? [] : [key]));
  let next = Math.max(-1, ...before.values()) + 1;
  return new Map(names.map((name) => [name, before.get(name) ?? free.shift() ?? next++]));
}
