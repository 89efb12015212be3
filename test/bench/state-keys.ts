/** The keys of `bench -- state`, by place in the stream: the same in the process that is measured and in the one that measures. */

/** What a step keeps: whether an id was seen, with a timer; or how often a key came. */
export type StateKind = "ids" | "counts";

/** Each id comes once more after so many others. */
const REPEAT_EVERY = 10;
const REPEAT_AFTER = 999;
/** Keys that are counted. */
const COUNTED_KEYS = 1_000_000;

/** New ids in an order as of chance, a tenth of them repeats; of keys that are counted, few come often and most seldom. */
export function keyAt(kind: StateKind, at: number): string {
  if (kind === "counts") return `user-${countedAt(at).toString(36)}`;
  const id = at % REPEAT_EVERY === 0 && at > REPEAT_AFTER ? at - REPEAT_AFTER : at;
  return `${mixed(id).toString(16).padStart(8, "0")}-${id.toString(36)}`;
}

/** How many of these places have a key that no place before has. */
export function newKeys(kind: StateKind, from: number, to: number): number {
  let count = 0;
  if (kind === "ids") {
    for (let at = from; at < to; at++) if (at % REPEAT_EVERY !== 0 || at <= REPEAT_AFTER) count++;
    return count;
  }
  const seen = new Uint8Array(COUNTED_KEYS);
  for (let at = 0; at < to; at++) {
    const key = countedAt(at);
    if (seen[key] === 0 && at >= from) count++;
    seen[key] = 1;
  }
  return count;
}

/** By the fourth power of an even distribution: half of all are of 6 % of the keys, a tenth of a hundred of them. */
function countedAt(at: number): number {
  return Math.floor(COUNTED_KEYS * (mixed(at) / 2 ** 32) ** 4);
}

function mixed(at: number): number {
  return Math.imul(at, 2_654_435_761) >>> 0;
}
