/** The coder of elements that say by their one key where they belong: what `split` takes. */
import { asBeamCoder, BeamCoder, coderProto } from "./primitives/coders/beam-coder.js";
import type { ByteReader } from "./primitives/coders/byte-reader.js";
import type { ByteWriter } from "./primitives/coders/byte-writer.js";
import { DecodeError, describe, EncodeError, fieldSegment, within } from "./primitives/coders/coder-error.js";
import { registerCoder } from "./primitives/coders/register-coder.js";
import type { Coder, ProtoContext, runnerApi } from "./primitives/coders/sdk.js";

type TaggedValue = Readonly<Record<string, unknown>>;

/** The place of the tag among all tags, then the value by the coder of the tag. */
export class TaggedCoder extends BeamCoder<TaggedValue> {
  static readonly URN = "millrace:coder:tagged:v1";
  readonly #tags: readonly string[];
  readonly #values: readonly BeamCoder<unknown>[];

  // biome-ignore lint/suspicious/noExplicitAny: a coder of whatever stands under its tag
  constructor(readonly coders: Readonly<Record<string, Coder<any>>>) {
    super();
    this.#tags = Object.keys(coders);
    this.#values = Object.values(coders).map((coder) => asBeamCoder(coder));
  }

  override write(element: TaggedValue, out: ByteWriter, nested: boolean): void {
    const place = this.#tags.findIndex((tag) => element[tag] !== undefined);
    if (place < 0) {
      throw new EncodeError(`must be under one of ${this.#tags.join(", ")}, got ${describe(element)}`);
    }
    const tag = this.#tags[place]!;
    out.varint(place);
    try {
      this.#values[place]!.write(element[tag], out, nested);
    } catch (error) {
      throw within(error, fieldSegment(tag));
    }
  }

  override read(input: ByteReader, nested: boolean): TaggedValue {
    const place = Number(input.varint());
    const coder = this.#values[place];
    if (coder === undefined) {
      throw new DecodeError(`there are ${this.#tags.length} tags, got tag ${place} before byte ${input.pos}`);
    }
    return { [this.#tags[place]!]: coder.read(input, nested) };
  }

  override toProto(context: ProtoContext): runnerApi.Coder {
    const ids = Object.values(this.coders).map((coder) => context.getCoderId(coder));
    return coderProto(TaggedCoder.URN, ids, new TextEncoder().encode(JSON.stringify(this.#tags)));
  }
}

/** The tags in the payload of such a coder, in the order of its components. */
export function tagsOf(payload: Uint8Array): string[] {
  return JSON.parse(new TextDecoder().decode(payload)) as string[];
}

registerCoder(
  TaggedCoder.URN,
  {
    make: (components, payload) =>
      new TaggedCoder(Object.fromEntries(tagsOf(payload).map((tag, place) => [tag, components[place]!]))),
  },
  TaggedCoder,
);
