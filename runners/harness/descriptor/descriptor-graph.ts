/** What a ProcessBundleDescriptor holds, found by id; and the naming of a transform that it is not understood in. */
import type { ProcessBundleDescriptor } from "apache-beam/proto/beam_fn_api";
import { runnerApi } from "../../../transforms/primitives/beam.js";
import type { BeamCoder } from "../../../transforms/primitives/coders/beam-coder.js";
import { coderFromProto } from "../../../transforms/primitives/coders/coder-from-proto.js";
import { LengthPrefixCoder } from "../../../transforms/primitives/coders/composite-coders.js";
import { CustomWindowCoder } from "../../../transforms/primitives/coders/window-coders.js";
import { KV_CODER_URN } from "../../../transforms/primitives/graph-coders.js";
import type { Window } from "../../../transforms/primitives/window.js";

export class DescriptorGraph {
  readonly components: runnerApi.Components;
  /** By the id of the windowing strategy's coder: runners put a length before what they do not know, but not there. */
  readonly #windowCodersOnWire = new Map<string, string>();

  constructor({ coders, pcollections, windowingStrategies }: ProcessBundleDescriptor) {
    this.components = runnerApi.Components.create({ coders, pcollections, windowingStrategies });
  }

  /** @throws where there is none of that id, or its URN is not known. */
  coder(id: string): BeamCoder<unknown> {
    return coderFromProto(this.components, id);
  }

  collection(id: string): runnerApi.PCollection {
    const collection = this.components.pcollections[id];
    if (collection === undefined) throw new Error(`the descriptor holds no PCollection "${id}"`);
    return collection;
  }

  coderOf(collection: string): BeamCoder<unknown> {
    return this.coder(this.collection(collection).coderId);
  }

  /** Coders of `{ key, value }`. @throws where the PCollection's coder is no KV coder. */
  kvCodersOf(collection: string): {
    readonly keyCoder: BeamCoder<unknown>;
    readonly valueCoder: BeamCoder<unknown>;
  } {
    const { coderId } = this.collection(collection);
    const proto = this.components.coders[coderId];
    if (proto?.spec?.urn !== KV_CODER_URN || proto.componentCoderIds.length !== 2) {
      throw new Error(
        `PCollection "${collection}" is read by key, so its coder must be ${KV_CODER_URN}, ` +
          `got ${proto?.spec?.urn ?? "none"}`,
      );
    }
    const [key, value] = proto.componentCoderIds;
    return { keyCoder: this.coder(key!), valueCoder: this.coder(value!) };
  }

  strategyOf(collection: string): runnerApi.WindowingStrategy {
    const id = this.collection(collection).windowingStrategyId;
    const strategy = this.components.windowingStrategies[id];
    if (strategy === undefined) {
      throw new Error(
        `PCollection "${collection}" has the windowing strategy "${id}", which the descriptor lacks`,
      );
    }
    return strategy;
  }

  /** As the runner reads windows outside of elements, e.g. in the key of a state. */
  windowCoderOf(collection: string): BeamCoder<Window> {
    const id = this.strategyOf(collection).windowCoderId;
    const onWire = this.#windowCodersOnWire.get(id);
    if (onWire !== undefined) return this.coder(onWire) as BeamCoder<Window>;
    const own = this.coder(id) as BeamCoder<Window>;
    return own instanceof CustomWindowCoder ? withLengthPrefix(own) : own;
  }

  /** Tells the graph how a port encodes the windows of its PCollection. */
  addPort(collection: string, windowedValueCoderId: string): void {
    const [, onWire] = this.components.coders[windowedValueCoderId]!.componentCoderIds;
    this.#windowCodersOnWire.set(this.strategyOf(collection).windowCoderId, onWire!);
  }
}

/** The form of windows of our own where no port shows it: no runner knows what is in them. */
function withLengthPrefix(coder: CustomWindowCoder): BeamCoder<Window> {
  const { windowCoder } = coder;
  if (windowCoder instanceof LengthPrefixCoder) return coder;
  return new CustomWindowCoder(new LengthPrefixCoder(windowCoder));
}

/** Says in which transform something is not understood. */
export function inTransform<T>(id: string, transform: runnerApi.PTransform, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`transform "${id}" (${transform.spec?.urn || "no URN"}): ${why}`, { cause });
  }
}

/** The one input or output that a transform must have. */
export function onlyOf(collections: Readonly<Record<string, string>>, what: "input" | "output"): string {
  const ids = Object.values(collections);
  if (ids.length !== 1) throw new Error(`it must have exactly one ${what}, got ${ids.length}`);
  return ids[0]!;
}
