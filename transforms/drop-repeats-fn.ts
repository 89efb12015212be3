/** The DoFns of the distributed `deduplicate` of a bounded input: ids are spread over shards, and each is put in order. */
import type { Sourced } from "./input-record.js";
import type { DoFn, ProcessContext, SetupContext } from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import type { KV } from "./primitives/window.js";
import type { Timestamped } from "./timestamped-coder.js";

type Value = Readonly<Record<string, unknown>>;
type Element = Sourced<Value>;

/** More would be groups of a handful. */
export const SHARDS_MAX = 65_536;

export type KeyByShardConfig = {
  /** Field of the value that identifies an event: a string. */
  readonly key: string;
  readonly shards: number;
};

/** Gives an element the shard of its id as key, the same in every process. */
export class KeyByShardFn implements DoFn<Element> {
  constructor(private readonly config: KeyByShardConfig) {
    const { shards } = config;
    if (!(Number.isInteger(shards) && shards >= 1 && shards <= SHARDS_MAX)) {
      throw new Error(`deduplicate's shards must be an integer from 1 to ${SHARDS_MAX}, got ${shards}`);
    }
  }

  process(element: Element, context: ProcessContext): void {
    const { key, shards } = this.config;
    const value = { timestampMs: context.timestampMs, value: element };
    context.output({ key: hashOf(idOf(element, key)) % shards, value });
  }
}

export type DropRepeatsConfig = {
  readonly key: string;
  /** Who says what a repeat is: `table` lets all pass, in order. */
  readonly lastWord: "here" | "table";
};

/**
 * Puts the elements of a shard in the order in which they stand in the files, and lets those pass that do not equal
 * the first of their id; all of them where a table behind it has the last word, which may refuse the first one's row. On a host whose bundles do not repeat the others are counted as duplicates; where they
 * may, whoever commits the whole tells how many there were.
 */
export class DropRepeatsFn implements DoFn<KV<number, Iterable<Timestamped<Element>>>> {
  #bundlesMayRepeat = false;

  constructor(private readonly config: DropRepeatsConfig) {}

  setup(context: SetupContext): void {
    this.#bundlesMayRepeat = context.bundlesMayRepeat;
  }

  process(group: KV<number, Iterable<Timestamped<Element>>>, context: ProcessContext): void {
    const elements = [...group.value].sort(byPlace);
    if (this.config.lastWord === "table") {
      for (const { timestampMs, value } of elements) context.output(value, timestampMs);
      return;
    }
    const firsts = new Map<string, Value>();
    for (const { timestampMs, value: element } of elements) {
      const id = idOf(element, this.config.key);
      const first = firsts.get(id);
      if (first === undefined) firsts.set(id, element.value);
      if (first === undefined || !isEqual(first, element.value)) context.output(element, timestampMs);
      else countDuplicate(element, context, this.#bundlesMayRepeat);
    }
  }
}

/** Counts an element that was dropped: in the ledger only where it is read once. */
export function countDuplicate(
  element: Sourced<unknown>,
  context: ProcessContext,
  bundlesMayRepeat: boolean,
): void {
  context.metrics.counter("duplicates").inc();
  if (!bundlesMayRepeat) context.ledger.add(element.record.file.fileId, "duplicates");
}

/** The id of an element. @throws where the field is no string */
export function idOf(element: Element, key: string): string {
  const id = element.value[key];
  if (typeof id === "string") return id;
  const { file, line } = element.record;
  throw new Error(`deduplicate's key "${key}" must be a string, got ${typeof id} at ${file.path}:${line}`);
}

/** Files in the order in which they got their ids, each from its beginning. */
function byPlace(
  { value: { record: a } }: Timestamped<Element>,
  { value: { record: b } }: Timestamped<Element>,
) {
  return a.file.fileId - b.file.fileId || a.file.generation - b.file.generation || a.byteStart - b.byteStart;
}

/** FNV-1a over the UTF-16 units, then spread over all bits (the last steps of MurmurHash3). */
export function hashOf(id: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) h = Math.imul(h ^ id.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function isEqual(a: Value, b: Value): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]));
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === typeof b && JSON.stringify(a) === JSON.stringify(b));
}

export const KEY_BY_SHARD_FN = registerDoFn(
  "key-by-shard@1",
  (config: KeyByShardConfig) => new KeyByShardFn(config),
);
export const DROP_REPEATS_FN = registerDoFn(
  "drop-repeats@1",
  (config: DropRepeatsConfig) => new DropRepeatsFn(config),
);
