/** The coder of rows: objects whose fields a schema names and types. */
import { BeamCoder, coderProto } from "./beam-coder.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError, fieldSegment, within } from "./coder-error.js";
import { NullableCoder } from "./composite-coders.js";
import { IterableCoder } from "./iterable-coders.js";
import { logicalTypeCoder } from "./logical-type-coders.js";
import { ByteCoder, FloatCoder, Int16Coder, Int32Coder, MapCoder } from "./row-field-coders.js";
import { BoolCoder, BytesCoder, DoubleCoder, StringUtf8Coder, VarIntCoder } from "./scalar-coders.js";
import { type runnerApi, schemaApi } from "./sdk.js";

export type Row = Record<string, unknown>;

interface RowField {
  readonly name: string;
  readonly nullable: boolean;
  readonly coder: BeamCoder<unknown>;
}

/**
 * An object with the fields of the schema and no others. Undefined, null and a field that is not there are
 * the same nothing, read as null. Maps are read as Map, bytes as Uint8Array, integers as VarIntCoder does.
 */
export class RowCoder extends BeamCoder<Row> {
  static readonly URN = "beam:coder:row:v1";
  readonly schema: schemaApi.Schema;
  /** As the schema orders them: null bits are numbered by this order. */
  readonly #fields: readonly RowField[];
  readonly #names: ReadonlySet<string>;
  /** Indices of fields in the order in which their values are written. */
  readonly #order: readonly number[];

  /** `schema` may be the payload of the coder's proto. */
  constructor(schema: schemaApi.Schema | Uint8Array) {
    super();
    this.schema = schema instanceof Uint8Array ? schemaApi.Schema.fromBinary(schema) : schema;
    this.#fields = this.schema.fields.map((field) => ({
      name: field.name,
      nullable: field.type?.nullable ?? false,
      coder: inField(field.name, () => nonNullCoder(field.type)),
    }));
    this.#names = new Set(this.#fields.map((field) => field.name));
    this.#order = encodingOrder(this.schema);
  }

  override write(row: Row, out: ByteWriter): void {
    if (typeof row !== "object" || row === null) {
      throw new EncodeError(`must be an object with the fields of a row, got ${describe(row)}`);
    }
    for (const name in row) {
      if (!this.#names.has(name)) {
        throw new EncodeError("is not in the schema of the row").nestUnder(fieldSegment(name));
      }
    }
    out.varint(this.#fields.length);
    this.#writeNullBits(row, out);
    for (const i of this.#order) {
      const { name, coder } = this.#fields[i]!;
      const value = row[name];
      if (value === null || value === undefined) continue;
      try {
        coder.write(value, out, true);
      } catch (error) {
        throw within(error, fieldSegment(name));
      }
    }
  }

  /** One bit a field, or no byte at all if no field is null. */
  #writeNullBits(row: Row, out: ByteWriter): void {
    const fields = this.#fields;
    let bits: Uint8Array | undefined;
    for (let i = 0; i < fields.length; i++) {
      const { name, nullable } = fields[i]!;
      if (row[name] !== null && row[name] !== undefined) continue;
      if (!nullable) throw new EncodeError("is not nullable and has no value").nestUnder(fieldSegment(name));
      bits ??= new Uint8Array(Math.ceil(fields.length / 8));
      bits[i >> 3]! |= 1 << (i & 7);
    }
    if (bits === undefined) out.varint(0);
    else out.bytes(bits);
  }

  override read(input: ByteReader, nested: boolean): Row {
    const count = input.varint();
    const bits = input.bytes();
    const values: unknown[] = new Array(this.#fields.length).fill(null);
    for (const i of this.#order) {
      // A row of an older schema has fewer fields; those added since are null.
      const isNull = i >= count || ((bits[i >> 3] ?? 0) & (1 << (i & 7))) !== 0;
      if (!isNull) values[i] = this.#fields[i]!.coder.read(input, true);
    }
    if (count > this.#fields.length) {
      if (nested) throw new DecodeError(`a row has ${count} fields, its schema only ${this.#fields.length}`);
      input.pos = input.len;
    }
    return Object.fromEntries(this.#fields.map((field, i) => [field.name, values[i]]));
  }

  override toProto(): runnerApi.Coder {
    return coderProto(RowCoder.URN, [], schemaApi.Schema.toBinary(this.schema));
  }
}

function encodingOrder(schema: schemaApi.Schema): number[] {
  const order = schema.fields.map((_, i) => i);
  if (!schema.encodingPositionsSet) return order;
  const positions = schema.fields.map((field) => field.encodingPosition);
  if (new Set(positions).size !== positions.length) {
    throw new Error(
      `the schema "${schema.id}" gives two fields one encoding position: ${positions.join(", ")}`,
    );
  }
  return order.sort((a, b) => positions[a]! - positions[b]!);
}

/** The coder of a type within another, where there is no null bit. */
function coderOfType(type: schemaApi.FieldType | undefined): BeamCoder<unknown> {
  const coder = nonNullCoder(type);
  return type?.nullable ? new NullableCoder(coder) : coder;
}

function nonNullCoder(type: schemaApi.FieldType | undefined): BeamCoder<unknown> {
  const info = type?.typeInfo;
  switch (info?.oneofKind) {
    case "atomicType":
      return atomicCoder(info.atomicType);
    case "arrayType":
      return new IterableCoder(coderOfType(info.arrayType.elementType));
    case "iterableType":
      return new IterableCoder(coderOfType(info.iterableType.elementType));
    case "mapType":
      return new MapCoder(coderOfType(info.mapType.keyType), coderOfType(info.mapType.valueType));
    case "rowType":
      if (info.rowType.schema === undefined) throw new Error("a row type has no schema");
      return new RowCoder(info.rowType.schema);
    case "logicalType":
      return logicalTypeCoder(info.logicalType, coderOfType);
    default:
      throw new Error("has no type");
  }
}

const { AtomicType } = schemaApi;
// biome-ignore lint/suspicious/noExplicitAny: each is a coder of another type
const ATOMIC_CODERS = new Map<schemaApi.AtomicType, BeamCoder<any>>([
  [AtomicType.BYTE, new ByteCoder()],
  [AtomicType.INT16, new Int16Coder()],
  [AtomicType.INT32, new Int32Coder()],
  [AtomicType.INT64, new VarIntCoder()],
  [AtomicType.FLOAT, new FloatCoder()],
  [AtomicType.DOUBLE, new DoubleCoder()],
  [AtomicType.STRING, new StringUtf8Coder()],
  [AtomicType.BOOLEAN, new BoolCoder()],
  [AtomicType.BYTES, new BytesCoder()],
]);

function atomicCoder(type: schemaApi.AtomicType): BeamCoder<unknown> {
  const coder = ATOMIC_CODERS.get(type);
  if (coder === undefined) throw new Error(`has the unknown atomic type ${type}`);
  return coder;
}

/** Puts the field's name before what is wrong with its type. */
function inField<T>(name: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new Error(`field ${JSON.stringify(name)} of a row: ${(error as Error).message}`, { cause: error });
  }
}
