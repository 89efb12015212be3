/** A ParDo without state: element by element, once for all windows or once for each. */
import type { DoFn } from "../../transforms/primitives/do-fn.js";
import type { PaneInfo, Window } from "../engine/element.js";
import { isPromise } from "./maybe-promise.js";
import type { Receive } from "./receive.js";
import { TIMED_EVERY } from "./step-meter.js";
import { type StepParts, StepRunner } from "./step-runner.js";
import { WaitingElements } from "./waiting-elements.js";

export class ParDoRunner extends StepRunner<DoFn> {
  readonly #isPerWindow: boolean;
  readonly #waiting = new WaitingElements();

  constructor(parts: StepParts<DoFn>) {
    super(parts);
    this.#isPerWindow = parts.doFn.observesWindows === true || parts.fields.sideInputs.size > 0;
  }

  readonly receive: Receive = (value, timestampMs, windows, pane) => {
    const { meter } = this;
    if ((++meter.elementsIn & (TIMED_EVERY - 1)) !== 0) {
      this.#receive(value, timestampMs, windows, pane);
      return;
    }
    const startMs = performance.now();
    this.#receive(value, timestampMs, windows, pane);
    meter.timedMs += performance.now() - startMs;
  };

  #receive(value: unknown, timestampMs: number, windows: readonly Window[], pane: PaneInfo): void {
    if (this.#isPerWindow && windows.length > 1) {
      for (const window of windows) this.#admit(value, timestampMs, [window], pane);
    } else {
      this.#admit(value, timestampMs, windows, pane);
    }
  }

  override async idle(): Promise<void> {
    if (this.flow.failure !== undefined) this.#dropWaiting();
    await super.idle();
  }

  #admit(value: unknown, timestampMs: number, windows: readonly Window[], pane: PaneInfo): void {
    if (this.running >= this.concurrencyMax) {
      this.#waiting.add(value, timestampMs, windows, pane);
      this.flow.setQueueing(this.place, true);
      return;
    }
    let done: void | Promise<void>;
    try {
      done = this.#load(value, timestampMs, windows, pane);
    } catch (error) {
      throw this.fail("process", error);
    }
    if (done !== undefined) this.track(done);
  }

  #load(
    value: unknown,
    timestampMs: number,
    windows: readonly Window[],
    pane: PaneInfo,
  ): void | Promise<void> {
    if (this.sideInputs !== undefined) {
      const loading = this.sideInputs.load(windows[0]!);
      if (isPromise(loading)) return loading.then(() => this.#call(value, timestampMs, windows, pane));
    }
    return this.#call(value, timestampMs, windows, pane);
  }

  #call(
    value: unknown,
    timestampMs: number,
    windows: readonly Window[],
    pane: PaneInfo,
  ): void | Promise<void> {
    const { context } = this;
    context.timestampMs = timestampMs;
    context.windows = windows;
    context.pane = pane;
    const result = this.doFn.process(value, context);
    return result === undefined ? undefined : this.emitAll(result, context);
  }

  protected override hasRoom(): void {
    if (this.flow.failure !== undefined) this.#dropWaiting();
    while (!this.#waiting.isEmpty && this.running < this.concurrencyMax) {
      const { value, timestampMs, windows, pane } = this.#waiting.take()!;
      try {
        this.#admit(value, timestampMs, windows, pane);
      } catch {
        // the failure is the flow's: whoever feeds the bundle throws it
        this.#dropWaiting();
      }
    }
    if (this.#waiting.isEmpty) this.flow.setQueueing(this.place, false);
  }

  #dropWaiting(): void {
    this.#waiting.clear();
    this.flow.setQueueing(this.place, false);
  }
}
