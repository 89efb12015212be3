/** An instance of every stage: set up together, one epoch at a time, torn down together. */
import type { LoopOptions, LoopProcessor } from "./loop-options.js";

/** What a slot is set up from. */
type SlotOptions = Pick<LoopOptions, "stages" | "host" | "createProcessor" | "cancel">;

export class Slot {
  readonly processors = new Map<string, LoopProcessor>();
  /** Its last epoch is committed and finalized; the next one waits for that. */
  settled: Promise<void> = Promise.resolve();
  #settingUp: Promise<void> = Promise.resolve();
  readonly #going = new Set<string>();

  setUp(options: SlotOptions): Promise<void> {
    this.#settingUp = this.#setUp(options);
    return this.#settingUp;
  }

  /** Stages that are not torn down yet. */
  get going(): readonly string[] {
    return [...this.#going];
  }

  /** Ends the DoFns, also those whose `setup` ends only now; returns what their `teardown` threw. */
  async teardown(): Promise<unknown[]> {
    await Promise.allSettled([this.#settingUp, this.settled]);
    const ended = [...this.processors].map(async ([id, processor]) => {
      const errors = await processor.teardown();
      this.#going.delete(id);
      return errors;
    });
    return (await Promise.all(ended)).flat();
  }

  async #setUp({ stages, host, createProcessor, cancel }: SlotOptions): Promise<void> {
    for (const { id } of stages) {
      cancel.throwIfAborted();
      this.#going.add(id);
      try {
        this.processors.set(id, await createProcessor(id, host));
      } catch (error) {
        this.#going.delete(id);
        throw error;
      }
    }
  }
}
