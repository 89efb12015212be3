/** What apache-beam does with its coders once ours are installed. */
import { expect } from "chai";
import { beam, Pipeline, withName } from "../../../../transforms/primitives/beam.js";
import { BeamCoder } from "../../../../transforms/primitives/coders/beam-coder.js";
import { CODER_FACTORIES } from "../../../../transforms/primitives/coders/coder-from-proto.js";
import { decodeFromBytes, encodeToBytes } from "../../../../transforms/primitives/coders/encode.js";
import { GeneralObjectCoder } from "../../../../transforms/primitives/coders/general-object-coder.js";
import {
  type Coder,
  Context,
  globalRegistry,
  SdkRowCoder,
  sdkJsCoders,
  sdkRequiredCoders,
  sdkStandardCoders,
} from "../../../../transforms/primitives/coders/sdk.js";
import { hexOf, messageOf } from "./encodings.js";
import { pristineSdk, protobuf } from "./pristine-sdk.js";

/** As the SDK's own code encodes and decodes. */
function throughProtobuf<T>(coder: Coder<T>, value: T): T {
  const writer = protobuf.Writer.create();
  coder.encode(value, writer, Context.needsDelimiters);
  return coder.decode(protobuf.Reader.create(writer.finish()), Context.needsDelimiters);
}

describe("installCoders", () => {
  it("is needed: the SDK's own classes change values", () => {
    expect(throughProtobuf(new pristineSdk["VarIntCoder"]!(), 2 ** 31)).to.equal(-(2 ** 31));
    expect(throughProtobuf(new pristineSdk["GeneralObjectCoder"]!(), -0)).to.equal(0);
  });

  it("puts ours under every URN of the SDK's registry but those of windows", () => {
    const keep = [
      "beam:coder:global_window:v1",
      "beam:coder:interval_window:v1",
      "beam:coder:windowed_value:v1",
    ];
    for (const [urn, { components }] of CODER_FACTORIES) {
      if (urn.includes("param_windowed_value")) continue;
      const parts = Array.from({ length: components }, () => new GeneralObjectCoder());
      const isOurs = globalRegistry().getCoder(urn, undefined, ...parts) instanceof BeamCoder;
      expect(isOurs, urn).to.equal(!keep.includes(urn));
    }
    expect(messageOf(() => globalRegistry().getCoder("beam:coder:kv:v1"))).to.equal(
      "a coder beam:coder:kv:v1 must have 2 components, got 0",
    );
  });

  it("gives a pipeline's coders, as its context finds them, exactly", () => {
    const pipeline = new Pipeline("");
    const { KVCoder, IterableCoder } = sdkRequiredCoders;
    const built = new KVCoder(
      new sdkJsCoders.GeneralObjectCoder(),
      new IterableCoder(new sdkStandardCoders.VarIntCoder()),
    );
    const coder = pipeline.context.getCoder(pipeline.getCoderId(built)) as Coder<unknown>;
    const element = { key: 1_700_000_000_000, value: [2 ** 31, 2n ** 60n] };
    expect(throughProtobuf(coder, element)).to.deep.equal(element);
  });

  it("makes coders exact that are constructed directly, before or after", () => {
    const { KVCoder, IterableCoder, LengthPrefixedCoder, BytesCoder } = sdkRequiredCoders;
    const { VarIntCoder, NullableCoder, DoubleCoder, BoolCoder, StrUtf8Coder } = sdkStandardCoders;
    const any = new sdkJsCoders.GeneralObjectCoder<unknown>();
    const cases = [
      [VarIntCoder.INSTANCE, -(2 ** 40)],
      [new VarIntCoder(), 2n ** 62n],
      [new DoubleCoder(), -0],
      [new BoolCoder(), true],
      [new StrUtf8Coder(), "\ufeffa"],
      [new BytesCoder(), Uint8Array.of(1)],
      [any, { at: new Map([[1n, new Set([undefined])]]) }],
      [new KVCoder(any, any), { key: Number.NaN, value: [undefined] }],
      [new IterableCoder(any), [2 ** 31]],
      [new LengthPrefixedCoder(any), 2 ** 31],
      [new NullableCoder(new VarIntCoder()), 2 ** 31],
      [SdkRowCoder.fromJSON({ id: 1, name: "" }), { id: 2 ** 31, name: "a" }],
    ] as unknown as [Coder<unknown>, unknown][];
    for (const [coder, value] of cases) {
      expect(throughProtobuf(coder, value)).to.deep.equal(value);
      expect(decodeFromBytes(coder, encodeToBytes(coder, value))).to.deep.equal(value);
    }
    expect(messageOf(() => throughProtobuf(VarIntCoder.INSTANCE, 1.5))).to.equal(
      "value: must be an integer, got 1.5",
    );
  });

  it("lets coders of others be components of ours, in both contexts", () => {
    const { StrUtf8Coder } = pristineSdk;
    const coder = new sdkRequiredCoders.KVCoder(
      new StrUtf8Coder!(),
      new sdkRequiredCoders.LengthPrefixedCoder(new StrUtf8Coder!()),
    );
    const element = { key: "a", value: "bc" };
    expect(hexOf(encodeToBytes(coder, element))).to.equal("0161026263");
    expect(throughProtobuf(coder, element)).to.deep.equal(element);
    expect(decodeFromBytes(coder, encodeToBytes(coder, element))).to.deep.equal(element);
  });

  it("leaves the SDK's direct runner running, now with keys as large as they are", async () => {
    const seen: unknown[] = [];
    (globalThis as { seenGroups?: unknown[] }).seenGroups = seen;
    // Not before the SDK's index, which beam.ts loads.
    const { directRunner } = await import("apache-beam/runners/direct_runner");
    await directRunner().run((root: beam.Root) =>
      root
        .apply(withName("Create", beam.create([1_700_000_000_000, 1_700_000_000_000, 5])))
        .apply(
          withName(
            "Group",
            beam.groupBy((key: number) => key),
          ),
        )
        .map(
          withName(
            "See",
            (group: unknown) =>
              void (globalThis as unknown as { seenGroups: unknown[] }).seenGroups.push(group),
          ),
        ),
    );
    expect(seen).to.have.deep.members([
      { key: 1_700_000_000_000, value: [1_700_000_000_000, 1_700_000_000_000] },
      { key: 5, value: [5] },
    ]);
  });
});
