/** What of a graph decides whether stored state fits it. */
import { expect } from "chai";
import { graphProto } from "../../../runners/graph/graph-proto.js";
import { shapeDifferences, stateShapeOf } from "../../../runners/graph/state-shape.js";
import { translate } from "../../../runners/graph/translate.js";
import { P, Pipeline, Root, withName } from "../../../transforms/primitives/beam.js";
import { StringUtf8Coder, VarIntCoder } from "../../../transforms/primitives/coders/scalar-coders.js";
import { create } from "../../../transforms/primitives/create.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { kvCoderId } from "../../../transforms/primitives/graph-coders.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { bagState, mapState, valueState } from "../../../transforms/primitives/state-spec.js";
import { eventTimeTimer } from "../../../transforms/primitives/timer-spec.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { fixedWindows } from "../../../transforms/primitives/window-fns.js";
import { type WindowingOptions, windowInto } from "../../../transforms/primitives/window-into.js";

const KEY = registerDoFn("key@state-shape", () => ({ process: () => undefined }));
const KEEP = registerDoFn("keep@state-shape", () => ({
  last: valueState<number | bigint>(new VarIntCoder()),
  seen: bagState<string>(new StringUtf8Coder()),
  end: eventTimeTimer(),
  process: () => undefined,
}));
const KEEP_OTHER = registerDoFn("keep-other@state-shape", () => ({
  last: valueState<string>(new StringUtf8Coder()),
  seen: mapState<string, number | bigint>(new StringUtf8Coder(), new VarIntCoder()),
  end: eventTimeTimer(),
  process: () => undefined,
}));
const KEEP_TOLD = registerDoFn("keep-told@state-shape", () => ({
  last: valueState<number | bigint>(new VarIntCoder()),
  seen: bagState<string>(new StringUtf8Coder()),
  end: eventTimeTimer(),
  process: () => undefined,
  onWindowExpiration: () => undefined,
}));

interface Variant {
  readonly keep?: string;
  readonly windowMs?: number;
  readonly windowing?: WindowingOptions;
  readonly numberKeys?: boolean;
}

function shapeOf({ keep = KEEP, windowMs = 1_000, windowing = {}, numberKeys = false }: Variant = {}) {
  const pipeline = new Pipeline();
  const numbers = new Root(pipeline).apply(withName("Create", create([1, 2])));
  const keyCoder = pipeline.getCoderId(numberKeys ? new VarIntCoder() : new StringUtf8Coder());
  const main = kvCoderId(pipeline, keyCoder, pipeline.getCoderId(new VarIntCoder()));
  const keyed = P(numbers).apply(
    withName("Key", registeredParDo<number, KV<string, number>>(KEY, null, { coders: { main } })),
  );
  const windowed = P(keyed).apply(
    withName("Windows", windowInto<KV<string, number>>(fixedWindows(windowMs), windowing)),
  );
  P(windowed).apply(withName("Group", groupByKey<string, number>()));
  P(windowed).apply(withName("Keep", registeredParDo(keep, null)));
  return stateShapeOf(translate(graphProto(pipeline)));
}

describe("stateShapeOf", () => {
  it("names what each step keeps, and how it is written", () => {
    const { Group, Keep } = shapeOf();
    expect(Group?.["elements"]).to.equal("kv<string_utf8, varint>");
    expect(Group?.["windows"]).to.match(/^fixed_windows#\w{8}, trigger default#?\w*, discarding panes$/);
    expect(Keep).to.deep.include({
      elements: "kv<string_utf8, varint>",
      'state "last"': "value of varint",
      'state "seen"': "bag of string_utf8",
      'timer "end"': "event_time",
      onWindowExpiration: "not declared",
    });
  });

  it("is the same for the same graph, whatever does not touch what is written", () => {
    expect(shapeDifferences(shapeOf(), shapeOf())).to.deep.equal([]);
    expect(shapeDifferences(shapeOf(), shapeOf({ windowing: { allowedLatenessMs: 5_000 } }))).to.deep.equal(
      [],
    );
  });

  it("says of each state that is written in another way what it was and is", () => {
    expect(shapeDifferences(shapeOf(), shapeOf({ keep: KEEP_OTHER }))).to.deep.equal([
      'state "last" of "Keep": was value of varint, is value of string_utf8',
      'state "seen" of "Keep": was bag of string_utf8, is map of string_utf8 to varint',
    ]);
  });

  it("says of a step that it is told of its windows' ends and was not", () => {
    const told = shapeOf({ keep: KEEP_TOLD });
    expect(shapeDifferences(shapeOf(), told)).to.deep.equal([
      'onWindowExpiration of "Keep": was not declared, is declared',
    ]);
    expect(shapeDifferences(told, told)).to.deep.equal([]);
    expect(Object.keys(told["Keep"]!)).to.have.members(Object.keys(shapeOf()["Keep"]!));
  });

  it("says so of windows, panes and keys", () => {
    const differences = (variant: Variant) =>
      shapeDifferences(shapeOf(), shapeOf(variant)).map((text) => text.replaceAll(/#\w{8}/g, ""));
    expect(differences({ windowMs: 2_000 })).to.deep.equal([
      'windows of "Group": was fixed_windows, trigger default, discarding panes, is fixed_windows, trigger default, discarding panes',
      'windows of "Keep": was fixed_windows, is fixed_windows',
    ]);
    expect(differences({ windowing: { accumulation: "accumulating" } })).to.deep.equal([
      'windows of "Group": was fixed_windows, trigger default, discarding panes, is fixed_windows, trigger default, accumulating panes',
    ]);
    expect(differences({ numberKeys: true })).to.include(
      'elements of "Group": was kv<string_utf8, varint>, is kv<varint, varint>',
    );
  });

  it("takes what only one of the two has for no difference", () => {
    const { Keep: _, ...rest } = shapeOf();
    expect(shapeDifferences(rest, shapeOf())).to.deep.equal([]);
    expect(shapeDifferences(shapeOf(), rest)).to.deep.equal([]);
  });
});
