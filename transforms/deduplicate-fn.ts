/** The DoFn of `deduplicate`: a bounded memory of accepted keys in front of the table's unique key. */
import { isAccepted } from "./acceptance.js";
import type { Sourced } from "./input-record.js";
import type { BundleContext, DoFn, ProcessContext, SetupContext } from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import { RecentKeys } from "./recent-keys.js";

export interface DeduplicateConfig {
  /** Field of the value that identifies an event. */
  readonly key: string;
  /** How many accepted keys are remembered at the most. */
  readonly horizon: { readonly records: number };
}

type Value = Readonly<Record<string, unknown>>;

/**
 * Lets a value pass unless its key belongs to a row that is already committed and still remembered:
 * then it is counted as a duplicate (all fields equal) or a conflict, exactly as the table would.
 *
 * An id counts as seen only once a row of it was accepted, so keys enter the memory with their
 * commit; repeats within epochs in flight pass, and the unique key of the table has the last word.
 * The memory is derivable state: losing it costs speed, never truth.
 */
export class DeduplicateFn implements DoFn<Sourced<Value>> {
  readonly #key: string;
  readonly #horizon: number;
  #seen = new RecentKeys(1);
  #passed: Sourced<Value>[] = [];

  constructor(config: DeduplicateConfig) {
    if (!(Number.isInteger(config.horizon.records) && config.horizon.records > 0)) {
      throw new Error(
        `deduplicate's horizon.records must be a positive integer, got ${config.horizon.records}`,
      );
    }
    this.#key = config.key;
    this.#horizon = config.horizon.records;
  }

  setup(context: SetupContext): void {
    this.#seen = context.shared("seen", () => new RecentKeys(this.#horizon));
  }

  startBundle(context: BundleContext): void {
    const passed: Sourced<Value>[] = [];
    this.#passed = passed;
    context.afterCommit(() => {
      for (const { record, value } of passed) {
        if (isAccepted(record)) this.#seen.add(String(value[this.#key]), textOf(value));
      }
    });
  }

  process(element: Sourced<Value>, context: ProcessContext): void {
    const stored = this.#seen.get(String(element.value[this.#key]));
    if (stored === undefined) {
      this.#passed.push(element);
      context.output(element);
    } else {
      context.ledger.add(
        element.record.file.fileId,
        stored === textOf(element.value) ? "duplicates" : "conflicts",
      );
    }
  }
}

/** All fields as one text, equal exactly for equal values of one schema. */
function textOf(value: Value): string {
  let text = "";
  for (const name in value) {
    const field = value[name];
    // The length in front keeps fields apart, whatever they hold.
    text += typeof field === "string" ? `${field.length}:${field}` : `,${JSON.stringify(field)},`;
  }
  return text;
}

export const DEDUPLICATE_FN = registerDoFn(
  "deduplicate@1",
  (config: DeduplicateConfig) => new DeduplicateFn(config),
);
