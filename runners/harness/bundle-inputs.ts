/** What a bundle gets from its runner: elements, restrictions and timers, decoded in batches as they are asked for. */
import { ByteReader } from "../../transforms/primitives/coders/byte-reader.js";
import { keyIdOf } from "../../transforms/primitives/coders/encode.js";
import type { BundleInput, KeyedItem, KeyedWork } from "../engine/bundle.js";
import type { Element, Window } from "../engine/element.js";
import type { StageSource, StatefulStage } from "./descriptor/stage-plan.js";
import { mustFit } from "./element-limit.js";
import type { InboundChunk } from "./transport/data-plane.js";

/** Elements that are handed to the steps at once, and so are behind any split. */
const BATCH_ELEMENTS = 32;

/** What the plan of a stage says of its inputs. */
export interface InputPlan {
  readonly sources: ReadonlyMap<string, StageSource>;
  readonly stateful: ReadonlyMap<string, StatefulStage>;
  readonly timerEndpoint: string | undefined;
}

/** A source's channel in one bundle. */
export interface Channel {
  readonly source: StageSource;
  /** Elements that were handed to the steps, or are being so. */
  taken: number;
  /** Elements from here on belong to somebody else. */
  stopAt: number;
}

interface KeyedRoot {
  readonly stage: StatefulStage;
  readonly keyId: (key: unknown) => string;
}

/** Belongs to one processor, bundle after bundle. */
export class BundleInputs {
  /** URL of the service that all of it comes from. */
  readonly endpoint: string;
  readonly #plan: InputPlan;
  readonly #elementBytesMax: number;
  readonly #keyed: ReadonlyMap<string, KeyedRoot>;
  readonly #channels = new Map<string, Channel>();
  /** Of which the last chunk is still to come. */
  readonly #open = new Set<string>();

  /** @throws when data and timers come from several services: no runner does that. */
  constructor(plan: InputPlan, elementBytesMax: number) {
    this.#plan = plan;
    this.#elementBytesMax = elementBytesMax;
    this.endpoint = onlyEndpoint(plan);
    this.#keyed = new Map(
      [...plan.stateful].map(([step, stage]) => [step, { stage, keyId: keyIdOf(stage.keyCoder) }]),
    );
  }

  begin(): void {
    this.#open.clear();
    for (const [id, source] of this.#plan.sources) {
      this.#channels.set(id, { source, taken: 0, stopAt: Number.POSITIVE_INFINITY });
      this.#open.add(portName(id, undefined));
    }
    for (const { transformId, timers } of this.#plan.stateful.values()) {
      for (const family of timers.keys()) this.#open.add(portName(transformId, family));
    }
  }

  /** Whether the last of everything has come. */
  get isComplete(): boolean {
    return this.#open.size === 0;
  }

  get channels(): ReadonlyMap<string, Channel> {
    return this.#channels;
  }

  /**
   * The chunk in batches, one to be run before the next is asked for.
   * @throws DecodeError when it is not what the stage's coder encodes; Error when it is too large.
   */
  *batches(chunk: InboundChunk): Generator<BundleInput, void> {
    const { transformId, timerFamilyId, data, isLast } = chunk;
    const port = portName(transformId, timerFamilyId);
    if (!this.#open.has(port)) {
      const timers = timerFamilyId === undefined ? "elements" : `timers of "${timerFamilyId}"`;
      throw new Error(`the runner sent ${timers} for transform "${transformId}", which awaits none`);
    }
    if (data.length > 0) {
      mustFit(`what comes to ${this.#readerOf(transformId)}`, data.length, this.#elementBytesMax);
      if (timerFamilyId !== undefined) yield this.#timers(transformId, timerFamilyId, data);
      else yield* this.#elements(this.#channels.get(transformId)!, data);
    }
    if (isLast) this.#open.delete(port);
  }

  /** For messages: what the elements or timers are for. */
  #readerOf(transformId: string): string {
    const root = this.#plan.sources.get(transformId)?.root;
    return root?.kind === "elements" ? `PCollection "${root.id}"` : `step "${root?.id ?? transformId}"`;
  }

  *#elements(channel: Channel, data: Uint8Array): Generator<BundleInput, void> {
    const { coder, root } = channel.source;
    const input = new ByteReader(data);
    const batchMax = root.kind === "splittable" ? 1 : BATCH_ELEMENTS;
    while (input.pos < input.len) {
      const elements: Element[] = [];
      while (elements.length < batchMax && input.pos < input.len && channel.taken < channel.stopAt) {
        elements.push(coder.read(input, true));
        channel.taken++;
      }
      if (elements.length === 0) return;
      yield this.#input(channel.source, elements);
    }
  }

  #input({ root }: StageSource, elements: readonly Element[]): BundleInput {
    switch (root.kind) {
      case "elements":
        return { kind: "elements", root: root.id, elements };
      case "splittable":
        return { kind: "restrictions", root: root.id, work: elements.map(restrictionWork) };
      case "keyed": {
        const { keyId } = this.#keyed.get(root.id)!;
        const items = elements.flatMap((element) => {
          const { key } = element.value as { key: unknown };
          return element.windows.map((window) => ({
            key,
            item: { kind: "element", element, window } as const,
          }));
        });
        return { kind: "keyed", root: root.id, keys: byKey(items, keyId) };
      }
    }
  }

  #timers(transformId: string, family: string, data: Uint8Array): BundleInput {
    const { stage, keyId } = this.#keyed.get(transformId)!;
    const { coder, domain } = stage.timers.get(family)!;
    const input = new ByteReader(data);
    const items: { key: unknown; item: KeyedItem }[] = [];
    while (input.pos < input.len) {
      const timer = coder.read(input);
      if (timer.clearBit) continue; // a firing is never one; a runner that echoes a clearing has nothing to fire
      const { userKey: key, dynamicTimerTag: tag, fireTimestampMs: fireAtMs, holdTimestampMs } = timer;
      for (const window of timer.windows) {
        items.push({ key, item: firing(window, stage, { family, tag, domain, fireAtMs, holdTimestampMs }) });
      }
    }
    return { kind: "keyed", root: transformId, keys: byKey(items, keyId) };
  }
}

