/** The in-process host of bundle processors: state and side inputs straight from the engine. */
import type { SqlQueries } from "../../sql/sql-session.js";
import type { Clock, Log, SetupContext } from "../../transforms/primitives/do-fn.js";
import type { ElementSamples } from "../bundle/element-samples.js";
import type { BundleHost, SideInputHost, StateHost, StepFacts } from "../bundle/host.js";
import type { Window } from "../engine/element.js";
import type { StateStore } from "../engine/state-store.js";
import type { HostedGraph } from "./hosted-graph.js";
import { NoDatabaseError } from "./volatile-epoch.js";

/** What a host takes from the engine. */
export interface HostedEngine {
  readonly state: StateStore;
  sideInput(step: string, name: string, window: Window): readonly unknown[];
}

export interface EngineHostOptions {
  readonly engine: HostedEngine;
  readonly pipeline: string;
  readonly mode: SetupContext["mode"];
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
  readonly runId: string;
  /** Undefined: a step that asks for it fails. */
  readonly database: SqlQueries | undefined;
  readonly graph: HostedGraph;
  readonly samples?: ElementSamples | undefined;
}

export class EngineHost implements BundleHost {
  readonly state: StateHost;
  readonly sideInputs: SideInputHost;
  readonly samples: ElementSamples | undefined;
  readonly #options: EngineHostOptions;
  readonly #shared = new Map<string, unknown>();

  constructor(options: EngineHostOptions) {
    this.#options = options;
    const { engine, samples } = options;
    this.samples = samples;
    this.state = {
      load: () => undefined,
      cells: (root, keyId, window) => engine.state.cells(root, keyId, window),
      flush: () => undefined,
    };
    this.sideInputs = new EngineSideInputs(options);
  }

  stepFacts(step: string): StepFacts {
    return this.#options.graph.stepFacts(step);
  }

  setupContext(step: string): SetupContext {
    const { pipeline, runId, mode, signal, clock, log, database } = this.#options;
    const shared = <T>(name: string, create: () => T): T => {
      const key = `${step}\0${name}`;
      if (!this.#shared.has(key)) this.#shared.set(key, create());
      return this.#shared.get(key) as T;
    };
    return {
      ...{ pipeline, runId, step, mode, signal, clock, log, shared },
      bundlesMayRepeat: false,
      get database() {
        if (database === undefined) throw new NoDatabaseError(`step "${step}" asks for the database`);
        return database;
      },
    };
  }
}

/** Values of a side input by key, as of one reading of its contents. */
interface ByKey {
  readonly keys: readonly unknown[];
  readonly values: ReadonlyMap<string, readonly unknown[]>;
}

class EngineSideInputs implements SideInputHost {
  readonly #engine: HostedEngine;
  readonly #graph: HostedGraph;
  /** By the array that the engine gave: it gives another one when the contents have changed. */
  readonly #byKey = new WeakMap<readonly unknown[], ByKey>();

  constructor({ engine, graph }: EngineHostOptions) {
    this.#engine = engine;
    this.#graph = graph;
  }

  mapWindow(step: string, sideInput: string, main: Window): Window {
    return this.#graph.sideInput(step, sideInput).mapWindow(main);
  }

  keyId(step: string, sideInput: string, key: unknown): string {
    return this.#graph.sideInput(step, sideInput).keyId(key);
  }

  load(): void {
    // The engine has it in memory.
  }

  elements(step: string, sideInput: string, window: Window): readonly unknown[] {
    return this.#engine.sideInput(step, sideInput, window);
  }

  values(step: string, sideInput: string, window: Window, keyId: string): readonly unknown[] {
    return this.#index(step, sideInput, window).values.get(keyId) ?? [];
  }

  keys(step: string, sideInput: string, window: Window): Iterable<unknown> {
    return this.#index(step, sideInput, window).keys;
  }

  #index(step: string, sideInput: string, window: Window): ByKey {
    const elements = this.elements(step, sideInput, window);
    let index = this.#byKey.get(elements);
    if (index === undefined) {
      index = indexByKey(elements, (key) => this.keyId(step, sideInput, key));
      this.#byKey.set(elements, index);
    }
    return index;
  }
}

function indexByKey(elements: readonly unknown[], keyIdOf: (key: unknown) => string): ByKey {
  const keys: unknown[] = [];
  const values = new Map<string, unknown[]>();
  for (const element of elements) {
    const { key, value } = element as { key: unknown; value: unknown };
    const keyId = keyIdOf(key);
    const known = values.get(keyId);
    if (known !== undefined) {
      known.push(value);
      continue;
    }
    keys.push(key);
    values.set(keyId, [value]);
  }
  return { keys, values };
}
