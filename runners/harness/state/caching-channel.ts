/** State and side inputs of one processor, kept from bundle to bundle for as long as the runner gives the same token. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../../transforms/primitives/beam.js";
import { type ProcessBundleRequest, StateKey } from "apache-beam/proto/beam_fn_api";
import type { StateCache } from "./state-cache.js";
import type { StateChannel } from "./state-channel.js";

type CacheTokens = ProcessBundleRequest["cacheTokens"];

/** What a bundle has written under one key. */
interface Change {
  isCleared: boolean;
  readonly appended: Uint8Array[];
}

/** One bundle's view of the cache. */
class View {
  readonly userToken: string | undefined;
  /** By transform and side input. */
  readonly sideInputTokens = new Map<string, string>();
  /** What it has written, by id in the cache: read from the runner from then on, and not kept. */
  readonly changes = new Map<string, Change>();
  isOver = false;

  constructor(tokens: CacheTokens) {
    let userToken: string | undefined;
    for (const { type, token } of tokens) {
      const text = Buffer.from(token).toString("latin1");
      if (type.oneofKind === "userState") userToken = text;
      if (type.oneofKind !== "sideInput") continue;
      this.sideInputTokens.set(sideInputId(type.sideInput), text);
    }
    this.userToken = userToken;
  }

  /** Undefined where the runner has given no token: then nothing outlives the bundle. */
  idOf(key: StateKey): string | undefined {
    const token = this.#tokenFor(key);
    return token && `${token}\0${Buffer.from(StateKey.toBinary(key)).toString("latin1")}`;
  }

  #tokenFor({ type }: StateKey): string | undefined {
    switch (type.oneofKind) {
      case "bagUserState":
        return this.userToken;
      case "iterableSideInput":
        return this.sideInputTokens.get(sideInputId(type.iterableSideInput));
      case "multimapSideInput":
        return this.sideInputTokens.get(sideInputId(type.multimapSideInput));
      case "multimapKeysSideInput":
        return this.sideInputTokens.get(sideInputId(type.multimapKeysSideInput));
      default:
        return undefined;
    }
  }
}

/**
 * A token stands for one version of what the runner keeps, with all that the bundles of this worker have written to it.
 * So writes reach the cache when all of the bundle's are acknowledged, and those of a bundle that fails leave nothing.
 */
export class CachingChannel implements StateChannel {
  readonly #channel: StateChannel;
  readonly #cache: StateCache;
  #view = new View([]);

  constructor(channel: StateChannel, cache: StateCache) {
    this.#channel = channel;
    this.#cache = cache;
  }

  /** Another bundle: what of an earlier one still comes is not kept. */
  begin(tokens: CacheTokens): void {
    this.#view.isOver = true;
    this.#view = new View(tokens);
  }

  async get(instructionId: string, key: StateKey): Promise<Uint8Array> {
    const view = this.#view;
    const id = view.idOf(key);
    if (id === undefined || view.changes.has(id)) return this.#channel.get(instructionId, key);
    const kept = this.#cache.get(id);
    if (kept !== undefined) return kept;
    const bytes = await this.#channel.get(instructionId, key);
    // what was written meanwhile is not in it
    if (!view.isOver && !view.changes.has(id)) this.#cache.set(id, bytes);
    return bytes;
  }

  async append(instructionId: string, key: StateKey, data: Uint8Array): Promise<void> {
    this.#changeOf(key)?.appended.push(data);
    await this.#channel.append(instructionId, key, data);
  }

  async clear(instructionId: string, key: StateKey): Promise<void> {
    const change = this.#changeOf(key);
    if (change !== undefined) {
      change.isCleared = true;
      change.appended.length = 0;
    }
    await this.#channel.clear(instructionId, key);
  }

  /** All that the bundle has written is acknowledged. */
  commit(): void {
    const { isOver, changes } = this.#view;
    if (isOver) return;
    for (const [id, { isCleared, appended }] of changes) {
      if (isCleared) this.#cache.set(id, new Uint8Array());
      for (const bytes of appended) this.#cache.append(id, bytes);
      // for `discard`: it was applied
      changes.set(id, { isCleared: false, appended: [] });
    }
  }

  /** The bundle has failed: what it has written may be there or not. */
  discard(): void {
    const view = this.#view;
    view.isOver = true;
    for (const id of view.changes.keys()) this.#cache.delete(id);
  }

  #changeOf(key: StateKey): Change | undefined {
    const { isOver, changes } = this.#view;
    const id = isOver ? undefined : this.#view.idOf(key);
    if (id === undefined) return undefined;
    let change = changes.get(id);
    if (change === undefined) {
      change = { isCleared: false, appended: [] };
      changes.set(id, change);
    }
    return change;
  }
}

function sideInputId(key: { readonly transformId: string; readonly sideInputId: string }): string {
  return `${key.transformId}\0${key.sideInputId}`;
}