interface Firing {
  readonly family: string;
  readonly tag: string;
  readonly domain: "event-time" | "processing-time";
  readonly fireAtMs: number;
  readonly holdTimestampMs: number | undefined;
}

function firing(window: Window, stage: StatefulStage, timer: Firing): KeyedItem {
  const { holdTimestampMs: outputTimestampMs, ...rest } = timer;
  if (timer.family === stage.expirationFamily) return { kind: "expiration", window };
  return { kind: "timer", window, timer: { ...rest, outputTimestampMs } };
}

function onlyEndpoint({ sources, stateful, timerEndpoint }: InputPlan): string {
  const urls = new Set([...sources.values()].map(({ endpoint }) => endpoint));
  const hasTimers = [...stateful.values()].some(({ timers }) => timers.size > 0);
  if (hasTimers && timerEndpoint !== undefined) urls.add(timerEndpoint);
  const [url] = urls;
  if (url !== undefined && urls.size === 1) return url;
  const got = [...urls].join(", ") || "none";
  throw new Error(`data and timers of a stage must come from one service, got ${got}`);
}

/** From how runners carry what is left of a restriction. */
function restrictionWork({ value, ...rest }: Element) {
  const { key: whole } = value as { readonly key: { readonly key: unknown; readonly value: unknown } };
  const { key: restriction, value: watermarkState } = whole.value as { key: unknown; value: unknown };
  return {
    element: { value: whole.key, ...rest },
    restriction: { value: restriction, watermarkState },
    isTruncated: false,
  };
}

/** Items key by key, those of a key in the order they came. */
function byKey(
  items: readonly { readonly key: unknown; readonly item: KeyedItem }[],
  keyIdOf: (key: unknown) => string,
): KeyedWork[] {
  const work = new Map<string, { keyId: string; key: unknown; items: KeyedItem[] }>();
  for (const { key, item } of items) {
    const keyId = keyIdOf(key);
    const known = work.get(keyId);
    if (known === undefined) work.set(keyId, { keyId, key, items: [item] });
    else known.items.push(item);
  }
  return [...work.values()];
}

function portName(transformId: string, timerFamilyId: string | undefined): string {
  return timerFamilyId === undefined ? transformId : `${transformId}\0${timerFamilyId}`;
}
