/** What a bundle gets from its runner: elements, restrictions and timers, decoded in batches as they are asked for. */
import { ByteReader } from "../../transforms/primitives/coders/byte-reader.js";
import { keyIdOf } from "../../transforms/primitives/coders/encode.js";
import type { BundleInput, KeyedItem, KeyedWork } from "../engine/bundle.js";
import type { Element } from "../engine/element.js";
import type { StageSource, StatefulStage } from "./descriptor/stage-plan.js";
import type { StageTimer } from "./descriptor/stateful-stage.js";
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
   * What one message holds, in batches, one to be run before the next is asked for: its timers in the order of their
   * times, then its elements. Beam's Java runners gather a bundle by port, elements before timers, whichever came
   * first. Flink's keeps the watermark where it is while a bundle runs, so event-time timers are what has begun it.
   * @throws DecodeError when it is not what the stage's coder encodes; Error when it is too large.
   */
  *batches(message: readonly InboundChunk[]): Generator<BundleInput, void> {
    for (const chunk of message) this.#expect(chunk);
    for (const { transformId, data } of message)
      mustFit(`what comes to ${this.#readerOf(transformId)}`, data.length, this.#elementBytesMax);
    yield* this.#timers(message);
    for (const { transformId, timerFamilyId, data } of message) {
      if (timerFamilyId === undefined) yield* this.#elements(this.#channels.get(transformId)!, data);
    }
    for (const { transformId, timerFamilyId, isLast } of message) {
      if (isLast) this.#open.delete(portName(transformId, timerFamilyId));
    }
  }

  #expect({ transformId, timerFamilyId }: InboundChunk): void {
    if (this.#open.has(portName(transformId, timerFamilyId))) return;
    const timers = timerFamilyId === undefined ? "elements" : `timers of "${timerFamilyId}"`;
    throw new Error(`the runner sent ${timers} for transform "${transformId}", which awaits none`);
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

  /** Of a step, event time before processing time: how they compare nobody knows. */
  *#timers(message: readonly InboundChunk[]): Generator<BundleInput, void> {
    for (const [transformId, { stage, keyId }] of this.#keyed) {
      const fired = message.flatMap((chunk) =>
        chunk.transformId === transformId ? firings(stage, chunk) : [],
      );
      if (fired.length === 0) continue;
      fired.sort((a, b) => (a.domain === b.domain ? a.fireAtMs - b.fireAtMs : a.domain === EVENT ? -1 : 1));
      yield { kind: "keyed", root: transformId, keys: byKey(fired, keyId) };
    }
  }
}

const EVENT = "event-time";

interface Firing {
  readonly domain: StageTimer["domain"];
  readonly fireAtMs: number;
  readonly key: unknown;
  readonly item: KeyedItem;
}

/** In the order they came. */
function firings(stage: StatefulStage, { timerFamilyId: family, data }: InboundChunk): Firing[] {
  if (family === undefined) return [];
  const { coder, domain } = stage.timers.get(family)!;
  const input = new ByteReader(data);
  const fired: Firing[] = [];
  while (input.pos < input.len) {
    const read = coder.read(input);
    if (read.clearBit) continue; // a firing is never one; a runner that echoes a clearing has nothing to fire
    const { userKey: key, fireTimestampMs: fireAtMs, holdTimestampMs: outputTimestampMs } = read;
    const timer = { family, tag: read.dynamicTimerTag, domain, fireAtMs, outputTimestampMs };
    for (const window of read.windows) {
      const isExpiration = family === stage.expirationFamily;
      const item: KeyedItem = isExpiration
        ? { kind: "expiration", window }
        : { kind: "timer", window, timer };
      fired.push({ domain, fireAtMs, key, item });
    }
  }
  return fired;
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
