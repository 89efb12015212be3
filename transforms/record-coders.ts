/**
 * The coders of what flows between the steps of a file's records where it crosses a border between processes.
 *
 * A record's origin is its file (`fileId`, `generation`, the length of the path and the path, behind the length of it
 * all), `line`, `byteStart`, the number of bytes in the file, the number of bytes kept, and these. A problem is its
 * reason, the number of its messages, and these. Numbers are varints, texts UTF-8 behind their length.
 */
import { FieldsCoder, isAt } from "./fields-coder.js";
import {
  type DeadLetter,
  type FileRef,
  InputRecord,
  type Problem,
  RecordOrigin,
  type ScannedRecord,
  type Sourced,
} from "./input-record.js";
import { asBeamCoder, BeamCoder, coderProto } from "./primitives/coders/beam-coder.js";
import type { ByteReader } from "./primitives/coders/byte-reader.js";
import { ByteWriter } from "./primitives/coders/byte-writer.js";
import { DecodeError, describe, EncodeError, within } from "./primitives/coders/coder-error.js";
import { registerCoder } from "./primitives/coders/register-coder.js";
import type { Coder, ProtoContext, runnerApi } from "./primitives/coders/sdk.js";

const NOTHING = 0;
const FIELDS = 1;
const PROBLEM = 2;

/** Files that a coder remembers; beyond them it begins anew. */
const FILES_MAX = 1_024;
/** Raw bytes of records are copied together, so that none keeps a whole message of the runner alive. */
const SLAB_BYTES = 64 * 1024;

/** An element of `readFromDirectory`: its origin, a byte that says what follows, fields, a problem. */
export class InputRecordCoder extends BeamCoder<InputRecord> {
  static readonly URN = "millrace:coder:input_record:v1";
  readonly #origins = new OriginCodec();
  readonly #fields = new FieldsCoder<Readonly<Record<string, string>>>();

  override write(record: InputRecord, out: ByteWriter): void {
    if (!(record instanceof InputRecord)) throw new EncodeError(`must be a record, got ${describe(record)}`);
    const { fields, problem } = record;
    this.#origins.write(record.origin, out);
    out.byte((fields === undefined ? NOTHING : FIELDS) | (problem === undefined ? NOTHING : PROBLEM));
    try {
      if (fields !== undefined) this.#fields.write(fields, out, true);
    } catch (error) {
      throw within(error, ".fields");
    }
    if (problem !== undefined) writeProblem(problem, out);
  }

  override read(input: ByteReader): InputRecord {
    const origin = this.#origins.read(input);
    const has = input.byte();
    if (has > (FIELDS | PROBLEM))
      throw new DecodeError(`a record has no part ${has} at byte ${input.pos - 1}`);
    const fields = (has & FIELDS) === 0 ? undefined : this.#fields.read(input, true);
    const problem = (has & PROBLEM) === 0 ? undefined : readProblem(input);
    const { line, byteStart, byteEnd, chunk, chunkStart } = origin.scanned;
    return new InputRecord(origin.file, { line, byteStart, byteEnd, fields, problem, chunk, chunkStart });
  }

  override toProto(): runnerApi.Coder {
    return coderProto(InputRecordCoder.URN);
  }
}

/** A value with its origin before it; values are fields unless another coder is given. */
export class SourcedCoder<T = unknown> extends BeamCoder<Sourced<T>> {
  static readonly URN = "millrace:coder:sourced:v1";
  readonly #origins = new OriginCodec();
  readonly #value: BeamCoder<T>;

  constructor(readonly valueCoder: Coder<T> = new FieldsCoder<T>()) {
    super();
    this.#value = asBeamCoder(valueCoder);
  }

  override write({ record, value }: Sourced<T>, out: ByteWriter, nested: boolean): void {
    this.#origins.write(record, out);
    try {
      this.#value.write(value, out, nested);
    } catch (error) {
      throw within(error, ".value");
    }
  }

  override read(input: ByteReader, nested: boolean): Sourced<T> {
    const { file, scanned } = this.#origins.read(input);
    return { record: new RecordOrigin(file, scanned), value: this.#value.read(input, nested) };
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    return coderProto(SourcedCoder.URN, [context.getCoderId(this.valueCoder)]);
  }
}

/** The origin, then the problem. */
export class DeadLetterCoder extends BeamCoder<DeadLetter> {
  static readonly URN = "millrace:coder:dead_letter:v1";
  readonly #origins = new OriginCodec();

  override write({ record, problem }: DeadLetter, out: ByteWriter): void {
    this.#origins.write(record, out);
    writeProblem(problem, out);
  }

  override read(input: ByteReader): DeadLetter {
    const { file, scanned } = this.#origins.read(input);
    return { record: new RecordOrigin(file, scanned), problem: readProblem(input) };
  }

