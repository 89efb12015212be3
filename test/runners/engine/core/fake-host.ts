/** Runs bundles as a test scripts it, and writes down what it was given. */
import type {
  Bundle,
  BundleInput,
  BundleResult,
  KeyedItem,
  Residual,
  RestrictionWork,
  TimerFiring,
  TimerUpdate,
} from "../../../../runners/engine/bundle.js";
import { type Element, NO_FIRING, type PaneInfo, type Window } from "../../../../runners/engine/element.js";
import type { Engine } from "../../../../runners/engine/engine.js";
import type { KeyCells } from "../../../../runners/engine/key-cells.js";

/** What a scripted step may do for an item. */
export interface StepContext {
  readonly engine: Engine;
  readonly bundle: Bundle;
  /** To every output of the stage, or to one. */
  emit(element: Element, output?: string): void;
  log(line: string): void;
}

export interface KeyedContext extends StepContext {
  readonly key: string;
  readonly window: Window;
  readonly cells: KeyCells;
  set(family: string, fireAtMs: number, options?: TimerOptions): void;
  clear(family: string, tag?: string): void;
  /** Emits a text at a time. */
  say(value: string, timestampMs: number): void;
}

export interface TimerOptions {
  readonly tag?: string;
  readonly domain?: "event-time" | "processing-time";
  /** By default the firing time. */
  readonly outputTimestampMs?: number | "none";
}

export interface SplittableContext extends StepContext {
  rest(residual: Omit<Residual, "root">): void;
}

/** By root. An element goes on as it is where the script says nothing else. */
export interface Behaviour {
  readonly element?: (element: Element, context: StepContext) => void;
  readonly keyed?: {
    readonly element?: (element: Element, context: KeyedContext) => void;
    readonly timer?: (timer: TimerFiring, context: KeyedContext) => void;
    readonly expiration?: (context: KeyedContext) => void;
  };
  readonly restriction?: (work: RestrictionWork, context: SplittableContext) => void;
  /** What it is given is not written down. */
  readonly isSilent?: boolean;
}

export class FakeHost {
  readonly lines: string[] = [];
  readonly #engine: Engine;
  readonly #behaviours: Readonly<Record<string, Behaviour>>;
  readonly #outputs: ReadonlyMap<string, readonly string[]>;

  /** @param outputs by stage */
  constructor(
    engine: Engine,
    behaviours: Readonly<Record<string, Behaviour>>,
    outputs: ReadonlyMap<string, readonly string[]>,
  ) {
    this.#engine = engine;
    this.#behaviours = behaviours;
    this.#outputs = outputs;
  }

  /** Runs a bundle; what came of it is the caller's to apply. */
  run(bundle: Bundle): BundleResult {
    const outputs = new Map<string, Element[]>();
    const timers: TimerUpdate[] = [];
    const residuals: Residual[] = [];
    const context: StepContext = {
      engine: this.#engine,
      bundle,
      emit: (element, output) => {
        for (const id of output === undefined ? this.#outputs.get(bundle.stage)! : [output]) {
          const elements = outputs.get(id);
          if (elements === undefined) outputs.set(id, [element]);
          else elements.push(element);
        }
      },
      log: (line) => this.lines.push(line),
    };
    for (const input of bundle.inputs) this.#runInput(input, context, timers, residuals);
    return { outputs, timers, residuals };
  }

  #runInput(input: BundleInput, context: StepContext, timers: TimerUpdate[], residuals: Residual[]): void {
    const { root } = input;
    const behaviour = this.#behaviours[root] ?? {};
    if (input.kind === "elements") {
      this.#log(behaviour, `${root}: ${input.elements.map(show).join(" ")}`);
      const process = behaviour.element ?? ((element) => context.emit(element));
      for (const element of input.elements) process(element, context);
    } else if (input.kind === "restrictions") {
      for (const work of input.work) {
        this.#log(behaviour, `${root}: ${showWork(work)}`);
        const rest: SplittableContext["rest"] = (residual) => residuals.push({ root, ...residual });
        behaviour.restriction?.(work, { ...context, rest });
      }
    } else {
      for (const { keyId, key, items } of input.keys) {
        this.#log(behaviour, `${root} ${keyId}: ${items.map(showItem).join(" ")}`);
        for (const item of items) {
          this.#runItem(item, behaviour, keyedContext(root, keyId, key, item.window, context, timers));
        }
      }
    }
  }

  #runItem(item: KeyedItem, { keyed = {} }: Behaviour, context: KeyedContext): void {
    if (item.kind === "element") {
      if (keyed.element === undefined) context.emit(item.element);
      else keyed.element(item.element, context);
    } else if (item.kind === "timer") {
      keyed.timer?.(item.timer, context);
    } else {
      keyed.expiration?.(context);
    }
  }

  #log({ isSilent = false }: Behaviour, line: string): void {
    if (!isSilent) this.lines.push(line);
  }
}

function keyedContext(
  root: string,
  keyId: string,
  key: unknown,
  window: Window,
  context: StepContext,
  timers: TimerUpdate[],
): KeyedContext {
  return {
    ...context,
    key: keyId,
    window,
    get cells() {
      return context.engine.state.cells(root, keyId, window);
    },
    set: (
      family,
      fireAtMs,
      { tag = "", domain = "event-time", outputTimestampMs: given = fireAtMs } = {},
    ) => {
      const outputTimestampMs = given === "none" ? undefined : given;
      timers.push({ root, keyId, key, window, family, tag, set: { domain, fireAtMs, outputTimestampMs } });
    },
    clear: (family, tag = "") => {
      timers.push({ root, keyId, key, window, family, tag, set: undefined });
    },
    say: (value, timestampMs) => context.emit(elementOf(value, timestampMs, window)),
  };
}

export function elementOf(
  value: unknown,
  timestampMs: number,
  window: Window,
  pane: PaneInfo = NO_FIRING,
): Element {
  return { value, timestampMs, windows: [window], pane };
}

function showItem(item: KeyedItem): string {
  if (item.kind === "element") return show(item.element);
  if (item.kind === "expiration") return `expiration ${item.window.id}`;
  const { family, tag, fireAtMs } = item.timer;
  return `timer ${tag === "" ? family : `${family}/${tag}`} at ${fireAtMs}`;
}

function showWork({ element, restriction, isTruncated }: RestrictionWork): string {
  const what = restriction === undefined ? "begins" : JSON.stringify(restriction.value);
  return `${showValue(element.value)} ${what}${isTruncated ? " truncated" : ""}`;
}

export function show({ value, timestampMs }: Element): string {
  return `${showValue(value)}@${timestampMs}`;
}

function showValue(value: unknown): string {
  if (typeof value !== "object" || value === null || !("key" in value) || !("value" in value))
    return String(value);
  const { key, value: inner } = value;
  return typeof inner === "string"
    ? `${key}:${inner}`
    : `${key}:[${[...(inner as Iterable<unknown>)].join(",")}]`;
}
