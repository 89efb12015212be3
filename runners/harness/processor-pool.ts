/** Instances of a registered stage: as many as have run at once, used again while they are whole. */
import type { StagePlan } from "./descriptor/stage-plan.js";
import { StageProcessor, type StageSurroundings } from "./stage-processor.js";

export class ProcessorPool {
  readonly #idle: StageProcessor[] = [];

  constructor(
    private readonly plan: StagePlan,
    private readonly around: StageSurroundings,
  ) {}

  /** One that nobody uses. @throws StepFailedError what a `setup` of a new one throws. */
  async take(): Promise<StageProcessor> {
    return this.#idle.pop() ?? StageProcessor.create(this.plan, this.around);
  }

  /** After a bundle that succeeded. */
  giveBack(processor: StageProcessor): void {
    this.#idle.push(processor);
  }

  /** Tears down those that nobody uses; what they threw is returned. */
  async close(): Promise<unknown[]> {
    const errors = await Promise.all(this.#idle.splice(0).map((processor) => processor.teardown()));
    return errors.flat();
  }
}
