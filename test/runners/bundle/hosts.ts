/** The two hosts that every test of the bundle processor runs over: one in memory, one that answers later, in bytes. */

import type { BundleHost, SideInputHost, StateHost, StepFacts } from "../../../runners/bundle/host.js";
import type { Window } from "../../../runners/engine/element.js";
import type { BagCell } from "../../../runners/engine/key-cells.js";
import { StateStore } from "../../../runners/engine/state-store.js";
import { GeneralObjectCoder } from "../../../transforms/primitives/beam.js";
import { decodeFromBytes, encodeToBytes } from "../../../transforms/primitives/coders/encode.js";
import type { SetupContext } from "../../../transforms/primitives/do-fn.js";
import { systemClock } from "../../../transforms/primitives/system-clock.js";
import { TestScope } from "./test-scope.js";

/** Elements by `step/name`, and then by the id of the side input's window. */
export type SideInputs = Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>>;

export interface HostOptions {
  readonly sideInputs?: SideInputs;
  /** From a main window to the side input's; by default the same. */
  readonly mapWindow?: (main: Window) => Window;
  readonly facts?: StepFacts;
}

export interface TestHost extends BundleHost {
  newScope(): TestScope;
  /** Loads of state that were asked for: `step: key@window …; ids`. */
  readonly loads: string[];
}

export interface HostKind {
  readonly name: string;
  create(options?: HostOptions): TestHost;
}

const same = (main: Window): Window => main;
const coder = new GeneralObjectCoder<unknown>();
const encode = (value: unknown): Uint8Array => encodeToBytes(coder, value);
const decode = (bytes: Uint8Array): unknown => decodeFromBytes(coder, bytes);

/** What comes out of a value that was written as bytes. */
function carried(value: unknown): unknown {
  return decode(encode(value));
}

function setupContext(step: string): SetupContext {
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const shared = new Map<string, unknown>();
  return {
    pipeline: "test",
    step,
    mode: "stream",
    bundlesMayRepeat: false,
    signal: new AbortController().signal,
    clock: systemClock,
    log: quiet,
    database: undefined as never,
    shared: <T>(name: string, create: () => T) => {
      if (!shared.has(name)) shared.set(name, create());
      return shared.get(name) as T;
    },
  };
}

function describeLoad(
  root: string,
  keys: readonly { readonly keyId: string; readonly window: Window }[],
  stateIds: readonly string[],
): string {
  const wanted = keys.map(({ keyId, window }) => `${keyId}@${window.id}`);
  return `${root}: ${wanted.join(" ")}; ${stateIds.join(" ")}`;
}

/** State in the engine's store, side inputs in arrays: nothing is ever waited for. */
export const inProcess: HostKind = {
  name: "in-process host",
  create({ sideInputs = {}, mapWindow = same, facts }: HostOptions = {}) {
    const store = new StateStore();
    const loads: string[] = [];
    const state: StateHost = {
      load: (root, keys, ids) => void loads.push(describeLoad(root, keys, ids)),
      cells: (root, keyId, window) => store.cells(root, keyId, window),
      flush: () => undefined,
    };
    const elements = (step: string, name: string, window: Window) =>
      sideInputs[`${step}/${name}`]?.[window.id] ?? [];
    const side: SideInputHost = {
      mapWindow: (_step, _name, main) => mapWindow(main),
      load: () => undefined,
      elements,
      values: (step, name, window, _keyId, key) => valuesOf(elements(step, name, window), key),
      keys: (step, name, window) => keysOf(elements(step, name, window)),
    };
    return {
      setupContext,
      state,
      sideInputs: side,
      ...(facts === undefined ? {} : { stepFacts: () => facts }),
      loads,
      newScope: () => new TestScope((value) => value),
    };
  },
};

/** Everything is bytes and comes later; what was not loaded cannot be read, what is not flushed is lost. */
export const asynchronous: HostKind = {
  name: "asynchronous host",
  create({ sideInputs = {}, mapWindow = same, facts }: HostOptions = {}) {
    const loads: string[] = [];
    return {
      setupContext,
      state: new LaterState(loads),
      sideInputs: new LaterSideInputs(sideInputs, mapWindow),
      ...(facts === undefined ? {} : { stepFacts: () => facts }),
      loads,
      newScope: () => new TestScope(carried),
    };
  },
};

export const HOSTS: readonly HostKind[] = [inProcess, asynchronous];

/** After a turn of the event loop, as an answer over a socket comes. */
function later<T>(answer: () => T): Promise<T> {
  return new Promise((resolve, reject) =>
    setImmediate(() => {
      try {
        resolve(answer());
      } catch (error) {
        reject(error);
      }
    }),
  );
}

function valuesOf(elements: readonly unknown[], key: unknown): unknown[] {
  const pairs = elements as readonly { key: unknown; value: unknown }[];
  return pairs.filter((pair) => JSON.stringify(pair.key) === JSON.stringify(key)).map(({ value }) => value);
}

function keysOf(elements: readonly unknown[]): unknown[] {
  const pairs = elements as readonly { key: unknown }[];
  const byText = new Map(pairs.map(({ key }) => [JSON.stringify(key), key]));
  return [...byText.values()];
}

type Entry = { readonly key: Uint8Array; readonly values: readonly Uint8Array[] };

