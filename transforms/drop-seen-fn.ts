/** The DoFns of the distributed `deduplicate` of an unbounded input: a state by id, and a timer that forgets it. */
import { createHash } from "node:crypto";
import { countDuplicate, idOf } from "./drop-repeats-fn.js";
import { FieldsCoder } from "./fields-coder.js";
import type { Sourced } from "./input-record.js";
import { encodeToBytes } from "./primitives/coders/encode.js";
import { BytesCoder } from "./primitives/coders/scalar-coders.js";
import type { DoFn, ElementContext, ProcessContext, SetupContext } from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import { valueState } from "./primitives/state-spec.js";
import { type FiredTimer, processingTimeTimer } from "./primitives/timer-spec.js";
import type { KV } from "./primitives/window.js";

type Element = Sourced<Readonly<Record<string, unknown>>>;

/** Enough of a SHA-256 to tell payloads of one id apart. */
const HASH_BYTES = 16;

export type KeyByIdConfig = {
  /** Field of the value that identifies an event: a string. */
  readonly key: string;
};

export class KeyByIdFn implements DoFn<Element> {
  constructor(private readonly config: KeyByIdConfig) {}

  process(element: Element, context: ProcessContext): void {
    context.output({ key: idOf(element, this.config.key), value: element });
  }
}

export type DropSeenConfig = {
  /** How long an id is remembered after the first element of it, by the clock. */
  readonly horizonMs: number;
};

/** Lets an element pass unless it equals the one that the id is remembered by. */
export class DropSeenFn implements DoFn<KV<string, Element>> {
  /** Of the first value. */
  readonly hash = valueState(new BytesCoder());
  readonly expiry = processingTimeTimer();
  readonly #values = new FieldsCoder();
  #bundlesMayRepeat = false;

  constructor(private readonly config: DropSeenConfig) {
    const { horizonMs } = config;
    if (!(Number.isFinite(horizonMs) && horizonMs > 0)) {
      throw new Error(`deduplicate's horizonMs must be a positive number, got ${horizonMs}`);
    }
  }

  setup(context: SetupContext): void {
    this.#bundlesMayRepeat = context.bundlesMayRepeat;
  }

  process({ value: element }: KV<string, Element>, context: ProcessContext): void {
    const state = context.state(this.hash);
    const first = state.read();
    const hash = this.#hashOf(element.value);
    if (first === undefined) {
      state.write(hash);
      context.timer(this.expiry).setRelative(this.config.horizonMs, { outputTimestampMs: "none" });
      context.output(element);
    } else if (Buffer.compare(first, hash) === 0) countDuplicate(element, context, this.#bundlesMayRepeat);
    else context.output(element);
  }

  onTimer(_timer: FiredTimer, context: ElementContext): void {
    context.state(this.hash).clear();
  }

  #hashOf(value: unknown): Uint8Array {
    const digest = createHash("sha256").update(encodeToBytes(this.#values, value)).digest();
    return Uint8Array.from(digest.subarray(0, HASH_BYTES));
  }
}

export const KEY_BY_ID_FN = registerDoFn("key-by-id@1", (config: KeyByIdConfig) => new KeyByIdFn(config));
export const DROP_SEEN_FN = registerDoFn("drop-seen@1", (config: DropSeenConfig) => new DropSeenFn(config));
