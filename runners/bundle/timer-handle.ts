/** The handle by which a DoFn sets a timer of its current key and window. */
import type { TimeDomain, Timer } from "../../transforms/primitives/timer-spec.js";
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
    /** Event time of the element, or the output time of the timer, that is being processed. */
    private readonly currentMs: number,
  ) {}

  set(fireAtMs: number, options: { readonly outputTimestampMs?: number } = {}): void {
    const { domain } = this.family;
    this.#must(Number.isFinite(fireAtMs), `must be set to a time in ms, got ${fireAtMs}`);
    const ofItself = domain === "event-time" ? fireAtMs : this.currentMs;
    const outputTimestampMs = options.outputTimestampMs ?? ofItself;
    this.#check(fireAtMs, outputTimestampMs, options.outputTimestampMs !== undefined);
    this.#update({ domain, fireAtMs, outputTimestampMs });
  }

  setRelative(delayMs: number, options?: { readonly outputTimestampMs?: number }): void {
    const nowMs = this.family.domain === "event-time" ? this.currentMs : this.scope.processingTimeMs();
    this.set(nowMs + delayMs, options);
  }

  clear(): void {
    this.#update(undefined);
  }

  #check(fireAtMs: number, outputTimestampMs: number, isOutputGiven: boolean): void {
    const { domain, allowedLatenessMs } = this.family;
    const { maxTimestampMs } = this.key.window;
    const expiresMs = Math.min(
      maxTimestampMs + allowedLatenessMs,
      Math.max(GLOBAL_WINDOW_END_MS, maxTimestampMs),
    );
    if (domain === "event-time") {
      this.#must(
        fireAtMs <= expiresMs,
        `must not be set behind the end of its window plus allowed lateness (${expiresMs}), got ${fireAtMs}`,
      );
    }
    if (!isOutputGiven) return;
    this.#must(
      outputTimestampMs >= Math.max(this.currentMs, MIN_TIMESTAMP_MS),
      `must not output before the current element or timer (${this.currentMs}), got ${outputTimestampMs}`,
    );
    const latestMs = domain === "event-time" ? fireAtMs : expiresMs;
    const what = domain === "event-time" ? "after it fires" : "after its window has expired";
    this.#must(
      outputTimestampMs <= latestMs,
      `must not output ${what} (${latestMs}), got ${outputTimestampMs}`,
    );
  }

  #must(isRight: boolean, rule: string): void {
    if (isRight) return;
    const { family, domain } = this.family;
    throw new RangeError(`${domain} timer "${family}"${this.tag && ` with tag "${this.tag}"`} ${rule}`);
  }

  #update(set: TimerUpdate["set"]): void {
    const { keyId, key, window } = this.key;
    const { step: root, family } = this.family;
    this.scope.setTimer({ root, keyId, key, window, family, tag: this.tag, set });
  }
}
