/** Every block of Beam's `standard_coders.yaml`, byte for byte. */
import { expect } from "chai";
import "../../transforms/primitives/beam.js";
import { ByteReader, type StateResolver } from "../../transforms/primitives/coders/byte-reader.js";
import { ByteWriter } from "../../transforms/primitives/coders/byte-writer.js";
import { coderFromProto } from "../../transforms/primitives/coders/coder-from-proto.js";
import { decodeElements } from "../../transforms/primitives/coders/encode.js";
import { runnerApi } from "../../transforms/primitives/coders/sdk.js";
import { type Block, bytesOf, type CoderSpec, nameOf, readBlocks } from "./standard-coders-file.js";
import { valueFor } from "./standard-values.js";

/** Blocks that cannot run, by number, with the reason. */
const CANNOT_RUN: ReadonlyMap<number, string> = new Map();
const BLOCKS = 42;
/** Stands behind a nested encoding, which must not touch it. */
const NEXT_BYTE = 0xa5;

const blocks = await readBlocks();

describe("standard_coders.yaml", () => {
  it(`has ${BLOCKS} blocks, of which ${CANNOT_RUN.size} cannot run`, () => {
    expect(blocks.length).to.equal(BLOCKS);
    expect([...CANNOT_RUN]).to.deep.equal([]);
  });

  for (const block of blocks) {
    const contexts = block.nested === undefined ? [false, true] : [block.nested];
    for (const nested of contexts) {
      it(`block ${block.number}, ${nameOf(block.coder)}, ${nested ? "nested" : "whole stream"}`, () => {
        const examples = Object.entries(block.examples);
        expect(examples).not.to.have.length(0);
        for (const [encoding, json] of examples) checkExample(block, nested, bytesOf(encoding), json);
      });
    }
  }
});

function checkExample(block: Block, nested: boolean, encoding: Uint8Array, json: unknown): void {
  const coder = coderFromProto(componentsOf(block.coder), "0");
  const value = valueFor(block.coder, json);

  const input = new ByteReader(
    nested ? Uint8Array.of(...encoding, NEXT_BYTE) : encoding,
    resolverOf(block.coder),
  );
  const decoded = coder.read(input, nested);
  expect(asList(decoded, value)).to.deep.equal(value);
  expect(input.pos).to.equal(encoding.length);

  const out = new ByteWriter();
  coder.write(value, out, nested);
  if (block.coder.non_deterministic !== true) expect(out.finish()).to.deep.equal(encoding);
  // Another encoding of the same value: it must at least be read as that value.
  else expect(coder.read(new ByteReader(out.finish()), nested)).to.deep.equal(value);
}

/** Only an iterable with its rest in a runner's state is no array. */
function asList(decoded: unknown, expected: unknown): unknown {
  return Array.isArray(expected) ? [...(decoded as Iterable<unknown>)] : decoded;
}

function resolverOf({ state = {} }: CoderSpec): StateResolver {
  return (token, elementCoder) =>
    decodeElements(elementCoder, bytesOf(state[Buffer.from(token).toString("latin1")]!));
}

/** The coder as id "0", its components numbered in the order in which they are met. */
function componentsOf(spec: CoderSpec): runnerApi.Components {
  const components = runnerApi.Components.create();
  const add = ({ urn, payload = "", components: parts = [] }: CoderSpec): string => {
    const id = String(Object.keys(components.coders).length);
    const coder = { spec: { urn, payload: bytesOf(payload) }, componentCoderIds: [] as string[] };
    components.coders[id] = coder;
    coder.componentCoderIds = parts.map(add);
    return id;
  };
  add(spec);
  return components;
}
