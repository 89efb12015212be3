/** Coders made of other coders: key and value, length prefix, nullable, sharded key. */
import { asBeamCoder, BeamCoder, coderProto } from "./beam-coder.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError, fieldSegment, within } from "./coder-error.js";
import type { Coder, ProtoContext, runnerApi } from "./sdk.js";

/** `{ key, value }`, and nothing else. */
export class KVCoder<K, V> extends BeamCoder<{ key: K; value: V }> {
  static readonly URN = "beam:coder:kv:v1";
  readonly #key: BeamCoder<K>;
  readonly #value: BeamCoder<V>;

  constructor(
    readonly keyCoder: Coder<K>,
    readonly valueCoder: Coder<V>,
  ) {
    super();
    this.#key = asBeamCoder(keyCoder);
    this.#value = asBeamCoder(valueCoder);
  }

  override write(element: { key: K; value: V }, out: ByteWriter, nested: boolean): void {
    assertFields(element, ["key", "value"]);
    let segment = ".key";
    try {
      this.#key.write(element.key, out, true);
      segment = ".value";
      this.#value.write(element.value, out, nested);
    } catch (error) {
      throw within(error, segment);
    }
  }

  override read(input: ByteReader, nested: boolean): { key: K; value: V } {
    const key = this.#key.read(input, true);
    return { key, value: this.#value.read(input, nested) };
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    return coderProto(KVCoder.URN, [context.getCoderId(this.keyCoder), context.getCoderId(this.valueCoder)]);
  }
}

/** A key with the name of one of the parts into which its values are spread. */
export interface ShardedKey<K> {
  readonly key: K;
  readonly shardId: Uint8Array;
}

export class ShardedKeyCoder<K> extends BeamCoder<ShardedKey<K>> {
  static readonly URN = "beam:coder:sharded_key:v1";
  readonly #key: BeamCoder<K>;

  constructor(readonly keyCoder: Coder<K>) {
    super();
    this.#key = asBeamCoder(keyCoder);
  }

  override write(element: ShardedKey<K>, out: ByteWriter): void {
    assertFields(element, ["key", "shardId"]);
    const { key, shardId } = element;
    if (!(shardId instanceof Uint8Array)) {
      throw new EncodeError(`must be a Uint8Array, got ${describe(shardId)}`).nestUnder(".shardId");
    }
    out.bytes(shardId);
    try {
      this.#key.write(key, out, true);
    } catch (error) {
      throw within(error, ".key");
    }
  }

  override read(input: ByteReader): ShardedKey<K> {
    const shardId = input.bytes();
    return { key: this.#key.read(input, true), shardId };
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    return coderProto(ShardedKeyCoder.URN, [context.getCoderId(this.keyCoder)]);
  }
}

/** The element behind the length of its encoding, so that whoever does not know the coder can pass it on. */
export class LengthPrefixCoder<T> extends BeamCoder<T> {
  static readonly URN = "beam:coder:length_prefix:v1";
  readonly #element: BeamCoder<T>;

  constructor(readonly elementCoder: Coder<T>) {
    super();
    this.#element = asBeamCoder(elementCoder);
  }

  override write(element: T, out: ByteWriter): void {
    out.fork();
    this.#element.write(element, out, false);
    out.ldelim();
  }

  override read(input: ByteReader): T {
    return input.part(input.length(), () => this.#element.read(input, false));
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    return coderProto(LengthPrefixCoder.URN, [context.getCoderId(this.elementCoder)]);
  }
}

/** An element or nothing. Undefined and null are the same nothing, which is read as null. */
export class NullableCoder<T> extends BeamCoder<T | null | undefined> {
  static readonly URN = "beam:coder:nullable:v1";
  readonly #element: BeamCoder<T>;

  constructor(readonly elementCoder: Coder<T>) {
    super();
    this.#element = asBeamCoder(elementCoder);
  }

  override write(element: T | null | undefined, out: ByteWriter, nested: boolean): void {
    if (element === null || element === undefined) {
      out.byte(0);
      return;
    }
    out.byte(1);
    this.#element.write(element, out, nested);
  }

  override read(input: ByteReader, nested: boolean): T | null {
    const byte = input.byte();
    if (byte > 1)
      throw new DecodeError(`a nullable begins with 0 or 1, got ${byte} at byte ${input.pos - 1}`);
    return byte === 1 ? this.#element.read(input, nested) : null;
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    return coderProto(NullableCoder.URN, [context.getCoderId(this.elementCoder)]);
  }
}

/** @throws EncodeError if the value is no object of exactly these fields: others would be lost */
function assertFields(value: object, fields: readonly [string, string]): void {
  if (typeof value !== "object" || value === null || !(fields[0] in value && fields[1] in value)) {
    throw new EncodeError(`must be an object { ${fields.join(", ")} }, got ${describe(value)}`);
  }
  for (const name in value) {
    if (name !== fields[0] && name !== fields[1]) {
      throw new EncodeError(`has no place beside ${fields.join(" and ")}`).nestUnder(fieldSegment(name));
    }
  }
}
