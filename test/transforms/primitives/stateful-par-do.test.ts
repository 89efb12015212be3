/** State, timers and side inputs as they stand in a graph. */
import { expect } from "chai";
import { P, type PCollection, runnerApi, withName } from "../../../transforms/primitives/beam.js";
import { StringUtf8Coder } from "../../../transforms/primitives/coders/scalar-coders.js";
import type { DoFn, ElementContext } from "../../../transforms/primitives/do-fn.js";
import { createDoFn, registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { kvCoderId } from "../../../transforms/primitives/graph-coders.js";
import {
  createOutput,
  parDoSpec,
  type RegisteredDoFn,
  registeredParDo,
  type StepOf,
} from "../../../transforms/primitives/par-do.js";
import {
  iterableSideInput,
  mapSideInput,
  multimapSideInput,
  singletonSideInput,
} from "../../../transforms/primitives/side-input-spec.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import {
  bagState,
  combiningState,
  mapState,
  setState,
  valueState,
} from "../../../transforms/primitives/state-spec.js";
import { eventTimeTimer, processingTimeTimer } from "../../../transforms/primitives/timer-spec.js";
import { fixedWindows } from "../../../transforms/primitives/window-fns.js";
import { windowInto } from "../../../transforms/primitives/window-into.js";
import {
  coderText,
  collectionOf,
  emitted,
  type GraphUnderTest,
  payloadOf,
  startGraph,
  transformNamed,
} from "./graph-under-test.js";

type Pc = PCollection<unknown>;

class Everything implements DoFn {
  readonly last = valueState(new StringUtf8Coder());
  readonly all = bagState();
  readonly distinct = setState();
  readonly byName = mapState(new StringUtf8Coder(), undefined);
  readonly sum = combiningState({
    createAccumulator: () => 0,
    addInput: (sum: number, by: number) => sum + by,
    mergeAccumulators: () => 0,
    extractOutput: (sum: number) => sum,
  });
  readonly atTime = eventTimeTimer();
  readonly soon = processingTimeTimer();
  readonly requiresTimeSortedInput = true;
  process(): void {}
  onWindowExpiration(_context: ElementContext): void {}
}

class Reader implements DoFn {
  readonly rates = iterableSideInput<number>();
  readonly limit = singletonSideInput<number>(3);
  readonly names = mapSideInput<string, string>();
  readonly groups = multimapSideInput<string, string>();
  process(): void {}
}

class OneSide implements DoFn {
  readonly rates = iterableSideInput<number>();
  process(): void {}
}

const EVERYTHING = registerDoFn("test/everything@1", () => new Everything());
const READER = registerDoFn("test/reader@1", () => new Reader());
const ONE_SIDE = registerDoFn("test/one-side@1", () => new OneSide());
const COUNTS = registerDoFn("test/counts@1", () => ({ seen: valueState<number>(), process() {} }));

const apply = (input: Pc, name: string, step: StepOf<Pc, Pc>) => P(input).apply(withName(name, step));

/** A step whose output has a KV coder. */
function keyed(input: Pc, name = "Keyed"): Pc {
  return P(input).apply(
    withName(name, (_input: Pc, pipeline: GraphUnderTest["pipeline"], proto: runnerApi.PTransform) => {
      proto.spec = parDoSpec({ fn: "fn@1", config: null }, {});
      return createOutput(pipeline, true, kvCoderId(pipeline));
    }),
  );
}

