/** Coders of Beam's logical types: instants, decimals, text and bytes of limited length. */
import { asBeamCoder, type BeamCoder } from "./beam-coder.js";
import type { ByteReader } from "./byte-reader.js";
import type { ByteWriter } from "./byte-writer.js";
import { DecodeError, describe, EncodeError } from "./coder-error.js";
import { readInstant, writeInstant } from "./instant.js";
import { FieldCoder, Int32Coder } from "./row-field-coders.js";
import { type Coder, SdkRowCoder, type schemaApi } from "./sdk.js";
import { fromTwosComplement, twosComplement } from "./twos-complement.js";

type LogicalType = schemaApi.LogicalType;
type CoderOfType = (type: schemaApi.FieldType | undefined) => BeamCoder<unknown>;

/**
 * The coder of a logical type: of Beam's standard ones, and of those registered with the SDK's
 * `registerLogicalType`.
 * @throws Error naming the type if nobody knows it
 */
export function logicalTypeCoder(type: LogicalType, coderOfType: CoderOfType): BeamCoder<unknown> {
  switch (type.urn) {
    case "beam:logical_type:millis_instant:v1":
      return new MillisInstantCoder();
    case "beam:logical_type:micros_instant:v1":
      return coderOfType(type.representation);
    case "beam:logical_type:decimal:v1":
      return new DecimalCoder();
    case "beam:logical_type:fixed_char:v1":
    case "beam:logical_type:fixed_bytes:v1":
      return new LimitedCoder(coderOfType(type.representation), lengthOf(type), true);
    case "beam:logical_type:var_char:v1":
    case "beam:logical_type:var_bytes:v1":
      return new LimitedCoder(coderOfType(type.representation), lengthOf(type), false);
    default:
      return sdkLogicalTypeCoder(type);
  }
}

/** The SDK keeps its logical types to itself, but gives a row's field the coder of one. */
function sdkLogicalTypeCoder(logicalType: LogicalType): BeamCoder<unknown> {
  const type: schemaApi.FieldType = { nullable: false, typeInfo: { oneofKind: "logicalType", logicalType } };
  let coder: Coder<unknown>;
  try {
    coder = SdkRowCoder.prototype.getNonNullCoderFromType(type);
  } catch (error) {
    throw new Error(`has the unknown logical type "${logicalType.urn}"`, { cause: error });
  }
  return asBeamCoder(coder);
}

/** A Date, as the eight bytes of an event time. */
class MillisInstantCoder extends FieldCoder<Date> {
  override write(value: Date, out: ByteWriter): void {
    if (!(value instanceof Date) || Number.isNaN(value.getTime())) {
      throw new EncodeError(`must be a valid Date, got ${describe(value)}`);
    }
    writeInstant(value.getTime(), out);
  }

  override read(input: ByteReader): Date {
    const ms = readInstant(input);
    const date = new Date(ms);
    if (Number.isNaN(date.getTime())) throw new DecodeError(`${ms} ms is beyond what a Date holds`);
    return date;
  }
}

/**
 * A decimal number as text: "-100.123", or "15E+2" for 15 hundreds. Text, because a number would lose digits;
 * trailing zeros count, they are the number's scale.
 */
class DecimalCoder extends FieldCoder<string> {
  override write(value: string, out: ByteWriter): void {
    const parts = typeof value === "string" ? DECIMAL.exec(value) : null;
    if (parts === null) throw new EncodeError(`must be a decimal like "-12.50", got ${describe(value)}`);
    const [, sign = "", digits = "", fraction = "", exponent] = parts;
    const unscaled = BigInt(sign + digits + fraction);
    if (sign !== "" && unscaled === 0n) throw new EncodeError(`a decimal has no -0, got ${describe(value)}`);
    INT32.write(exponent === undefined ? fraction.length : -Number(exponent), out);
    out.bytes(twosComplement(unscaled));
  }

  override read(input: ByteReader): string {
    const scale = INT32.read(input);
    const unscaled = fromTwosComplement(input.bytes());
    if (scale < 0) return `${unscaled}E+${-scale}`;
    if (scale === 0) return String(unscaled);
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
    return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  }
}

const DECIMAL = /^(-?)(0|[1-9]\d*)(?:\.(\d+)|E\+([1-9]\d*))?$/;
const INT32 = new Int32Coder();

/** Text or bytes of at most, or exactly, a length: of text its UTF-16 units, as in Java. */
class LimitedCoder extends FieldCoder<string | Uint8Array> {
  constructor(
    readonly representation: BeamCoder<unknown>,
    readonly length: number,
    readonly isFixed: boolean,
  ) {
    super();
  }

  override write(value: string | Uint8Array, out: ByteWriter, nested: boolean): void {
    const actual = value.length;
    if (this.isFixed ? actual !== this.length : actual > this.length) {
      const rule = `must have a length of ${this.isFixed ? "" : "at most "}${this.length}`;
      throw new EncodeError(`${rule}, got ${actual}`);
    }
    this.representation.write(value, out, nested);
  }

  override read(input: ByteReader, nested: boolean): string | Uint8Array {
    return this.representation.read(input, nested) as string | Uint8Array;
  }
}

/** The length that stands as argument of a type. */
function lengthOf(type: LogicalType): number {
  const value = type.argument?.fieldValue;
  const atomic = value?.oneofKind === "atomicValue" ? value.atomicValue.value : undefined;
  if (atomic?.oneofKind !== "int32") throw new Error(`the logical type "${type.urn}" has no length`);
  return atomic.int32;
}
