/** Keys of the local store's tables: bytes in whose order what belongs together stands together. */
import { createHash } from "node:crypto";
import type { ColdOrderName, ColdPlace } from "../../engine/durable/cold-keys.js";
import { writeAscii } from "../../engine/durable/state-bytes.js";

/** What a key of LMDB may hold. */
const KEY_BYTES_MAX = 1_978;
/** Of a text in it, where not much stands before. */
const TEXT_BYTES_MAX = 1_900;
const SHORT_TEXT_MAX = 200;
/** In no text of UTF-8: behind it stands the hash of one that is too long, which the value has. */
const HASHED = 0xff;

const ORDERS: Readonly<Record<ColdOrderName, number>> = { "event-time": 0, "processing-time": 1, hold: 2 };
const PLACE_BYTES = 19;

/** A text as the end of a key, and whether it is there as it is. */
export interface KeyText {
  readonly bytes: Buffer;
  readonly isWhole: boolean;
}

/** @param before bytes that stand before it in the key */
export function keyText(text: string, before = 0): KeyText {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= Math.min(TEXT_BYTES_MAX, KEY_BYTES_MAX - before)) return { bytes, isWhole: true };
  const hash = createHash("sha256").update(bytes).digest();
  return { bytes: Buffer.concat([Buffer.from([HASHED]), hash]), isWhole: false };
}

/** With the text itself where its key does not have it. */
export function withText(text: string, isWhole: boolean, value: Uint8Array): Buffer {
  if (isWhole) {
    const bytes = Buffer.allocUnsafe(1 + value.length);
    bytes[0] = 0;
    bytes.set(value, 1);
    return bytes;
  }
  const full = Buffer.from(text);
  const head = Buffer.allocUnsafe(5);
  head[0] = 1;
  head.writeUInt32BE(full.length, 1);
  return Buffer.concat([head, full, value]);
}

/** What `withText` made, taken apart. */
export function textAndValue(
  keyEnd: Buffer,
  stored: Buffer,
): { readonly text: string; readonly value: Buffer } {
  if (stored[0] === 0) return { text: keyEnd.toString(), value: stored.subarray(1) };
  const end = 5 + stored.readUInt32BE(1);
  return { text: stored.toString("utf8", 5, end), value: stored.subarray(end) };
}

export function valueIn(stored: Buffer): Buffer {
  return stored[0] === 0 ? stored.subarray(1) : stored.subarray(5 + stored.readUInt32BE(1));
}

/** A key in a window, in bytes. */
export interface SlotKey {
  readonly key: Buffer;
  readonly isWhole: boolean;
}

/** Most are short and of seven bits a character, and there are many. */
export function slotKey(windowNo: number, keyId: string): SlotKey {
  if (keyId.length > SHORT_TEXT_MAX) return slotKeyOf(windowNo, keyText(keyId));
  const key = Buffer.allocUnsafe(4 + keyId.length);
  key.writeUInt32BE(windowNo, 0);
  return writeAscii(key, 4, keyId) ? { key, isWhole: true } : slotKeyOf(windowNo, keyText(keyId));
}

function slotKeyOf(windowNo: number, { bytes, isWhole }: KeyText): SlotKey {
  return { key: Buffer.concat([windowStart(windowNo), bytes]), isWhole };
}

/** All keys that begin with the window's number are between this one and that of the next number. */
export function windowStart(windowNo: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(windowNo, 0);
  return key;
}

export function windowNoOf(key: Buffer): number {
  return key.readUInt32BE(0);
}

/** A timer or a hold. */
export function placeKey(rootNo: number, order: ColdOrderName, { ms, number }: ColdPlace): Buffer {
  const key = Buffer.allocUnsafe(PLACE_BYTES);
  key.writeUInt32BE(rootNo, 0);
  key[4] = ORDERS[order];
  // -0 and 0 are one time.
  key.writeDoubleBE(ms + 0, 5);
  // Numbers come in their order: of those below zero every bit is turned, of the others the first.
  if ((key[5]! & 0x80) === 0) key[5]! |= 0x80;
  else for (let at = 5; at < 13; at++) key[at] = ~key[at]! & 0xff;
  key.writeUIntBE(number, 13, 6);
  return key;
}

/** Behind all of an order. */
export function orderEnd(rootNo: number, order: ColdOrderName): Buffer {
  const key = Buffer.allocUnsafe(5);
  key.writeUInt32BE(rootNo, 0);
  key[4] = ORDERS[order] + 1;
  return key;
}

export function placeOf(key: Buffer): ColdPlace {
  const time = Buffer.from(key.subarray(5, 13));
  if ((time[0]! & 0x80) !== 0) time[0]! &= 0x7f;
  else for (let at = 0; at < 8; at++) time[at] = ~time[at]! & 0xff;
  return { ms: time.readDoubleBE(0), number: key.readUIntBE(13, 6) };
}

/** A cell in a window, by its number. */
export function numberKey(windowNo: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(10);
  key.writeUInt32BE(windowNo, 0);
  key.writeUIntBE(number, 4, 6);
  return key;
}

export function numberOf(key: Buffer): number {
  return key.readUIntBE(4, 6);
}

/** Whose a record beside the first of its key is: of all with this beginning only the last part differs. */
export function partStart(windowNo: number, kind: "bag" | "map", spill: number, stateId: string): Buffer {
  const state = Buffer.from(stateId);
  const key = Buffer.allocUnsafe(13 + state.length);
  key.writeUInt32BE(windowNo, 0);
  key[4] = kind === "bag" ? 0 : 1;
  key.writeUIntBE(spill, 5, 6);
  key.writeUInt16BE(state.length, 11);
  key.set(state, 13);
  return key;
}

/** A chunk of a bag. */
export function chunkKey(windowNo: number, spill: number, stateId: string, chunk: number): Buffer {
  const end = Buffer.allocUnsafe(4);
  end.writeUInt32BE(chunk, 0);
  return Buffer.concat([partStart(windowNo, "bag", spill, stateId), end]);
}

export interface PartKey {
  readonly kind: "bag" | "map";
  readonly spill: number;
  readonly stateId: string;
  /** What is behind the beginning. */
  readonly end: Buffer;
}

export function partOf(key: Buffer): PartKey {
  const stateEnd = 13 + key.readUInt16BE(11);
  return {
    kind: key[4] === 0 ? "bag" : "map",
    spill: key.readUIntBE(5, 6),
    stateId: key.toString("utf8", 13, stateEnd),
    end: key.subarray(stateEnd),
  };
}

/** The next key that does not begin with this one. @throws when there is none: no key of ours is all ones */
export function behind(start: Buffer): Buffer {
  for (let at = start.length - 1; at >= 0; at--) {
    if (start[at]! === 0xff) continue;
    const key = Buffer.from(start.subarray(0, at + 1));
    key[at]! += 1;
    return key;
  }
  throw new Error("no key stands behind one of ones alone");
}
