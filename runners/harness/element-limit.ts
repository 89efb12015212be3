/** How large one element may be: it lies in memory as a whole, on both sides of a worker's border. */

/** Of an element, or of a group with all its values; about what Node takes for one text. */
export const ELEMENT_BYTES_MAX = 512 << 20;

/**
 * Runners send a message when its elements come to a megabyte or so: a larger one carries a larger element.
 * @throws when it is too large, saying what it is
 */
export function mustFit(what: string, bytes: number, elementBytesMax: number): void {
  if (bytes <= elementBytesMax) return;
  throw new Error(
    `${what} must have at most ${elementBytesMax} bytes in one element or group (elementBytesMax), got ${bytes}`,
  );
}
