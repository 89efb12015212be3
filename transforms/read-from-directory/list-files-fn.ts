/** The DoFn that hands out the files which this run is to read. */
import { selectPlan } from "../../sql/planned-files.js";
import type { DoFn, ProcessContext, SetupContext } from "../primitives/do-fn.js";
import { registerDoFn } from "../primitives/fn-registry.js";

const FILES_PER_QUERY = 1_000;

/** Emits the run's planned files in their order, as `PlannedFileRow`; the element is ignored. */
class ListPlannedFilesFn implements DoFn {
  #setup!: SetupContext;

  /** @throws where the step is not part of a run. */
  setup(context: SetupContext): void {
    if (context.runId === undefined) {
      throw new Error("planned files are read for a run, and this worker was told of none");
    }
    this.#setup = context;
  }

  async process(_element: unknown, context: ProcessContext): Promise<void> {
    const { database, pipeline, runId } = this.#setup;
    for (let from = 0; ; from += FILES_PER_QUERY) {
      const files = await selectPlan(database, pipeline, runId!, from, FILES_PER_QUERY);
      for (const file of files) context.output(file);
      if (files.length < FILES_PER_QUERY) return;
      await context.room();
    }
  }
}

registerDoFn("list_planned_files@1", () => new ListPlannedFilesFn());