describe("registeredParDo with state and timers", () => {
  it("registeredParDo() writes each state's kind, coders and protocol", () => {
    const { pipeline, input } = startGraph();
    apply(keyed(input), "Step", registeredParDo(EVERYTHING, null));
    const { stateSpecs } = payloadOf(pipeline, "Step");
    const text = (id: string) => coderText(pipeline, id);
    const found = Object.entries(stateSpecs).map(([name, { spec, protocol }]) => {
      const coders = () => {
        switch (spec.oneofKind) {
          case "readModifyWriteSpec":
            return text(spec.readModifyWriteSpec.coderId);
          case "bagSpec":
            return text(spec.bagSpec.elementCoderId);
          case "setSpec":
            return text(spec.setSpec.elementCoderId);
          case "mapSpec":
            return `${text(spec.mapSpec.keyCoderId)} to ${text(spec.mapSpec.valueCoderId)}`;
          case "combiningSpec": {
            const { urn, payload } = spec.combiningSpec.combineFn!;
            return `${text(spec.combiningSpec.accumulatorCoderId)} ${urn} ${new TextDecoder().decode(payload)}`;
          }
          default:
            return "?";
        }
      };
      return `${name}: ${spec.oneofKind} ${coders()} by ${protocol!.urn}`;
    });
    expect(found).to.have.members([
      "last: readModifyWriteSpec string_utf8 by beam:user_state:bag:v1",
      "all: bagSpec genericobjectjs by beam:user_state:bag:v1",
      "distinct: setSpec genericobjectjs by beam:user_state:multimap:v1",
      "byName: mapSpec string_utf8 to genericobjectjs by beam:user_state:multimap:v1",
      "sum: combiningSpec genericobjectjs millrace:combine_fn:declared_by_do_fn:v1 sum by beam:user_state:bag:v1",
    ]);
  });

  it("registeredParDo() writes timer families with key and window coder, and one for the expiration", () => {
    const { pipeline, input } = startGraph();
    apply(keyed(input), "Step", registeredParDo(EVERYTHING, null));
    const payload = payloadOf(pipeline, "Step");
    const { EVENT_TIME, PROCESSING_TIME } = runnerApi.TimeDomain_Enum;
    const domains = Object.entries(payload.timerFamilySpecs).map(([name, spec]) => [name, spec.timeDomain]);
    expect(domains).to.have.deep.members([
      ["atTime", EVENT_TIME],
      ["soon", PROCESSING_TIME],
      ["onWindowExpiration", EVENT_TIME],
    ]);
    const coders = Object.values(payload.timerFamilySpecs).map((s) =>
      coderText(pipeline, s.timerFamilyCoderId),
    );
    expect([...new Set(coders)]).to.deep.equal(["timer<genericobjectjs, global_window>"]);
    expect(payload.onWindowExpirationTimerFamilySpec).to.equal("onWindowExpiration");
    expect(payload.requiresTimeSortedInput).to.equal(true);
  });

  it("registeredParDo() takes the window coder of its input's windows into the timer's coder", () => {
    const { pipeline, input } = startGraph();
    const windowed = P(keyed(input)).apply(withName("Window", windowInto<unknown>(fixedWindows(10))));
    apply(windowed, "Step", registeredParDo(EVERYTHING, null));
    const { timerFamilyCoderId } = payloadOf(pipeline, "Step").timerFamilySpecs["atTime"]!;
    expect(coderText(pipeline, timerFamilyCoderId)).to.equal("timer<genericobjectjs, interval_window>");
  });

  it("registeredParDo() requires state, time-sorted input and expiration of the runner, once each", () => {
    const { pipeline, input } = startGraph();
    for (const name of ["A", "B"])
      apply(keyed(input, `Keyed${name}`), name, registeredParDo(EVERYTHING, null));
    expect([...pipeline.getProto().requirements].sort()).to.deep.equal([
      "beam:requirement:pardo:on_window_expiration:v1",
      "beam:requirement:pardo:stateful:v1",
      "beam:requirement:pardo:time_sorted_input:v1",
    ]);
  });

  it("registeredParDo() gives a stateful DoFn's input a KV coder where it has none", () => {
    const { pipeline, input } = startGraph();
    apply(input, "Step", registeredParDo(COUNTS, null));
    const outer = transformNamed(pipeline, "Step");
    const inner = transformNamed(pipeline, "Step/ParDo");
    expect(outer.spec).to.equal(undefined);
    const { coderId } = pipeline.getProto().components!.pcollections[inner.inputs["main"]!]!;
    expect(coderText(pipeline, coderId)).to.equal("kv<genericobjectjs, genericobjectjs>");
    expect(transformNamed(pipeline, "Step/WithKeyCoder").outputs).to.deep.equal(inner.inputs);
    expect(Object.keys(payloadOf(pipeline, "Step/ParDo").stateSpecs)).to.deep.equal(["seen"]);
  });

  it("registeredParDo() refuses at run time an element that is not { key, value }", () => {
    const { pipeline, input } = startGraph();
    apply(input, "Step", registeredParDo(COUNTS, null));
    const { doFn } = payloadOf(pipeline, "Step/WithKeyCoder");
    const { fn, config } = JSON.parse(new TextDecoder().decode(doFn!.payload)) as RegisteredDoFn;
    const withKeyCoder = createDoFn(fn, config);
    expect(emitted(withKeyCoder, { key: 1, value: 2 })).to.deep.equal([{ key: 1, value: 2 }]);
    expect(() => emitted(withKeyCoder, "a")).to.throw("what is read by key must be { key, value }, got 'a'");
  });

  it("registeredParDo() leaves a step alone whose input has a KV coder", () => {
    const { pipeline, input } = startGraph();
    apply(keyed(input), "Step", registeredParDo(COUNTS, null));
    expect(transformNamed(pipeline, "Step").subtransforms).to.deep.equal([]);
  });

  it("registeredParDo() leaves a stateless payload without any of it", () => {
    const { pipeline, input } = startGraph();
    apply(input, "Step", registeredParDo("test/unknown@1", null));
    const payload = payloadOf(pipeline, "Step");
    expect(payload.stateSpecs).to.deep.equal({});
    expect(payload.timerFamilySpecs).to.deep.equal({});
    expect(payload.onWindowExpirationTimerFamilySpec).to.equal("");
  });

  it("splittableParDo() refuses a DoFn with state", () => {
    const { input } = startGraph();
    const step = withName("Read", splittableParDo<unknown, unknown>(COUNTS, null, { bounded: true }));
    expect(() => P(input as Pc).apply(step)).to.throw(
      'the splittable DoFn "test/counts@1" must not declare state or timers',
    );
  });
});

