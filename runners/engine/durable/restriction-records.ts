/** Records of what is left of restrictions, or of their elements where the positions are kept elsewhere. */
import type { Element } from "../element.js";
import type { Rest } from "../rest.js";
import type { DurableParts } from "./durable-parts.js";
import { ElementsCodec } from "./elements-codec.js";
import type { RestoredState } from "./restored-state.js";
import { type StateReader, StateWriter } from "./state-bytes.js";
import type { ValueCodec } from "./state-codec.js";
import type { StateChanges, StateLog } from "./state-log.js";
import { recordKey } from "./state-record.js";
import { TrackedItems } from "./tracked-items.js";

const REST = "rest";
const BEGUN = "begun";

export interface RestoredRest {
  readonly rest: Rest;
  readonly resumeAtMs: number;
}

export interface RestrictionRecords {
  left(rest: Rest): void;
  done(rest: Rest): void;
  /** A bundle is over, and this is what is left in the end. */
  settled(rests: Iterable<Rest>): void;
  write(log: StateLog, rests: Iterable<Rest>): void;
  /** @param floorMs the stage's watermark */
  restore(restored: RestoredState, floorMs: number): readonly RestoredRest[];
}

export function createRestrictionRecords(
  owner: string,
  collection: string,
  parts: DurableParts,
): RestrictionRecords {
  if (parts.codec.restoresPosition(owner)) return new BegunElements(owner, collection, parts);
  return new RestRecords(owner, collection, parts);
}

/** A record for each rest. */
class RestRecords implements RestrictionRecords {
  readonly #owner: string;
  readonly #elements: ElementsCodec;
  readonly #restriction: ValueCodec;
  readonly #watermarkState: ValueCodec;
  readonly #tracked: TrackedItems<Rest>;

  constructor(owner: string, collection: string, { codec, changes }: DurableParts) {
    this.#owner = owner;
    this.#elements = new ElementsCodec(codec, collection);
    this.#restriction = codec.restriction(owner);
    this.#watermarkState = codec.watermarkState(owner);
    this.#tracked = new TrackedItems<Rest>({
      changes,
      areConstant: true,
      keyOf: ({ number }) => recordKey(REST, owner, number),
      encode: (rest) => this.#encode(rest),
    });
  }

  left(rest: Rest): void {
    this.#tracked.put(rest);
  }

  done(rest: Rest): void {
    this.#tracked.remove(rest);
  }

  settled(): void {
    // Each was told of by itself.
  }

  write(log: StateLog, rests: Iterable<Rest>): void {
    this.#tracked.write(log, rests);
  }

  restore(restored: RestoredState): readonly RestoredRest[] {
    return restored
      .take(REST, this.#owner)
      .map(({ parts, value }) => this.#decode(Number(parts[0]), value))
      .sort((a, b) => a.rest.number - b.rest.number);
  }

  #encode({ residual, element, holdMs, wasTruncated }: Rest): Uint8Array {
    const out = new StateWriter();
    this.#elements.write(out, [element]);
    out
      .time(holdMs)
      .flag(wasTruncated)
      .flag(residual?.isParked === true);
    if (residual === undefined)
      throw new Error(`a restriction of ${this.#owner} was not begun, but has a rest`);
    const { restriction, watermarkState, watermarkMs, resumeAtMs } = residual;
    out.time(watermarkMs).time(resumeAtMs);
    if (residual.isParked) return out.finish();
    out.bytes(this.#restriction.encode(restriction)).flag(watermarkState !== undefined);
    if (watermarkState !== undefined) out.bytes(this.#watermarkState.encode(watermarkState));
    return out.finish();
  }

  #decode(number: number, input: StateReader): RestoredRest {
    const element = this.#elements.read(input)[0]!;
    const holdMs = input.time();
    const wasTruncated = input.flag();
    const isParked = input.flag();
    const watermarkMs = input.time();
    const resumeAtMs = input.time();
    const restriction = isParked ? null : this.#restriction.decode(input.bytes());
    const watermarkState = isParked ? null : this.#watermarkStateOf(input);
    const parked = isParked ? { isParked } : {};
    const residual = { root: this.#owner, element, restriction, watermarkState, watermarkMs, resumeAtMs };
    return {
      resumeAtMs,
      rest: { residual: { ...residual, ...parked }, element, holdMs, wasTruncated, number },
    };
  }

  #watermarkStateOf(input: StateReader): unknown {
    return input.flag() ? this.#watermarkState.decode(input.bytes()) : undefined;
  }
}

/**
 * A record for each element of which something is left. The next process begins with it anew, where the last commit
 * ended; so polls that find nothing change no record.
 */
class BegunElements implements RestrictionRecords {
  readonly #owner: string;
  readonly #elements: ElementsCodec;
  readonly #changes: StateChanges;
  /** Encodings, each as a text. */
  readonly #encoded = new WeakMap<Element, string>();
  #begun: ReadonlySet<string> = new Set();
  #written: ReadonlySet<string> = new Set();

  constructor(owner: string, collection: string, { codec, changes }: DurableParts) {
    this.#owner = owner;
    this.#elements = new ElementsCodec(codec, collection);
    this.#changes = changes;
  }

  left(): void {
    // The bundle's end tells.
  }

  done(): void {
    // The bundle's end tells.
  }

  settled(rests: Iterable<Rest>): void {
    const begun = new Set<string>();
    for (const { element } of rests) begun.add(this.#textOf(element));
    if (begun.size !== this.#begun.size || [...begun].some((text) => !this.#begun.has(text))) {
      this.#changes.note();
    }
    this.#begun = begun;
  }

  write(log: StateLog, rests: Iterable<Rest>): void {
    this.settled(rests);
    for (const text of this.#written) if (!this.#begun.has(text)) log.remove(this.#keyOf(text));
    for (const text of this.#begun) {
      if (log.isFull || !this.#written.has(text)) log.put(this.#keyOf(text), Buffer.from(text, "latin1"));
    }
    this.#written = this.#begun;
  }

  restore(restored: RestoredState, floorMs: number): readonly RestoredRest[] {
    const found = restored.take(BEGUN, this.#owner).map(({ parts, value }, number) => {
      const element = this.#elements.read(value)[0]!;
      this.#encoded.set(element, parts[0]!);
      return {
        resumeAtMs: Number.NEGATIVE_INFINITY,
        rest: { residual: undefined, element, holdMs: floorMs, wasTruncated: false, number },
      };
    });
    this.#written = new Set(found.map(({ rest }) => this.#encoded.get(rest.element)!));
    this.#begun = this.#written;
    return found;
  }

  #textOf(element: Element): string {
    let text = this.#encoded.get(element);
    if (text === undefined) {
      text = Buffer.from(this.#elements.encodeOne(element)).toString("latin1");
      this.#encoded.set(element, text);
    }
    return text;
  }

  #keyOf(text: string): string {
    return recordKey(BEGUN, this.#owner, text);
  }
}
