/** Names of fields by their bytes: the same few come again with each element, and to make a text of bytes is dear. */

/** Longer names, and those that are not ASCII, are for the caller. */
const NAME_BYTES_MAX = 48;
/** A power of two. Names that fall on one place push each other out. */
const PLACES = 1024;

interface Known {
  readonly bytes: Uint8Array;
  readonly name: string;
}

const places: (Known | undefined)[] = new Array(PLACES).fill(undefined);

/** The name that is these bytes; undefined when they are not short ASCII. */
export function nameOf(buffer: Buffer, start: number, end: number): string | undefined {
  const length = end - start;
  if (length > NAME_BYTES_MAX) return undefined;
  let hash = length;
  let all = 0;
  for (let at = start; at < end; at++) {
    const byte = buffer[at]!;
    hash = (Math.imul(hash, 31) + byte) | 0;
    all |= byte;
  }
  if (all > 127) return undefined;
  const place = (hash ^ (hash >>> 15)) & (PLACES - 1);
  const known = places[place];
  if (known !== undefined && isSame(known.bytes, buffer, start, length)) return known.name;
  const name = buffer.toString("latin1", start, end);
  places[place] = { bytes: Uint8Array.prototype.slice.call(buffer, start, end), name };
  return name;
}

function isSame(bytes: Uint8Array, buffer: Buffer, start: number, length: number): boolean {
  if (bytes.length !== length) return false;
  for (let at = 0; at < length; at++) if (bytes[at] !== buffer[start + at]) return false;
  return true;
}
