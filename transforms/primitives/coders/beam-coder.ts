/** The base of all coders here: written for one growing buffer, usable as the SDK's coders are. */
import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import {
  type Coder,
  Context,
  type ProtoContext,
  type runnerApi,
  type SdkReader,
  type SdkWriter,
} from "./sdk.js";

/**
 * Nested: other encodings may follow, so the encoding says where it ends (Beam's `needsDelimiters`).
 * Not nested: it goes to the end of the bytes (`wholeStream`).
 */
export abstract class BeamCoder<T> implements Coder<T> {
  /** @throws EncodeError if the value cannot be carried exactly */
  abstract write(value: T, out: ByteWriter, nested: boolean): void;
  /** @throws DecodeError if the bytes are no encoding of this coder */
  abstract read(input: ByteReader, nested: boolean): T;
  abstract toProto(context: ProtoContext): runnerApi.Coder;

  encode(value: T, writer: SdkWriter, context: Context): void {
    const nested = context !== Context.wholeStream;
    if (writer instanceof ByteWriter) {
      this.write(value, writer, nested);
      return;
    }
    const out = new ByteWriter();
    this.write(value, out, nested);
    pushRaw(writer, out.finish());
  }

  decode(reader: SdkReader, context: Context): T {
    const nested = context !== Context.wholeStream;
    if (reader instanceof ByteReader) return this.read(reader, nested);
    const input = new ByteReader(reader.buf);
    input.pos = reader.pos;
    input.len = reader.len;
    const value = this.read(input, nested);
    reader.pos = input.pos;
    return value;
  }
}

/** A coder of somebody else's as a component of ours. */
export class ForeignCoder<T> extends BeamCoder<T> {
  constructor(readonly inner: Coder<T>) {
    super();
  }

  override write(value: T, out: ByteWriter, nested: boolean): void {
    this.inner.encode(value, out as unknown as SdkWriter, contextOf(nested));
  }

  override read(input: ByteReader, nested: boolean): T {
    if (nested) return this.inner.decode(input as unknown as SdkReader, contextOf(true));
    // The SDK's coders read a whole stream to the end of `buf`, whatever the reader's own end is, and do
    // not move its position.
    const rest = new ByteReader(input.buf.subarray(input.pos, input.len), input.resolveState);
    input.pos = input.len;
    return this.inner.decode(rest as unknown as SdkReader, contextOf(false));
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    return this.inner.toProto(context);
  }
}

/** How a class of the SDK's becomes a coder of ours; filled by `installCoders`. */
const ownForms = new Map<unknown, (coder: never) => BeamCoder<unknown>>();
const converted = new WeakMap<object, BeamCoder<unknown>>();

/** From now on coders of this class are taken for what `convert` makes of them. */
export function convertsTo<C extends object>(
  foreignClass: abstract new (...args: never[]) => C,
  convert: (coder: C) => BeamCoder<unknown>,
): void {
  ownForms.set(foreignClass, convert as (coder: never) => BeamCoder<unknown>);
}

/** The coder itself if it is one of ours, ours for one of the SDK's, and a wrapper for any other. */
export function asBeamCoder<T>(coder: Coder<T>): BeamCoder<T> {
  if (coder instanceof BeamCoder) return coder;
  let own = converted.get(coder);
  if (own === undefined) {
    const convert = ownForms.get(coder.constructor);
    own = convert === undefined ? new ForeignCoder(coder as Coder<unknown>) : convert(coder as never);
    converted.set(coder, own);
  }
  return own as BeamCoder<T>;
}

/** The proto of a coder of this URN. */
export function coderProto(
  urn: string,
  componentCoderIds: string[] = [],
  payload: Uint8Array = new Uint8Array(),
): runnerApi.Coder {
  return { spec: { urn, payload }, componentCoderIds };
}

function contextOf(nested: boolean): Context {
  return nested ? Context.needsDelimiters : Context.wholeStream;
}

/** Bytes without their length, into protobufjs' Writer: it has no public way for that. */
function pushRaw(writer: SdkWriter, bytes: Uint8Array): void {
  const { _push: push } = writer as unknown as { _push: ByteWriter["_push"] };
  push.call(
    writer as unknown as ByteWriter,
    (value: unknown, buffer: Uint8Array, pos: number) => buffer.set(value as Uint8Array, pos),
    bytes.length,
    bytes,
  );
}
