/** What did not change of figures that come again and again: it stays the very same, so that who shows it need not look. */

/** JSON that was just parsed, with the equal parts of the one before in their place; the one before where all is equal. */
export function keptParts<Json>(before: Json | null | undefined, after: Json): Json {
  // as JSON it is compared, and what is returned is one of the two or made of both
  return partsOf(before, after) as Json;
}

function partsOf(before: unknown, after: unknown): unknown {
  if (Object.is(before, after)) return before;
  if (!isHolder(before) || !isHolder(after) || Array.isArray(before) !== Array.isArray(after)) return after;
  const names = Object.keys(after);
  let isSame = names.length === Object.keys(before).length;
  for (const name of names) {
    if (!Object.hasOwn(before, name)) {
      isSame = false;
      continue;
    }
    const part = partsOf(before[name], after[name]);
    after[name] = part;
    if (part !== before[name]) isSame = false;
  }
  return isSame ? before : after;
}

/** The same, or of the very same parts. */
export function isUnchanged(before: unknown, after: unknown): boolean {
  if (Object.is(before, after)) return true;
  if (!isHolder(before) || !isHolder(after) || Array.isArray(before) !== Array.isArray(after)) return false;
  const names = Object.keys(after);
  return (
    names.length === Object.keys(before).length &&
    names.every((name) => Object.hasOwn(before, name) && Object.is(before[name], after[name]))
  );
}

function isHolder(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
