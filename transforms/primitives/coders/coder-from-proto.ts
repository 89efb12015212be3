/** From a coder's proto to the coder: the table of all URNs known here. */
import { asBeamCoder, type BeamCoder } from "./beam-coder.js";
import { BsonObjectCoder } from "./bson.js";
import { KVCoder, LengthPrefixCoder, NullableCoder, ShardedKeyCoder } from "./composite-coders.js";
import { bsonObjectCoder, GeneralObjectCoder } from "./general-object-coder.js";
import { IterableCoder, StateBackedIterableCoder } from "./iterable-coders.js";
import { RowCoder } from "./row-coder.js";
import { BoolCoder, BytesCoder, DoubleCoder, StringUtf8Coder, VarIntCoder } from "./scalar-coders.js";
import { type Coder, globalRegistry, type runnerApi } from "./sdk.js";
import { CustomWindowCoder, GlobalWindowCoder, IntervalWindowCoder } from "./window-coders.js";
import { ParamWindowedValueCoder, TimerCoder, WindowedValueCoder } from "./windowed-value-coders.js";

/** How a coder is made from its proto. */
export interface CoderFactory {
  readonly components: number;
  // biome-ignore lint/suspicious/noExplicitAny: a component is a coder of whatever the other coder needs
  make(components: readonly Coder<any>[], payload: Uint8Array): BeamCoder<any>;
}

/** A coder without components and payload. */
function atomic(make: CoderFactory["make"]): CoderFactory {
  return { components: 0, make };
}

/** By URN. Component numbers are checked before `make` is called. */
export const CODER_FACTORIES: ReadonlyMap<string, CoderFactory> = new Map<string, CoderFactory>([
  [BytesCoder.URN, atomic(() => new BytesCoder())],
  [StringUtf8Coder.URN, atomic(() => new StringUtf8Coder())],
  [BoolCoder.URN, atomic(() => new BoolCoder())],
  [VarIntCoder.URN, atomic(() => new VarIntCoder())],
  [DoubleCoder.URN, atomic(() => new DoubleCoder())],
  [GeneralObjectCoder.URN, atomic(() => new GeneralObjectCoder())],
  [BsonObjectCoder.URN, atomic(() => bsonObjectCoder)],
  [RowCoder.URN, { components: 0, make: (_, payload) => new RowCoder(payload) }],
  [KVCoder.URN, { components: 2, make: ([key, value]) => new KVCoder(key!, value!) }],
  [IterableCoder.URN, { components: 1, make: ([element]) => new IterableCoder(element!) }],
  [
    StateBackedIterableCoder.URN,
    { components: 1, make: ([element]) => new StateBackedIterableCoder(element!) },
  ],
  [LengthPrefixCoder.URN, { components: 1, make: ([element]) => new LengthPrefixCoder(element!) }],
  [NullableCoder.URN, { components: 1, make: ([element]) => new NullableCoder(element!) }],
  [ShardedKeyCoder.URN, { components: 1, make: ([key]) => new ShardedKeyCoder(key!) }],
  [GlobalWindowCoder.URN, atomic(() => new GlobalWindowCoder())],
  [IntervalWindowCoder.URN, atomic(() => new IntervalWindowCoder())],
  [CustomWindowCoder.URN, { components: 1, make: ([window]) => new CustomWindowCoder(window!) }],
  [
    WindowedValueCoder.URN,
    { components: 2, make: ([element, window]) => new WindowedValueCoder(element!, window!) },
  ],
  [
    ParamWindowedValueCoder.URN,
    {
      components: 2,
      make: ([element, window], payload) => new ParamWindowedValueCoder(payload, element!, window!),
    },
  ],
  [TimerCoder.URN, { components: 2, make: ([key, window]) => new TimerCoder(key!, window!) }],
]);

interface CachedCoder {
  readonly proto: runnerApi.Coder;
  readonly coder: BeamCoder<unknown>;
}

const cache = new WeakMap<object, Map<string, CachedCoder>>();

/**
 * The coder with this id, made once for these components. Coders with a URN of others come from the SDK's
 * registry.
 * @throws Error naming the id, and the URN if nobody knows it
 */
export function coderFromProto(components: runnerApi.Components, coderId: string): BeamCoder<unknown> {
  return resolve(components, coderId, []);
}

function resolve(
  components: runnerApi.Components,
  coderId: string,
  outer: readonly string[],
): BeamCoder<unknown> {
  let known = cache.get(components);
  if (known === undefined) {
    known = new Map();
    cache.set(components, known);
  }
  const proto = components.coders[coderId];
  if (proto === undefined) throw new Error(`there is no coder "${coderId}"${usedBy(outer)}`);
  const cached = known.get(coderId);
  if (cached?.proto === proto) return cached.coder;
  if (outer.includes(coderId)) throw new Error(`coder "${coderId}" is its own component${usedBy(outer)}`);
  const parts = proto.componentCoderIds.map((id) => resolve(components, id, [...outer, coderId]));
  const coder = makeCoder(proto, coderId, parts);
  known.set(coderId, { proto, coder });
  return coder;
}

function usedBy(outer: readonly string[]): string {
  return outer.length === 0 ? "" : `, which coder "${outer.at(-1)}" has as component`;
}

function makeCoder(
  { spec }: runnerApi.Coder,
  id: string,
  parts: readonly BeamCoder<unknown>[],
): BeamCoder<unknown> {
  const urn = spec?.urn ?? "";
  const factory = CODER_FACTORIES.get(urn);
  if (factory === undefined) return foreignCoder(urn, id, spec?.payload, parts);
  if (parts.length !== factory.components) {
    throw new Error(`coder "${id}" (${urn}) must have ${factory.components} components, got ${parts.length}`);
  }
  return factory.make(parts, spec?.payload ?? new Uint8Array());
}

function foreignCoder(
  urn: string,
  id: string,
  payload: Uint8Array | undefined,
  parts: readonly BeamCoder<unknown>[],
): BeamCoder<unknown> {
  if (!Object.hasOwn(globalRegistry().internal_registry, urn)) {
    throw new Error(`coder "${id}" has the URN "${urn}", which is not known`);
  }
  return asBeamCoder(globalRegistry().getCoder(urn, payload, ...parts));
}
