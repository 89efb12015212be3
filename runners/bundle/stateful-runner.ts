/** A DoFn with state or timers: key by key, what belongs to one key strictly in order. */
import type { DoFn } from "../../transforms/primitives/do-fn.js";
import type { StateSpec } from "../../transforms/primitives/state-spec.js";
import type { Timer, TimerSpec } from "../../transforms/primitives/timer-spec.js";
import { NO_FIRING } from "../../transforms/primitives/window.js";
import type { KeyedItem, KeyedWork, TimerFiring } from "../engine/bundle.js";
import type { Window } from "../engine/element.js";
import type { StateHost } from "./host.js";
import { KeyScope } from "./key-scope.js";
import { isPromise } from "./maybe-promise.js";
import { SilentContext, silent } from "./silent-timer.js";
import { cellOpener, isResident, type OpenCell } from "./state-cells.js";
import type { StepContext } from "./step-context.js";
import { type StepParts, StepRunner } from "./step-runner.js";
import { type TimerFamily, TimerHandle } from "./timer-handle.js";

const METHOD_OF = { element: "process", timer: "onTimer", expiration: "onWindowExpiration" } as const;

export class StatefulRunner extends StepRunner<DoFn> {
  readonly #state: StateHost;
  readonly #openers: ReadonlyMap<StateSpec, OpenCell>;
  readonly #residentIds: readonly string[];
  readonly #families: ReadonlyMap<TimerSpec, TimerFamily>;
  /** Keys of which something is running, and when all of it has ended. */
  readonly #busy = new Map<string, Promise<void>>();

