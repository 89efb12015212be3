/** The DoFn of `deduplicate`: a bounded memory of accepted keys in front of the table's unique key. */
import { isAccepted } from "./acceptance.js";
import type { RecordOrigin, Sourced } from "./input-record.js";
import type { BundleContext, DoFn, ProcessContext, SetupContext } from "./primitives/do-fn.js";
import { registerDoFn } from "./primitives/fn-registry.js";
import { HORIZON_RECORDS_MAX, RecentValues } from "./recent-values.js";

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
  #seen = new RecentValues(1);
  /** What passed in this bundle, packed, so that nothing else holds on to values that wait for their commit. */
  #passed = this.#seen.createList();
  #records: RecordOrigin[] = [];

  constructor(config: DeduplicateConfig) {
    const { records } = config.horizon;
    if (!(Number.isInteger(records) && records >= 1 && records <= HORIZON_RECORDS_MAX)) {
      throw new Error(
        `deduplicate's horizon.records must be an integer from 1 to ${HORIZON_RECORDS_MAX}, got ${records}`,
      );
    }
    this.#key = config.key;
    this.#horizon = records;
  }

  setup(context: SetupContext): void {
    this.#seen = context.shared("seen", () => new RecentValues(this.#horizon));
    this.#passed = this.#seen.createList();
  }

  startBundle(context: BundleContext): void {
    this.#passed.clear();
    this.#records = [];
    context.afterCommit(() => this.#remember());
  }

  process(element: Sourced<Value>, context: ProcessContext): void {
    const passed = this.#passed;
    passed.push(element.value, this.#key);
    const remembered = this.#seen.look(passed, passed.length - 1);
    if (remembered === "nothing") {
      this.#records.push(element.record);
      context.output(element);
    } else {
      passed.dropLast();
      const { record } = element;
      const isEqual = remembered === "equal";
      context.ledger.add(record.file.fileId, isEqual ? "duplicates" : "conflicts");
      record.became(isEqual ? "duplicate" : "conflict");
    }
  }

  #remember(): void {
    this.#records.forEach((record, row) => {
      if (isAccepted(record)) this.#seen.add(this.#passed, row);
    });
  }
}

export const DEDUPLICATE_FN = registerDoFn(
  "deduplicate@1",
  (config: DeduplicateConfig) => new DeduplicateFn(config),
);