  override toProto(): runnerApi.Coder {
    return coderProto(DeadLetterCoder.URN);
  }
}

interface EncodedFile {
  readonly file: FileRef;
  readonly bytes: Uint8Array;
}

/** Encodes a file once for all its records, and decodes it to one object for all of them. */
class OriginCodec {
  #written: EncodedFile | undefined;
  readonly #read = new Map<number, EncodedFile>();
  #last: EncodedFile | undefined;
  #slab = Buffer.alloc(0);
  #slabUsed = 0;

  write(origin: RecordOrigin, out: ByteWriter): void {
    if (!(origin instanceof RecordOrigin)) {
      throw new EncodeError(`must be a record's origin, got ${describe(origin)}`).nestUnder(".record");
    }
    const { file, line, byteStart, byteEnd, raw } = origin;
    if (this.#written?.file !== file) this.#written = { file, bytes: encodedFile(file) };
    out.varint(this.#written.bytes.length);
    out.raw(this.#written.bytes);
    writeCount(line, ".line", out);
    writeCount(byteStart, ".byteStart", out);
    writeCount(byteEnd - byteStart, ".byteEnd", out);
    out.varint(raw.length);
    out.raw(raw);
  }

  read(input: ByteReader): { readonly file: FileRef; readonly scanned: ScannedRecord } {
    const file = this.#readFile(input);
    const line = readCount(input);
    const byteStart = readCount(input);
    const byteEnd = byteStart + readCount(input);
    const length = input.length();
    const chunk = this.#room(length, length === byteEnd - byteStart);
    const chunkStart = chunk === this.#slab ? this.#slabUsed : 0;
    const start = input.take(length);
    input.buf.copy(chunk, chunkStart, start, start + length);
    if (chunk === this.#slab) this.#slabUsed += length;
    return { file, scanned: { line, byteStart, byteEnd, chunk, chunkStart } };
  }

  /** Where to put raw bytes. Of a record that was cut short the buffer must end with them. */
  #room(bytes: number, isWhole: boolean): Buffer {
    if (!isWhole || bytes > SLAB_BYTES / 8) return Buffer.allocUnsafeSlow(bytes);
    if (bytes > this.#slab.length - this.#slabUsed) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#slabUsed = 0;
    }
    return this.#slab;
  }

  #readFile(input: ByteReader): FileRef {
    const length = input.length();
    if (this.#last === undefined || !isAt(this.#last.bytes, input, length)) {
      this.#last = this.#findFile(input, length);
    } else input.take(length);
    return this.#last.file;
  }

  #findFile(input: ByteReader, length: number): EncodedFile {
    const bytes = Uint8Array.from(input.buf.subarray(input.pos, input.pos + length));
    const file = input.part(length, () => {
      return { fileId: readCount(input), generation: readCount(input), path: input.string() };
    });
    const known = this.#read.get(file.fileId);
    if (known !== undefined && Buffer.compare(known.bytes, bytes) === 0) return known;
    if (this.#read.size === FILES_MAX) this.#read.clear();
    const encoded = { file, bytes };
    this.#read.set(file.fileId, encoded);
    return encoded;
  }
}

function encodedFile({ fileId, generation, path }: FileRef): Uint8Array {
  const out = new ByteWriter();
  writeCount(fileId, ".file.fileId", out);
  writeCount(generation, ".file.generation", out);
  try {
    out.lengthAndUtf8(path);
  } catch (error) {
    throw within(error, ".file.path");
  }
  return out.finish();
}

function writeProblem({ reason, messages }: Problem, out: ByteWriter): void {
  let segment = ".reason";
  try {
    out.lengthAndUtf8(reason);
    out.varint(messages.length);
    for (let i = 0; i < messages.length; i++) {
      segment = `.messages[${i}]`;
      out.lengthAndUtf8(messages[i]!);
    }
  } catch (error) {
    throw within(within(error, segment), ".problem");
  }
}

function readProblem(input: ByteReader): Problem {
  const reason = input.string();
  const messages: string[] = [];
  for (let left = input.length(); left > 0; left--) messages.push(input.string());
  return { reason, messages };
}

function writeCount(count: number, segment: string, out: ByteWriter): void {
  if (!(Number.isSafeInteger(count) && count >= 0)) {
    throw new EncodeError(`must be a whole number from 0, got ${describe(count)}`).nestUnder(segment);
  }
  out.varint(count);
}

function readCount(input: ByteReader): number {
  const count = input.varint();
  if (typeof count === "number" && count >= 0) return count;
  throw new DecodeError(`a whole number from 0 must be before byte ${input.pos}, got ${count}`);
}

registerCoder(InputRecordCoder.URN, { components: 0, make: () => new InputRecordCoder() }, InputRecordCoder);
registerCoder(SourcedCoder.URN, { components: 1, make: ([value]) => new SourcedCoder(value!) }, SourcedCoder);
registerCoder(DeadLetterCoder.URN, { components: 0, make: () => new DeadLetterCoder() }, DeadLetterCoder);
