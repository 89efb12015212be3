/** The coders of `coGroupByKey`: a value with the input it came from, and the values of a key by input. */
import { asBeamCoder, BeamCoder, coderProto } from "./primitives/coders/beam-coder.js";
import type { ByteReader } from "./primitives/coders/byte-reader.js";
import type { ByteWriter } from "./primitives/coders/byte-writer.js";
import { DecodeError, describe, EncodeError, fieldSegment, within } from "./primitives/coders/coder-error.js";
import { IterableCoder } from "./primitives/coders/iterable-coders.js";
import { registerCoder } from "./primitives/coders/register-coder.js";
import type { Coder, ProtoContext, runnerApi } from "./primitives/coders/sdk.js";

/** A value, and the place of its input among all. */
export interface UnionValue {
  readonly place: number;
  readonly value: unknown;
}

/** The place, then the value by the coder of that place. As `TaggedCoder`, for any value, undefined too. */
export class UnionCoder extends BeamCoder<UnionValue> {
  static readonly URN = "millrace:coder:union:v1";
  readonly #values: readonly BeamCoder<unknown>[];

  constructor(readonly coders: readonly Coder<unknown>[]) {
    super();
    this.#values = coders.map((coder) => asBeamCoder(coder));
  }

  override write({ place, value }: UnionValue, out: ByteWriter, nested: boolean): void {
    const coder = this.#values[place];
    if (coder === undefined) throw new EncodeError(`${place} is none of ${this.#values.length} places`);
    out.varint(place);
    try {
      coder.write(value, out, nested);
    } catch (error) {
      throw within(error, ".value");
    }
  }

  override read(input: ByteReader, nested: boolean): UnionValue {
    const place = Number(input.varint());
    const coder = this.#values[place];
    if (coder === undefined) {
      throw new DecodeError(
        `there are ${this.#values.length} places, got place ${place} before byte ${input.pos}`,
      );
    }
    return { place, value: coder.read(input, nested) };
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    return coderProto(
      UnionCoder.URN,
      this.coders.map((coder) => context.getCoderId(coder)),
    );
  }
}

type Groups = Readonly<Record<string, Iterable<unknown>>>;

/** The lists of all tags, one after the other, each value by the coder of its tag. The payload is the tags, in JSON. */
export class CoGroupCoder extends BeamCoder<Groups> {
  static readonly URN = "millrace:coder:co_group:v1";
  readonly #tags: readonly string[];
  readonly #lists: readonly IterableCoder<unknown>[];

  // biome-ignore lint/suspicious/noExplicitAny: a coder of whatever stands under its tag
  constructor(readonly coders: Readonly<Record<string, Coder<any>>>) {
    super();
    this.#tags = Object.keys(coders);
    this.#lists = Object.values(coders).map((coder) => new IterableCoder<unknown>(coder));
  }

  override write(groups: Groups, out: ByteWriter): void {
    if (typeof groups !== "object" || groups === null) {
      throw new EncodeError(`must be an object of lists, got ${describe(groups)}`);
    }
    for (const [place, tag] of this.#tags.entries()) {
      try {
        this.#lists[place]!.write(groups[tag]!, out);
      } catch (error) {
        throw within(error, fieldSegment(tag));
      }
    }
  }

  override read(input: ByteReader): Groups {
    return Object.fromEntries(this.#tags.map((tag, place) => [tag, this.#lists[place]!.read(input)]));
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    const ids = Object.values(this.coders).map((coder) => context.getCoderId(coder));
    return coderProto(CoGroupCoder.URN, ids, tagsPayload(this.#tags));
  }
}

export function tagsPayload(tags: readonly string[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(tags));
}

registerCoder(UnionCoder.URN, { make: (components) => new UnionCoder(components) }, UnionCoder);
registerCoder(
  CoGroupCoder.URN,
  {
    make: (components, payload) => {
      const tags = JSON.parse(new TextDecoder().decode(payload)) as string[];
      return new CoGroupCoder(Object.fromEntries(tags.map((tag, place) => [tag, components[place]!])));
    },
  },
  CoGroupCoder,
);
