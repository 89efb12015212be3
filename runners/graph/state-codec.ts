/** How the state of a plan's steps becomes bytes: by the coders that its graph names. */
import type { runnerApi } from "../../transforms/primitives/beam.js";
import { coderFromProto } from "../../transforms/primitives/coders/coder-from-proto.js";
import { decodeFromBytes, encodeToView } from "../../transforms/primitives/coders/encode.js";
import { BoolCoder } from "../../transforms/primitives/coders/scalar-coders.js";
import type { Coder } from "../../transforms/primitives/coders/sdk.js";
import type { SplittableDoFn } from "../../transforms/primitives/do-fn.js";
import { createDoFn } from "../../transforms/primitives/fn-registry.js";
import { KV_CODER_URN } from "../../transforms/primitives/graph-coders.js";
import type { Window } from "../../transforms/primitives/window.js";
import type { CellCodec, StateCodec, ValueCodec } from "../engine/durable/state-codec.js";
import type { ParDoStep, Plan } from "./translate.js";

/** Values by the coders of their PCollections and states, windows by those of their strategies. */
export function stateCodecOf(plan: Plan): StateCodec {
  const { components, collections, stages } = plan;
  const steps = new Map<string, ParDoStep>();
  for (const step of stages.flatMap((stage) => stage.steps)) {
    if (step.kind === "parDo") steps.set(step.path, step);
  }
  const collectionOf = (id: string) => mustHave(collections.get(id), `the plan has no PCollection "${id}"`);
  const stepOf = (path: string) => mustHave(steps.get(path), `the plan has no step "${path}"`);
  const codec = <T>(coderId: string, what: string) =>
    new CoderCodec<T>(coderFromProto(components, coderId) as Coder<T>, what);
  const keyValue = (id: string, part: 0 | 1, what: string) => {
    const coderId = kvParts(components, collectionOf(id).coderId, `PCollection "${id}"`)[part];
    return codec(coderId, `${what} of an element of PCollection "${id}"`);
  };
  const restriction = (path: string, part: 0 | 1, what: string) => {
    const { restrictionCoderId } = stepOf(path).payload;
    const coderId = kvParts(components, restrictionCoderId, `the restriction of step "${path}"`)[part];
    return codec(coderId, `${what} of step "${path}"`);
  };
  return {
    element: (id) => codec(collectionOf(id).coderId, `an element of PCollection "${id}"`),
    window: (id) => codec<Window>(windowCoderIdOf(plan, id), `a window of PCollection "${id}"`),
    key: (id) => keyValue(id, 0, "the key"),
    groupedValue: (id) => keyValue(id, 1, "the value"),
    cell: (path, stateId) => cellCodec(stepOf(path), stateId, codec),
    restriction: (path) => restriction(path, 0, "a restriction"),
    watermarkState: (path) => restriction(path, 1, "the state of a watermark estimator"),
    restoresPosition: (path) => restoresPosition(stepOf(path)),
  };
}

/** Whether the step begins where the last commit ended, by positions of its own. */
export function restoresPosition({ doFn, isSplittable }: ParDoStep): boolean {
  if (!isSplittable || doFn.kind !== "registered") return false;
  return (createDoFn(doFn.fn, doFn.config) as SplittableDoFn).restoresPosition ?? false;
}

/** A coder that says what it was that could not be encoded. */
export class CoderCodec<T> implements ValueCodec<T> {
  constructor(
    private readonly coder: Coder<T>,
    private readonly what: string,
  ) {}

  encode(value: T): Uint8Array {
    return this.#named("encoded", () => encodeToView(this.coder, value));
  }

  decode(bytes: Uint8Array): T {
    return this.#named("decoded", () => decodeFromBytes(this.coder, bytes));
  }

  #named<Result>(verb: string, work: () => Result): Result {
    try {
      return work();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${this.what} cannot be ${verb} as state: ${why}`, { cause });
    }
  }
}

function cellCodec(
  { path, payload }: ParDoStep,
  stateId: string,
  codec: (coderId: string, what: string) => ValueCodec,
): CellCodec {
  const what = `state "${stateId}" of step "${path}"`;
  const spec = mustHave(payload.stateSpecs[stateId], `step "${path}" has no state "${stateId}"`).spec;
  switch (spec.oneofKind) {
    case "readModifyWriteSpec":
      return { value: codec(spec.readModifyWriteSpec.coderId, what) };
    case "bagSpec":
      return { value: codec(spec.bagSpec.elementCoderId, what) };
    case "combiningSpec":
      return { value: codec(spec.combiningSpec.accumulatorCoderId, what) };
    case "setSpec":
      return {
        value: new CoderCodec<unknown>(new BoolCoder() as Coder<unknown>, what),
        mapKey: codec(spec.setSpec.elementCoderId, what),
      };
    case "mapSpec":
      return { value: codec(spec.mapSpec.valueCoderId, what), mapKey: codec(spec.mapSpec.keyCoderId, what) };
    default:
      throw new Error(`${what} is of a kind that is not known: ${spec.oneofKind ?? "none"}`);
  }
}

function kvParts(
  { coders }: runnerApi.Components,
  coderId: string,
  what: string,
): readonly [key: string, value: string] {
  const coder = coders[coderId];
  const [key, value] = coder?.componentCoderIds ?? [];
  if (coder?.spec?.urn !== KV_CODER_URN || key === undefined || value === undefined) {
    throw new Error(`${what} must have the coder ${KV_CODER_URN}, got ${coder?.spec?.urn ?? "none"}`);
  }
  return [key, value];
}

function windowCoderIdOf({ collections, components }: Plan, id: string): string {
  const strategyId = mustHave(collections.get(id), `the plan has no PCollection "${id}"`).windowingStrategyId;
  const strategy = components.windowingStrategies[strategyId];
  return mustHave(strategy, `PCollection "${id}" has no windowing strategy "${strategyId}"`).windowCoderId;
}

function mustHave<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new Error(otherwise);
  return value;
}
