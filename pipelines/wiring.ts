/** Which real part stands behind each name: the one place to add a verb, a runner or a pipeline. */

import { systemClock } from "./system-clock.js";
import type { Parts } from "./verb.js";

export const parts: Parts = {
  clock: systemClock,
  verbs: {
    pipeline: async () => (await import("./commands/pipeline.js")).runPipeline,
    demo: async () => (await import("./commands/demo.js")).runDemo,
  },
  runners: {},
  pipelines: {},
  loadEmbedded: () => absent("embedded PostgreSQL"),
  loadSchema: () => absent("migrations"),
  loadRecordLog: () => absent("metrics log"),
};

/** Says so, instead of pretending. */
async function absent(part: string): Promise<never> {
  throw new Error(`this build has no ${part}`);
}
