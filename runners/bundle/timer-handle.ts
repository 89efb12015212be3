/** The handle by which a DoFn sets a timer of its current key and window. */
import type { TimeDomain, Timer, TimerOptions } from "../../transforms/primitives/timer-spec.js";
import { GLOBAL_WINDOW_END_MS, MIN_TIMESTAMP_MS } from "../../transforms/primitives/timestamp-bounds.js";
import type { TimerUpdate } from "../engine/bundle.js";
import type { BundleScope } from "./host.js";
import type { KeyScope } from "./key-scope.js";

/** What a step knows of its timers. */
export interface TimerFamily {
  readonly step: string;
  /** Name of the DoFn's field. */
  readonly family: string;
  readonly domain: TimeDomain;
  readonly allowedLatenessMs: number;
}

export class TimerHandle implements Timer {
  constructor(
    private readonly family: TimerFamily,
    private readonly tag: string,
    private readonly scope: BundleScope,
    private readonly key: KeyScope,
    /** Event time of the element, or the output time of the timer, that is being processed; undefined: it has none. */
    private readonly currentMs: number | undefined,
  ) {}

  set(fireAtMs: number, { outputTimestampMs: given }: TimerOptions = {}): void {
    const { domain } = this.family;
    this.#must(Number.isFinite(fireAtMs), `must be set to a time in ms, got ${fireAtMs}`);
    if (domain === "event-time") this.#checkFiring(fireAtMs);
    if (typeof given === "number") this.#checkOutput(fireAtMs, given);
    const ofItself = domain === "event-time" ? fireAtMs : this.currentMs;
    const outputTimestampMs = given === "none" ? undefined : (given ?? ofItself);
    this.#update({ domain, fireAtMs, outputTimestampMs });
  }

  setRelative(delayMs: number, options?: TimerOptions): void {
    if (this.family.domain === "processing-time") {
      this.set(this.scope.processingTimeMs() + delayMs, options);
      return;
    }
    if (this.currentMs === undefined) {
      this.#refuse("has nothing to count from: the timer that is being processed has no output timestamp");
    }
    this.set(Math.min(this.currentMs + delayMs, this.#expiresMs()), options);
  }

  clear(): void {
    this.#update(undefined);
  }

  currentTimeMs(): number {
    if (this.family.domain === "processing-time") return this.scope.processingTimeMs();
    return this.scope.inputWatermarkMs ?? this.currentMs ?? MIN_TIMESTAMP_MS;
  }

  #checkFiring(fireAtMs: number): void {
    const expiresMs = this.#expiresMs();
    this.#must(
      fireAtMs <= expiresMs,
      `must not be set behind the end of its window plus allowed lateness (${expiresMs}), got ${fireAtMs}`,
    );
  }

  #checkOutput(fireAtMs: number, outputTimestampMs: number): void {
    const { domain } = this.family;
    if (this.currentMs === undefined) {
      this.#refuse(
        `must not output, as the timer that is being processed has no output timestamp, got ${outputTimestampMs}`,
      );
    }
    this.#must(
      outputTimestampMs >= Math.max(this.currentMs, MIN_TIMESTAMP_MS),
      `must not output before the current element or timer (${this.currentMs}), got ${outputTimestampMs}`,
    );
    const latestMs = domain === "event-time" ? fireAtMs : this.#expiresMs();
    const what = domain === "event-time" ? "after it fires" : "after its window has expired";
    this.#must(
      outputTimestampMs <= latestMs,
      `must not output ${what} (${latestMs}), got ${outputTimestampMs}`,
    );
  }

  /** The end of the window and its allowed lateness, behind which no event time is taken. */
  #expiresMs(): number {
    const { maxTimestampMs } = this.key.window;
    const endMs = Math.max(GLOBAL_WINDOW_END_MS, maxTimestampMs);
    return Math.min(maxTimestampMs + this.family.allowedLatenessMs, endMs);
  }

  #must(isRight: boolean, rule: string): void {
    if (!isRight) this.#refuse(rule);
  }

  #refuse(rule: string): never {
    const { family, domain } = this.family;
    throw new RangeError(`${domain} timer "${family}"${this.tag && ` with tag "${this.tag}"`} ${rule}`);
  }

  #update(set: TimerUpdate["set"]): void {
    const { keyId, key, window } = this.key;
    const { step: root, family } = this.family;
    this.scope.setTimer({ root, keyId, key, window, family, tag: this.tag, set });
  }
}
