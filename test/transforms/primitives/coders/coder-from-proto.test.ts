/** From protos to coders: every URN, caching, and errors that name what is wrong. */
import { expect } from "chai";
import "../../../../transforms/primitives/beam.js";
import {
  CODER_FACTORIES,
  coderFromProto,
} from "../../../../transforms/primitives/coders/coder-from-proto.js";
import { decodeFromBytes, encodeToBytes } from "../../../../transforms/primitives/coders/encode.js";
import { GeneralObjectCoder } from "../../../../transforms/primitives/coders/general-object-coder.js";
import { type Coder, globalRegistry, runnerApi } from "../../../../transforms/primitives/coders/sdk.js";
import { messageOf } from "./encodings.js";

function components(coders: Record<string, [urn: string, ...parts: string[]]>): runnerApi.Components {
  const protos = Object.entries(coders).map(([id, [urn, ...componentCoderIds]]) => [
    id,
    { spec: { urn, payload: new Uint8Array() }, componentCoderIds },
  ]);
  return runnerApi.Components.create({ coders: Object.fromEntries(protos) });
}

describe("coderFromProto", () => {
  it("knows all of Beam's standard coders and the SDK's own two", () => {
    const names = [...CODER_FACTORIES.keys()].map((urn) => urn.replace(/^beam:coder:|:v1$/g, ""));
    expect(names.sort().join(" ")).to.equal(
      "bool bsonjs bytes custom_window double genericobjectjs global_window interval_window iterable kv " +
        "length_prefix nullable param_windowed_value row sharded_key state_backed_iterable string_utf8 timer " +
        "varint windowed_value",
    );
  });

  it("makes a coder with its components, once for the same components", () => {
    const protos = components({
      kv: ["beam:coder:kv:v1", "any", "list"],
      any: ["beam:coder:genericobjectjs:v1"],
      list: ["beam:coder:iterable:v1", "any"],
    });
    const coder = coderFromProto(protos, "kv");
    const element = { key: "a", value: [1, { b: 2n }] };
    expect(decodeFromBytes(coder, encodeToBytes(coder, element))).to.deep.equal(element);
    expect(coderFromProto(protos, "kv")).to.equal(coder);
    protos.coders["kv"] = { ...protos.coders["kv"]! };
    expect(coderFromProto(protos, "kv")).not.to.equal(coder);
  });

  it("takes the coders that somebody registered with the SDK", () => {
    class ReversedCoder extends GeneralObjectCoder<string> {}
    const seen: unknown[][] = [];
    globalRegistry().registerConstructor("test:coder:reversed:v1", (...parts: unknown[]) => {
      seen.push(parts);
      return new ReversedCoder() as Coder<unknown>;
    });
    const protos = components({
      own: ["test:coder:reversed:v1", "text"],
      text: ["beam:coder:string_utf8:v1"],
    });
    expect(coderFromProto(protos, "own")).to.be.instanceOf(ReversedCoder);
    expect(seen).to.deep.equal([[coderFromProto(protos, "text")]]);
  });

  it("refuses what it does not know, by name", () => {
    const protos = components({
      odd: ["acme:coder:odd:v7"],
      list: ["beam:coder:iterable:v1"],
      broken: ["beam:coder:iterable:v1", "gone"],
      loop: ["beam:coder:iterable:v1", "loop"],
    });
    const refusal = (id: string) => messageOf(() => coderFromProto(protos, id));
    expect(refusal("odd")).to.equal('coder "odd" has the URN "acme:coder:odd:v7", which is not known');
    expect(refusal("none")).to.equal('there is no coder "none"');
    expect(refusal("list")).to.equal('coder "list" (beam:coder:iterable:v1) must have 1 components, got 0');
    expect(refusal("broken")).to.equal('there is no coder "gone", which coder "broken" has as component');
    expect(refusal("loop")).to.equal(
      'coder "loop" is its own component, which coder "loop" has as component',
    );
  });
});
