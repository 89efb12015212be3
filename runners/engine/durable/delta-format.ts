/** A delta or a snapshot as bytes, with the version of its format. */
import { StateReader, StateWriter } from "./state-bytes.js";
import type { StateDelta, StateRecord } from "./state-record.js";

/** Of everything in the bytes, down to the records' own: it grows when any of it changes. */
export const STATE_FORMAT_VERSION = 2;
/** Told of what a stateful step keeps of a key in several records; `upgradeRecords` makes them those of today. */
const FIRST_VERSION = 1;

/** The state was written by a program that this one does not know. */
export class StateFormatError extends Error {
  override readonly name = "StateFormatError";
  readonly code = "MILLRACE_STATE_FORMAT";

  constructor(readonly version: number) {
    super(
      `state is stored in format ${version}, but this program knows format ${STATE_FORMAT_VERSION}: ` +
        "run the program that stored it, or a newer one",
    );
  }
}

/** A key shares its beginning with the one before it: only the rest of it is written. */
export function packDelta({ puts, removed, removedWindows = [] }: StateDelta): Uint8Array {
  const out = new StateWriter().count(STATE_FORMAT_VERSION);
  let last = "";
  const key = (text: string) => {
    const shared = sharedLength(last, text);
    out.count(shared).text(text.slice(shared));
    last = text;
  };
  out.count(removedWindows.length);
  for (const text of removedWindows) key(text);
  out.count(removed.length);
  for (const text of removed) key(text);
  out.count(puts.length);
  for (const put of puts) {
    key(put.key);
    out.bytes(put.value);
  }
  return out.finish();
}

/** A delta, and the version of the format in which it was written. */
export interface UnpackedDelta extends StateDelta {
  readonly version: number;
}

/** Whether records written in this version are to be made those of today. */
export function isOutdated(version: number): boolean {
  return version < STATE_FORMAT_VERSION;
}

/** @throws StateFormatError when the format is one that is not known; an error when it is not whole */
export function unpackDelta(bytes: Uint8Array): UnpackedDelta {
  const input = new StateReader(bytes);
  const version = input.count();
  if (version !== STATE_FORMAT_VERSION && version !== FIRST_VERSION) throw new StateFormatError(version);
  let last = "";
  const key = () => {
    last = last.slice(0, input.count()) + input.text();
    return last;
  };
  const removedWindows = version === FIRST_VERSION ? [] : Array.from({ length: input.count() }, key);
  const removed = Array.from({ length: input.count() }, key);
  const puts = Array.from({ length: input.count() }, (): StateRecord => {
    const put = key();
    return { key: put, value: input.bytes() };
  });
  if (!input.isAtEnd) throw new Error("state goes on behind its end");
  return { version, puts, removed, removedWindows };
}

/** Never cuts a character into its halves: a half by itself has no bytes. */
function sharedLength(a: string, b: string): number {
  const limit = Math.min(a.length, b.length);
  let length = 0;
  while (length < limit && a.charCodeAt(length) === b.charCodeAt(length)) length++;
  const before = length === 0 ? 0 : b.charCodeAt(length - 1);
  return before >= 0xd800 && before < 0xdc00 ? length - 1 : length;
}
