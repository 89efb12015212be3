/** The coder of elements with their event times, where a grouping would lose these. */
import { asBeamCoder, BeamCoder, coderProto } from "./primitives/coders/beam-coder.js";
import type { ByteReader } from "./primitives/coders/byte-reader.js";
import type { ByteWriter } from "./primitives/coders/byte-writer.js";
import { within } from "./primitives/coders/coder-error.js";
import { readInstant, writeInstant } from "./primitives/coders/instant.js";
import { registerCoder } from "./primitives/coders/register-coder.js";
import type { Coder, ProtoContext, runnerApi } from "./primitives/coders/sdk.js";

export interface Timestamped<T> {
  readonly timestampMs: number;
  readonly value: T;
}

/** The event time as Beam writes it, then the value. */
export class TimestampedCoder<T> extends BeamCoder<Timestamped<T>> {
  static readonly URN = "millrace:coder:timestamped:v1";
  readonly #value: BeamCoder<T>;

  constructor(readonly valueCoder: Coder<T>) {
    super();
    this.#value = asBeamCoder(valueCoder);
  }

  override write({ timestampMs, value }: Timestamped<T>, out: ByteWriter, nested: boolean): void {
    writeInstant(timestampMs, out);
    try {
      this.#value.write(value, out, nested);
    } catch (error) {
      throw within(error, ".value");
    }
  }

  override read(input: ByteReader, nested: boolean): Timestamped<T> {
    const timestampMs = readInstant(input);
    return { timestampMs, value: this.#value.read(input, nested) };
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    return coderProto(TimestampedCoder.URN, [context.getCoderId(this.valueCoder)]);
  }
}

registerCoder(
  TimestampedCoder.URN,
  { components: 1, make: ([value]) => new TimestampedCoder(value!) },
  TimestampedCoder,
);