/** A state service that knows bytes only, and a write-behind cache before it. */
class LaterState implements StateHost {
  readonly #bags = new Map<string, readonly Uint8Array[]>();
  readonly #maps = new Map<string, Map<string, Entry>>();
  /** Bags that were loaded in this bundle. */
  readonly #resident = new Map<string, ResidentBag>();
  #pending: (() => void)[] = [];
  readonly #openMaps = new Map<string, LaterMultimap>();

  constructor(private readonly loads: string[]) {}

  load(
    root: string,
    keys: readonly { readonly keyId: string; readonly window: Window }[],
    stateIds: readonly string[],
  ): Promise<void> {
    this.loads.push(describeLoad(root, keys, stateIds));
    return later(() => {
      for (const { keyId, window } of keys) {
        for (const id of stateIds) {
          const at = [root, keyId, window.id, id].join("\n");
          if (!this.#resident.has(at)) this.#resident.set(at, new ResidentBag(this.#bags.get(at) ?? []));
        }
      }
    });
  }

  cells(root: string, keyId: string, window: Window) {
    const at = (id: string) => [root, keyId, window.id, id].join("\n");
    return {
      bag: (id: string) => {
        const bag = this.#resident.get(at(id));
        if (bag === undefined) throw new Error(`state "${id}" of key "${keyId}" was not loaded`);
        return bag;
      },
      multimap: (id: string) => {
        let map = this.#openMaps.get(at(id));
        if (map === undefined) {
          map = new LaterMultimap(
            () => this.#maps.get(at(id)) ?? new Map(),
            (entries) => void this.#maps.set(at(id), entries),
          );
          this.#openMaps.set(at(id), map);
        }
        return map;
      },
    };
  }

  flush(): Promise<void> {
    for (const [at, bag] of this.#resident) this.#pending.push(() => this.#bags.set(at, bag.encoded()));
    for (const map of this.#openMaps.values()) this.#pending.push(() => map.flush());
    this.#resident.clear();
    this.#openMaps.clear();
    return later(() => {
      for (const write of this.#pending.splice(0)) write();
    });
  }
}

class ResidentBag implements BagCell {
  #values: readonly unknown[];
  constructor(encoded: readonly Uint8Array[]) {
    this.#values = encoded.map((text) => decode(text));
  }
  get size(): number {
    return this.#values.length;
  }
  values(): readonly unknown[] {
    return this.#values;
  }
  append(value: unknown): void {
    this.#values = [...this.#values, value];
  }
  set(values: readonly unknown[]): void {
    this.#values = [...values];
  }
  clear(): void {
    this.#values = [];
  }
  encoded(): Uint8Array[] {
    return this.#values.map((value) => encode(value));
  }
}

class LaterMultimap {
  #written: Map<string, Entry | undefined> = new Map();
  #isCleared = false;

  constructor(
    private readonly stored: () => Map<string, Entry>,
    private readonly store: (entries: Map<string, Entry>) => void,
  ) {}

  get(keyId: string): Promise<unknown[]> {
    const entry = this.#now().get(keyId);
    return later(() => (entry?.values ?? []).map((text) => decode(text)));
  }
  put(keyId: string, key: unknown, values: readonly unknown[]): void {
    this.#written.set(keyId, { key: encode(key), values: values.map(encode) });
  }
  remove(keyId: string): void {
    this.#written.set(keyId, undefined);
  }
  clear(): void {
    this.#isCleared = true;
    this.#written = new Map();
  }
  entries(): Promise<(readonly [unknown, unknown[]])[]> {
    const now = [...this.#now().values()];
    return later(() => now.map(({ key, values }) => [decode(key), values.map(decode)] as const));
  }
  flush(): void {
    this.store(this.#now());
  }
  #now(): Map<string, Entry> {
    const entries = new Map(this.#isCleared ? [] : this.stored());
    for (const [keyId, entry] of this.#written) {
      if (entry === undefined) entries.delete(keyId);
      else entries.set(keyId, entry);
    }
    return entries;
  }
}

class LaterSideInputs implements SideInputHost {
  readonly #loaded = new Map<string, unknown[]>();

  constructor(
    private readonly contents: SideInputs,
    private readonly toSide: (main: Window) => Window,
  ) {}

  mapWindow(_step: string, _name: string, main: Window): Window {
    return this.toSide(main);
  }
  load(step: string, name: string, window: Window): Promise<void> {
    const elements = this.contents[`${step}/${name}`]?.[window.id] ?? [];
    return later(() => {
      this.#loaded.set(`${step}/${name}/${window.id}`, elements.map(carried));
    });
  }
  elements(step: string, name: string, window: Window): readonly unknown[] {
    const elements = this.#loaded.get(`${step}/${name}/${window.id}`);
    if (elements === undefined) throw new Error(`side input "${name}" was not loaded for ${window.id}`);
    return elements;
  }
  values(step: string, name: string, window: Window, _keyId: string, key: unknown): Promise<unknown[]> {
    const elements = this.elements(step, name, window);
    return later(() => valuesOf(elements, key));
  }
  keys(step: string, name: string, window: Window): Promise<unknown[]> {
    const elements = this.elements(step, name, window);
    return later(() => keysOf(elements));
  }
}