describe("registeredParDo with side inputs", () => {
  it("registeredParDo() reads each side input under its field's name by the pattern of its kind", () => {
    const { pipeline, input } = startGraph();
    const side = keyed(input);
    const sideInputs = { rates: side, limit: side, names: side, groups: side };
    apply(input, "Step", registeredParDo(READER, null, { sideInputs }));
    const found = Object.entries(payloadOf(pipeline, "Step").sideInputs).map(([name, spec]) =>
      [name, spec.accessPattern!.urn, spec.viewFn!.urn, spec.windowMappingFn!.urn].join(" "),
    );
    const mapping = "beam:window_mapping_fn:global:v1";
    expect(found).to.have.members([
      `rates beam:side_input:iterable:v1 millrace:view_fn:iterable:v1 ${mapping}`,
      `limit beam:side_input:iterable:v1 millrace:view_fn:singleton:v1 ${mapping}`,
      `names beam:side_input:multimap:v1 millrace:view_fn:map:v1 ${mapping}`,
      `groups beam:side_input:multimap:v1 millrace:view_fn:multimap:v1 ${mapping}`,
    ]);
    const id = side.getId();
    expect(transformNamed(pipeline, "Step").inputs).to.deep.equal({
      ...{ main: input.getId(), rates: id, limit: id },
      ...{ names: id, groups: id },
    });
  });

  it("registeredParDo() gives collections that are read by key a KV coder where they have none", () => {
    const { pipeline, input } = startGraph();
    const sideInputs = { rates: input, limit: input, names: input, groups: keyed(input) };
    apply(input, "Step", registeredParDo(READER, null, { sideInputs }));
    const keyedNames = transformNamed(pipeline, "Step/WithKeyCoder(names)").outputs["main"]!;
    expect(transformNamed(pipeline, "Step/ParDo").inputs).to.include({
      rates: input.getId(),
      names: keyedNames,
      groups: sideInputs.groups.getId(),
    });
  });

  it("registeredParDo() maps windows by identity where they are the same, else by the main window's end", () => {
    const { pipeline, input } = startGraph();
    const windowed = (name: string, ms: number) =>
      P(input as Pc).apply(withName(name, windowInto<unknown>(fixedWindows(ms))));
    const main = windowed("Main", 10);
    apply(main, "Same", registeredParDo(ONE_SIDE, null, { sideInputs: { rates: windowed("Side", 10) } }));
    const other = windowed("Longer", 60);
    const output = apply(main, "Other", registeredParDo(ONE_SIDE, null, { sideInputs: { rates: other } }));
    const mappings = ["Same", "Other"].map(
      (name) => payloadOf(pipeline, name).sideInputs["rates"]!.windowMappingFn!.urn,
    );
    expect(mappings).to.deep.equal([
      "beam:window_mapping_fn:identity:v1",
      "beam:window_mapping_fn:assign_max_timestamp:v1",
    ]);
    expect(collectionOf(pipeline, output).windowingStrategyId).to.equal(
      collectionOf(pipeline, main).windowingStrategyId,
    );
  });

  it("registeredParDo() is bounded as its main input is, whatever its side inputs", () => {
    const { pipeline, input } = startGraph();
    const side = apply(input, "Side", registeredParDo("fn@1", null, { bounded: false }));
    const output = apply(input, "Step", registeredParDo(ONE_SIDE, null, { sideInputs: { rates: side } }));
    expect(collectionOf(pipeline, output).isBounded).to.equal(runnerApi.IsBounded_Enum.BOUNDED);
  });

  it("registeredParDo() refuses side inputs that are missing or not declared", () => {
    const { input } = startGraph();
    expect(() => apply(input, "Step", registeredParDo(ONE_SIDE, null))).to.throw(
      'step "Step" must be given the side inputs that "test/one-side@1" declares (rates), got none',
    );
    const sideInputs = { rates: input, others: input };
    expect(() => apply(input, "Step2", registeredParDo(ONE_SIDE, null, { sideInputs }))).to.throw(
      "(rates), got rates, others",
    );
  });
});
