/** Which real part stands behind each name: the one place to add a verb, a runner or a pipeline. */
import { systemClock } from "../transforms/primitives/system-clock.js";
import type { Parts } from "./verb.js";

export const parts: Parts = {
  clock: systemClock,
  verbs: {
    pipeline: async () => (await import("./commands/pipeline.js")).runPipeline,
    generate: async () => (await import("./simple-verbs.js")).generate,
    status: async () => (await import("./simple-verbs.js")).status,
    "dead-letters": async () => (await import("./commands/dead-letters.js")).runDeadLetters,
    savepoints: async () => (await import("./commands/savepoints.js")).runSavepoints,
    migrate: async () => (await import("./simple-verbs.js")).migrate,
    graph: async () => (await import("./simple-verbs.js")).graph,
    db: async () => (await import("./simple-verbs.js")).db,
    demo: async () => (await import("./commands/demo.js")).runDemo,
    "job-server": async () => (await import("./commands/job-server.js")).runJobServer,
    worker: async () => (await import("./commands/worker.js")).runWorkerPool,
  },
  runners: {
    direct: async () => {
      const { DirectRunner } = await import("../runners/direct/direct-runner.js");
      return () => new DirectRunner();
    },
    spark: async () => (await import("./job-server-runner.js")).onJobServer("spark"),
    flink: async () => (await import("./job-server-runner.js")).onJobServer("flink"),
    prism: async () => (await import("./job-server-runner.js")).onJobServer("prism"),
    portable: async () => (await import("./job-server-runner.js")).onJobServer("portable"),
  },
  pipelines: {
    "user-events": async () => (await import("./user-events-for-config.js")).userEventsForConfig,
    "live-metrics": async () => (await import("./live-metrics-for-config.js")).liveMetricsForConfig,
  },
  loadEmbedded: async () => {
    const { openEmbeddedPostgres } = await import("../sql/embedded/embedded-postgres.js");
    return (options) => openEmbeddedPostgres({ ...options, log: (message) => options.log.info(message) });
  },
  loadSchema: async () => (await import("./database-schema.js")).databaseSchema,
  loadRecordLog: async () => {
    const { RotatingLineLog } = await import("../transforms/rotating-line-log.js");
    return (path, onError) => new RotatingLineLog(path, { onError });
  },
  loadMonitor: async () => (await import("./open-monitor.js")).openMonitor,
};
