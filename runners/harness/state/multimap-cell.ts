/** Set and map state where a runner keeps bags only: a log of what was put and removed, read as a whole. */
import type { BeamCoder } from "../../../transforms/primitives/coders/beam-coder.js";
import { ByteReader } from "../../../transforms/primitives/coders/byte-reader.js";
import { ByteWriter } from "../../../transforms/primitives/coders/byte-writer.js";
import { DecodeError } from "../../../transforms/primitives/coders/coder-error.js";
import { keyIdOf } from "../../../transforms/primitives/coders/encode.js";
import { type HostMultimap, SET_MEMBER } from "../../bundle/host.js";
import { isPromise } from "../../bundle/maybe-promise.js";
import type { StatefulStage } from "../descriptor/stage-plan.js";
import type { CellChange } from "./bag-cell.js";

/** How a record begins: the key follows, and behind it, in a map's PUT, the value. Both nested encodings. */
const REMOVE = 0;
const PUT = 1;

/** The log is written anew when it has more than twice the records that are needed, and so many more. */
const SPARE_RECORDS = 16;

/** A state that is no bag. */
type MultimapState = Exclude<
  StatefulStage["states"] extends ReadonlyMap<string, infer State> ? State : never,
  { readonly kind: "bag" }
>;
type Entries = Map<string, readonly [key: unknown, values: readonly unknown[]]>;
type Operation = (entries: Entries) => void;

/** Reads from the runner when somebody asks; what is only written needs no reading. */
export class MultimapCell implements HostMultimap {
  readonly #load: () => Promise<Uint8Array>;
  readonly #keyCoder: BeamCoder<unknown>;
  /** Undefined in a set. */
  readonly #valueCoder: BeamCoder<unknown> | undefined;
  /** With everything done; undefined while not read. */
  #entries: Entries | undefined;
  #loading: Promise<Entries> | undefined;
  /** Done before it was read. */
  #operations: Operation[] = [];
  #records = 0;
  #isCleared = false;
  #log = new ByteWriter();

  constructor(state: MultimapState, load: () => Promise<Uint8Array>) {
    this.#load = load;
    this.#keyCoder = state.kind === "map" ? state.keyCoder : state.elementCoder;
    this.#valueCoder = state.kind === "map" ? state.valueCoder : undefined;
  }

  get(keyId: string): readonly unknown[] | Promise<readonly unknown[]> {
    const values = (entries: Entries) => entries.get(keyId)?.[1] ?? [];
    const entries = this.#read();
    return isPromise(entries) ? entries.then(values) : values(entries);
  }

  put(keyId: string, key: unknown, values: readonly unknown[]): void {
    this.#log.byte(PUT);
    this.#keyCoder.write(key, this.#log, true);
    this.#valueCoder?.write(values[0], this.#log, true);
    this.#do((entries) => entries.set(keyId, [key, values]));
  }

  remove(keyId: string, key: unknown): void {
    this.#log.byte(REMOVE);
    this.#keyCoder.write(key, this.#log, true);
    this.#do((entries) => entries.delete(keyId));
  }

  clear(): void {
    this.#log.clear();
    this.#isCleared = true;
    this.#records = 0;
    this.#operations = [];
    this.#entries = new Map();
    this.#loading = undefined;
  }

  entries():
    | Iterable<readonly [unknown, readonly unknown[]]>
    | Promise<Iterable<readonly [unknown, readonly unknown[]]>> {
    const entries = this.#read();
    const all = (entries: Entries) => [...entries.values()];
    return isPromise(entries) ? entries.then(all) : all(entries);
  }

  /** Since the last call; undefined: nothing. */
  takeChange(): CellChange | undefined {
    const entries = this.#entries;
    const isLong = entries !== undefined && this.#records > 2 * entries.size + SPARE_RECORDS;
    if (isLong) this.#rewrite(entries);
    if (this.#log.len === 0 && !this.#isCleared) return undefined;
    const change = { isCleared: this.#isCleared, appended: this.#log.finish() };
    this.#isCleared = false;
    return change;
  }

  #rewrite(entries: Entries): void {
    this.#log.clear();
    this.#isCleared = true;
    this.#records = entries.size;
    for (const [key, values] of entries.values()) {
      this.#log.byte(PUT);
      this.#keyCoder.write(key, this.#log, true);
      this.#valueCoder?.write(values[0], this.#log, true);
    }
  }

  #do(operation: Operation): void {
    this.#records++;
    if (this.#entries === undefined) this.#operations.push(operation);
    else operation(this.#entries);
  }

  #read(): Entries | Promise<Entries> {
    if (this.#entries !== undefined) return this.#entries;
    this.#loading ??= this.#loaded();
    return this.#loading;
  }

  async #loaded(): Promise<Entries> {
    const bytes = await this.#load();
    if (this.#entries !== undefined) return this.#entries; // cleared meanwhile
    const entries = this.#replay(bytes);
    for (const operation of this.#operations.splice(0)) operation(entries);
    this.#entries = entries;
    return entries;
  }

  #replay(bytes: Uint8Array): Entries {
    const keyIdFor = keyIdOf(this.#keyCoder);
    const input = new ByteReader(bytes);
    const entries: Entries = new Map();
    while (input.pos < input.len) {
      const record = input.byte();
      const key = this.#keyCoder.read(input, true);
      this.#records++;
      if (record === REMOVE) entries.delete(keyIdFor(key));
      else if (record === PUT) {
        const value = this.#valueCoder === undefined ? SET_MEMBER : this.#valueCoder.read(input, true);
        entries.set(keyIdFor(key), [key, [value]]);
      } else throw new DecodeError(`${record} begins no record of a map's or set's log`);
    }
    return entries;
  }
}
