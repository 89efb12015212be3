/** Coders of iterables: of known length, of unknown length in chunks, or with a rest kept in a runner's state. */
import { asBeamCoder, BeamCoder, coderProto } from "./beam-coder.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError, within } from "./coder-error.js";
import type { Coder, ProtoContext, runnerApi } from "./sdk.js";

/** Elements before the next count, when the length is not known beforehand. */
const CHUNK_ELEMENTS_MAX = 100;
/** Stands where the length is not known beforehand. */
const UNKNOWN_LENGTH = -1;
const LENGTH_MAX = 2 ** 31 - 1;

/** An iterable; read as an array, which can be gone through again. */
export class IterableCoder<T> extends BeamCoder<Iterable<T>> {
  static readonly URN: string = "beam:coder:iterable:v1";
  protected readonly element: BeamCoder<T>;

  constructor(readonly elementCoder: Coder<T>) {
    super();
    this.element = asBeamCoder(elementCoder);
  }

  override write(elements: Iterable<T>, out: ByteWriter): void {
    const isList = Array.isArray(elements) || ArrayBuffer.isView(elements);
    if (isList) {
      this.#writeList(elements as readonly T[], out);
      return;
    }
    if (typeof elements !== "object" || elements === null || !(Symbol.iterator in elements)) {
      throw new EncodeError(`must be an iterable, got ${describe(elements)}`);
    }
    if (elements instanceof Set || elements instanceof Map) {
      this.#writeList([...elements] as T[], out);
      return;
    }
    this.#writeChunks(elements, out);
  }

  #writeList(elements: readonly T[], out: ByteWriter): void {
    const { length } = elements;
    if (length > LENGTH_MAX) throw new EncodeError(`must have at most ${LENGTH_MAX} elements, got ${length}`);
    out.int32BigEndian(length);
    this.#writeElements(elements, 0, out);
  }

  #writeChunks(elements: Iterable<T>, out: ByteWriter): void {
    out.int32BigEndian(UNKNOWN_LENGTH);
    let written = 0;
    let chunk: T[] = [];
    for (const element of elements) {
      chunk.push(element);
      if (chunk.length < CHUNK_ELEMENTS_MAX) continue;
      out.varint(chunk.length);
      this.#writeElements(chunk, written, out);
      written += chunk.length;
      chunk = [];
    }
    if (chunk.length > 0) {
      out.varint(chunk.length);
      this.#writeElements(chunk, written, out);
    }
    out.varint(0);
  }

  #writeElements(elements: readonly T[], firstIndex: number, out: ByteWriter): void {
    let i = 0;
    try {
      for (; i < elements.length; i++) this.element.write(elements[i]!, out, true);
    } catch (error) {
      throw within(error, `[${firstIndex + i}]`);
    }
  }

  override read(input: ByteReader): Iterable<T> {
    const length = input.int32BigEndian();
    const elements: T[] = [];
    if (length >= 0) {
      for (let i = 0; i < length; i++) elements.push(this.element.read(input, true));
      return elements;
    }
    if (length !== UNKNOWN_LENGTH) throw new DecodeError(`${length} is no length of an iterable`);
    for (;;) {
      const count = input.varint();
      if (count === 0) return elements;
      if (count < 0) return this.readRest(elements, Number(count), input);
      for (let i = 0; i < count; i++) elements.push(this.element.read(input, true));
    }
  }

  /** Reads what comes after a negative count. */
  protected readRest(_elements: T[], count: number, _input: ByteReader): Iterable<T> {
    throw new DecodeError(`${count} is no number of elements of an iterable`);
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    const { URN } = this.constructor as typeof IterableCoder;
    return coderProto(URN, [context.getCoderId(this.elementCoder)]);
  }
}

/**
 * An iterable whose rest may be in a runner's state. It is read with the reader's `resolveState`; the rest
 * is asked for when somebody comes to it, each time anew.
 */
export class StateBackedIterableCoder<T> extends IterableCoder<T> {
  static override readonly URN = "beam:coder:state_backed_iterable:v1";

  protected override readRest(elements: T[], count: number, input: ByteReader): Iterable<T> {
    if (count !== -1) return super.readRest(elements, count, input);
    const token = input.bytes();
    const { resolveState } = input;
    if (resolveState === undefined) {
      throw new DecodeError("the rest of an iterable is in a runner's state, and no resolveState was given");
    }
    const { elementCoder } = this;
    return {
      *[Symbol.iterator]() {
        yield* elements;
        yield* resolveState(token, elementCoder as Coder<unknown>) as Iterable<T>;
      },
    };
  }
}
