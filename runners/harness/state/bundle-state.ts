/** User state of the bundles of one processor: read when a key comes, written when its bundle ends. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../../transforms/primitives/beam.js";
import { StateKey } from "apache-beam/proto/beam_fn_api";
import type { BeamCoder } from "../../../transforms/primitives/coders/beam-coder.js";
import { ByteWriter } from "../../../transforms/primitives/coders/byte-writer.js";
import type { HostCells, StateHost } from "../../bundle/host.js";
import type { Window } from "../../engine/element.js";
import type { BagCell } from "../../engine/key-cells.js";
import type { StatefulStage } from "../descriptor/stage-plan.js";
import { type CellChange, LoadedBag } from "./bag-cell.js";
import type { CachingChannel } from "./caching-channel.js";
import { MultimapCell } from "./multimap-cell.js";

/** The cells of one key and window. */
interface Scope {
  readonly bags: Map<string, LoadedBag>;
  readonly multimaps: Map<string, MultimapCell>;
  readonly window: Window;
  readonly keyBytes: Uint8Array;
}

/**
 * All state lies on bags, the one kind that every runner keeps. Nothing is sent before `flush`, and then only what
 * has changed: so a bundle that fails has written nothing.
 */
export class BundleState implements StateHost {
  readonly #stateful: ReadonlyMap<string, StatefulStage>;
  readonly #channel: CachingChannel;
  /** By step, then key, then window. */
  readonly #scopes = new Map<string, Map<string, Map<string, Scope>>>();
  readonly #keys = new Map<string, Map<string, Uint8Array>>();
  #instructionId = "";

  constructor(stateful: ReadonlyMap<string, StatefulStage>, channel: CachingChannel) {
    this.#stateful = stateful;
    this.#channel = channel;
  }

  begin(instructionId: string): void {
    this.#instructionId = instructionId;
    this.abandon();
  }

  /** Forgets everything that was not written. */
  abandon(): void {
    this.#scopes.clear();
    this.#keys.clear();
  }

  /** A key of which elements or timers come now. */
  noteKey(root: string, keyId: string, key: unknown): void {
    const keys = getOrCreate(this.#keys, root, () => new Map<string, Uint8Array>());
    if (!keys.has(keyId)) keys.set(keyId, nested(this.#stage(root).keyCoder, key));
  }

  async load(
    root: string,
    keys: readonly { readonly keyId: string; readonly key: unknown; readonly window: Window }[],
    stateIds: readonly string[],
  ): Promise<void> {
    const loads: Promise<void>[] = [];
    for (const { keyId, key, window } of keys) {
      this.noteKey(root, keyId, key);
      const scope = this.#scope(root, keyId, window);
      for (const id of stateIds) {
        if (!scope.bags.has(id)) loads.push(this.#loadBag(root, scope, id));
      }
    }
    await Promise.all(loads);
  }

  cells(root: string, keyId: string, window: Window): HostCells {
    const scope = this.#scope(root, keyId, window);
    return {
      bag: (id): BagCell => {
        const bag = scope.bags.get(id);
        if (bag === undefined) throw new Error(`state "${id}" of step "${root}" was not loaded`);
        return bag;
      },
      multimap: (id) => getOrCreate(scope.multimaps, id, () => this.#multimap(root, scope, id)),
    };
  }

  async flush(): Promise<void> {
    const writes: Promise<void>[] = [];
    for (const [root, keys] of this.#scopes) {
      for (const windows of keys.values()) {
        for (const scope of windows.values()) {
          for (const [id, cell] of [...scope.bags, ...scope.multimaps]) {
            const change = cell.takeChange();
            if (change !== undefined) writes.push(this.#write(this.#stateKey(root, scope, id), change));
          }
        }
      }
    }
    await Promise.all(writes);
    this.#channel.commit();
    this.abandon();
  }

  async #loadBag(root: string, scope: Scope, id: string): Promise<void> {
    const state = this.#stage(root).states.get(id);
    if (state?.kind !== "bag") throw new Error(`the runner knows no bag "${id}" of step "${root}"`);
    const bytes = await this.#channel.get(this.#instructionId, this.#stateKey(root, scope, id));
    // another load of the same cell may have come first, and been written to
    if (!scope.bags.has(id)) scope.bags.set(id, new LoadedBag(state.elementCoder, bytes));
  }

  #multimap(root: string, scope: Scope, id: string): MultimapCell {
    const state = this.#stage(root).states.get(id);
    if (state === undefined || state.kind === "bag") {
      throw new Error(`the runner knows no map or set "${id}" of step "${root}"`);
    }
    const key = this.#stateKey(root, scope, id);
    return new MultimapCell(state, () => this.#channel.get(this.#instructionId, key));
  }

  async #write(key: StateKey, { isCleared, appended }: CellChange): Promise<void> {
    const writes: Promise<void>[] = [];
    if (isCleared) writes.push(this.#channel.clear(this.#instructionId, key));
    if (appended.length > 0) writes.push(this.#channel.append(this.#instructionId, key, appended));
    await Promise.all(writes); // they leave, and are done, in this order
  }

  #scope(root: string, keyId: string, window: Window): Scope {
    const keys = getOrCreate(this.#scopes, root, () => new Map<string, Map<string, Scope>>());
    const windows = getOrCreate(keys, keyId, () => new Map<string, Scope>());
    return getOrCreate(windows, window.id, () => {
      const keyBytes = this.#keys.get(root)?.get(keyId);
      if (keyBytes === undefined) throw new Error(`a key of step "${root}" has not come in this bundle`);
      return { bags: new Map(), multimaps: new Map(), window, keyBytes };
    });
  }

  #stateKey(root: string, { window, keyBytes }: Scope, userStateId: string): StateKey {
    const { transformId, windowCoder } = this.#stage(root);
    const bagUserState = { transformId, userStateId, window: nested(windowCoder, window), key: keyBytes };
    return StateKey.create({ type: { oneofKind: "bagUserState", bagUserState } });
  }

  #stage(root: string): StatefulStage {
    const stage = this.#stateful.get(root);
    if (stage === undefined) throw new Error(`the runner knows no state of step "${root}"`);
    return stage;
  }
}

/** As it stands where others may follow: with its length, if the coder needs one. */
export function nested<T>(coder: BeamCoder<T>, value: T): Uint8Array {
  const out = new ByteWriter();
  coder.write(value, out, true);
  return out.finish();
}

function getOrCreate<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}
