/** Event times on the wire: eight bytes, big-endian, the sign bit turned over so that bytes sort as times do. */
import { GLOBAL_WINDOW_END_MS, MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from "../timestamp-bounds.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError } from "./coder-error.js";

const TWO_TO_32 = 0x1_0000_0000;
const SIGN_BIT = 0x8000_0000;

// A number cannot hold Beam's bounds exactly; ours are drawn in by one, and translated here.
const BEAM_MIN = -9223372036854775n;
const BEAM_MAX = 9223372036854775n;
/** The hold of a timer that has none. */
export const BEAM_AFTER_MAX = BEAM_MAX + 1n;
const BEAM_GLOBAL_WINDOW_END = 9223371950454775n;

/** Milliseconds as Beam counts them. @throws EncodeError if it is no whole number within Beam's time */
export function toBeamMillis(ms: number): bigint {
  if (ms === MIN_TIMESTAMP_MS) return BEAM_MIN;
  if (ms === MAX_TIMESTAMP_MS) return BEAM_MAX;
  if (ms === GLOBAL_WINDOW_END_MS) return BEAM_GLOBAL_WINDOW_END;
  assertMillis(ms);
  return BigInt(ms);
}

/**
 * Ours for Beam's. Within 2^53 ms of 1970 it is exact; beyond, where numbers are two apart, it is the nearest one, as
 * `end - 1` gives it for a window's last time. @throws DecodeError if it is not within Beam's time
 */
export function fromBeamMillis(millis: bigint): number {
  if (millis === BEAM_MIN) return MIN_TIMESTAMP_MS;
  if (millis === BEAM_MAX) return MAX_TIMESTAMP_MS;
  if (millis === BEAM_GLOBAL_WINDOW_END) return GLOBAL_WINDOW_END_MS;
  if (millis < BEAM_MIN || millis > BEAM_MAX) {
    throw new DecodeError(`the time ${millis} ms is not within Beam's, from ${BEAM_MIN} to ${BEAM_MAX}`);
  }
  return Number(millis);
}

/**
 * As `toBeamMillis`, for a window's start, which may lie before the beginning of time: windows of a second begin at
 * whole seconds. @throws EncodeError if it is no whole number
 */
export function toBeamWindowStart(ms: number): bigint {
  return Number.isInteger(ms) && ms < MIN_TIMESTAMP_MS ? BigInt(ms) : toBeamMillis(ms);
}

/** As `fromBeamMillis`, for a window's start. @throws DecodeError if it is behind the end of Beam's time */
export function fromBeamWindowStart(millis: bigint): number {
  return millis < BEAM_MIN ? Number(millis) : fromBeamMillis(millis);
}

export function writeInstant(ms: number, out: ByteWriter): void {
  if (!Number.isSafeInteger(ms)) {
    writeBeamMillis(toBeamMillis(ms), out);
    return;
  }
  out.uint64BigEndian((Math.floor(ms / TWO_TO_32) ^ SIGN_BIT) >>> 0, ms >>> 0);
}

export function writeBeamMillis(millis: bigint, out: ByteWriter): void {
  const unsigned = BigInt.asUintN(64, millis);
  out.uint64BigEndian((Number(unsigned >> 32n) ^ SIGN_BIT) >>> 0, Number(unsigned & 0xffff_ffffn));
}

export function readInstant(input: ByteReader): number {
  const high = (input.uint32BigEndian() ^ SIGN_BIT) | 0;
  const low = input.uint32BigEndian();
  const ms = high * TWO_TO_32 + low;
  return Number.isSafeInteger(ms) ? ms : fromBeamMillis((BigInt(high) << 32n) | BigInt(low));
}

export function readBeamMillis(input: ByteReader): bigint {
  const high = (input.uint32BigEndian() ^ SIGN_BIT) | 0;
  return (BigInt(high) << 32n) | BigInt(input.uint32BigEndian());
}

function assertMillis(ms: number): void {
  if (!Number.isInteger(ms) || ms < MIN_TIMESTAMP_MS || ms > MAX_TIMESTAMP_MS) {
    throw new EncodeError(
      `must be a whole number of milliseconds from ${MIN_TIMESTAMP_MS} to ${MAX_TIMESTAMP_MS}, got ${describe(ms)}`,
    );
  }
}