  constructor(parts: StepParts<DoFn>) {
    super(parts);
    const { path, doFn, fields, host } = parts;
    if (host.state === undefined) throw new Error(`step "${path}" keeps state, its host has none`);
    if (fields.timers.size > 0 && doFn.onTimer === undefined) {
      throw new Error(
        `step "${path}" declares the timer "${[...fields.timers.values()][0]}", but has no onTimer`,
      );
    }
    this.#state = host.state;
    this.#openers = new Map([...fields.states].map(([spec, id]) => [spec, cellOpener(spec, id)]));
    this.#residentIds = [...fields.states].filter(([spec]) => isResident(spec)).map(([, id]) => id);
    const allowedLatenessMs = host.stepFacts?.(path).allowedLatenessMs ?? 0;
    this.#families = new Map(
      [...fields.timers].map(([spec, family]) => [
        spec,
        { step: path, family, domain: spec.domain, allowedLatenessMs },
      ]),
    );
  }

  /** Runs the work of each key; a promise where state has to be loaded or too many keys are running. */
  processKeys(keys: readonly KeyedWork[]): void | Promise<void> {
    for (const { items } of keys) this.meter.elementsIn += items.length;
    return this.meter.whole(() => {
      const loading = this.#load(keys);
      return isPromise(loading) ? loading.then(() => this.#start(keys, 0)) : this.#start(keys, 0);
    });
  }

  override timer(spec: TimerSpec, tag: string, key: KeyScope, currentMs: number | undefined): Timer {
    const family = this.#families.get(spec);
    if (family === undefined) throw new Error(`no field of the DoFn holds this ${spec.domain} timer`);
    return new TimerHandle(family, tag, this.scope, key, currentMs);
  }

  #load(keys: readonly KeyedWork[]): void | Promise<void> {
    if (this.#residentIds.length === 0) return undefined;
    const wanted: { keyId: string; key: unknown; window: Window }[] = [];
    for (const { keyId, key, items } of keys) {
      if (items.length === 1) {
        wanted.push({ keyId, key, window: items[0]!.window });
        continue;
      }
      const windows = new Map(items.map(({ window }) => [window.id, window]));
      for (const window of windows.values()) wanted.push({ keyId, key, window });
    }
    try {
      const loading = this.#state.load(this.path, wanted, this.#residentIds);
      if (!isPromise(loading)) return undefined;
      return loading.catch((error: unknown) => {
        throw this.fail("loading its state", error);
      });
    } catch (error) {
      throw this.fail("loading its state", error);
    }
  }

  #start(keys: readonly KeyedWork[], from: number): void | Promise<void> {
    for (let i = from; i < keys.length; i++) {
      const work = keys[i]!;
      const before = this.#busy.get(work.keyId);
      const scopes = new KeyScopes((window) => this.#scopeOf(work, window));
      const done =
        before === undefined ? this.#run(work, 0, scopes) : before.then(() => this.#run(work, 0, scopes));
      if (done === undefined) continue;
      this.#keepBusy(work.keyId, done);
      if (this.#busy.size >= this.concurrencyMax && i + 1 < keys.length) {
        return this.#oneKeyLess().then(() => this.#start(keys, i + 1));
      }
    }
    return this.#busy.size >= this.concurrencyMax ? this.#oneKeyLess() : undefined;
  }

  #keepBusy(keyId: string, done: Promise<void>): void {
    const settled = done.then(
      () => undefined,
      () => undefined, // tracked below
    );
    const ended = settled.then(() => {
      if (this.#busy.get(keyId) === ended) this.#busy.delete(keyId);
    });
    this.#busy.set(keyId, ended);
    this.track(done);
  }

  async #oneKeyLess(): Promise<void> {
    while (this.#busy.size >= this.concurrencyMax && this.flow.failure === undefined) {
      await Promise.race(this.#busy.values());
    }
  }

  /** Items of one key in order; as long as none is asynchronous, without a promise. */
  #run(work: KeyedWork, from: number, scopes: KeyScopes): void | Promise<void> {
    const { items } = work;
    for (let i = from; i < items.length; i++) {
      if (this.flow.failure !== undefined) return undefined;
      const done = this.#runNamed(items[i]!, scopes);
      if (isPromise(done)) return done.then(() => this.#run(work, i + 1, scopes));
      if (this.flow.lastQueueAt > this.place) {
        return this.flow.room(this.place).then(() => this.#run(work, i + 1, scopes));
      }
    }
    return undefined;
  }

  #runNamed(item: KeyedItem, scopes: KeyScopes): void | Promise<void> {
    try {
      const done = this.#runItem(item, scopes);
      if (done === undefined) return undefined;
      return done.catch((error: unknown) => {
        throw this.fail(METHOD_OF[item.kind], error);
      });
    } catch (error) {
      throw this.fail(METHOD_OF[item.kind], error);
    }
  }

  #runItem(item: KeyedItem, scopes: KeyScopes): void | Promise<void> {
    if (this.sideInputs !== undefined) {
      const loading = this.sideInputs.load(item.window);
      if (isPromise(loading)) return loading.then(() => this.#call(item, scopes));
    }
    return this.#call(item, scopes);
  }

  #call(item: KeyedItem, scopes: KeyScopes): void | Promise<void> {
    const { window } = item;
    const keyScope = scopes.in(window);
    if (item.kind === "timer" && item.timer.outputTimestampMs === undefined) {
      return this.#callSilently(item.timer, window, keyScope);
    }
    const { context, doFn } = this;
    context.keyScope = keyScope;
    context.pane = NO_FIRING;
    switch (item.kind) {
      case "element": {
        const { element } = item;
        context.timestampMs = element.timestampMs;
        context.windows = element.windows.length === 1 ? element.windows : [window];
        context.pane = element.pane;
        return this.#emit(doFn.process(element.value, context), context);
      }
      case "timer": {
        const { family, tag, fireAtMs, outputTimestampMs } = item.timer;
        context.timestampMs = outputTimestampMs!; // one without went its own way above
        context.windows = [window];
        return this.#emit(doFn.onTimer?.({ family, tag, fireAtMs }, context), context);
      }
      case "expiration":
        context.timestampMs = window.maxTimestampMs;
        context.windows = [window];
        return this.#emit(doFn.onWindowExpiration?.(context), context);
    }
  }

  /** A timer that holds nothing back: by now the output watermark may be anywhere. */
  #callSilently({ family, tag, fireAtMs }: TimerFiring, window: Window, key: KeyScope): void | Promise<void> {
    const context = new SilentContext(this, family, key, window);
    const result = this.doFn.onTimer?.({ family, tag, fireAtMs }, context);
    return this.#emit(silent(result, family), context);
  }

  #emit(result: unknown, context: StepContext): void | Promise<void> {
    return result === undefined ? undefined : this.emitAll(result, context);
  }

  #scopeOf({ keyId, key }: KeyedWork, window: Window): KeyScope {
    return new KeyScope(keyId, key, window, this.path, this.#state, this.#openers);
  }
}

/** A key in each of the windows of its items, most of which are in one. */
class KeyScopes {
  #last: KeyScope | undefined;
  #others: Map<string, KeyScope> | undefined;

  constructor(private readonly create: (window: Window) => KeyScope) {}

  in(window: Window): KeyScope {
    const last = this.#last;
    if (last?.window.id === window.id) return last;
    const scope = this.#others?.get(window.id) ?? this.create(window);
    if (last !== undefined) {
      this.#others ??= new Map();
      this.#others.set(last.window.id, last);
    }
    this.#last = scope;
    return scope;
  }
}
