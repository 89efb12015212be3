/** Puts the monitor of a run together: who watches the job, what is shown beside it, where it listens. */
import { readFileSync } from "node:fs";
import { SavepointError, Savepoints } from "../runners/direct/savepoints.js";
import { graphProto } from "../runners/graph/graph-proto.js";
import { jobGraph } from "../runners/graph/job-graph.js";
import { DIRECT_SINK_PLACE, JOB_SERVER_SINK_PLACE, sinksOf } from "../runners/graph/sinks.js";
import { translate } from "../runners/graph/translate.js";
import { JobInspector } from "../runners/inspect/job-inspector.js";
import { ActionRefusedError } from "../runners/job/job-inspection.js";
import { startMonitor } from "../runners/monitor/monitor-server.js";
import { ensureToken, removeAddress, writeAddress } from "../runners/monitor/token-file.js";
import { rememberSecret } from "../sql/redact.js";
import type { SqlSession } from "../sql/sql-session.js";
import type { Clock } from "../transforms/primitives/do-fn.js";
import type { LoadedConfig } from "./config.js";
import { describeEnvironment } from "./describe-environment.js";
import type { OpenMonitor } from "./verb.js";

const VERSION = (
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }
).version;

export const openMonitor: OpenMonitor = async (context, run, { early, startedAtMs }, ended) => {
  const { job, pipeline, database } = run;
  const { log, clock, loaded } = context;
  const { config } = loaded;
  const { connection } = database;
  const proto = graphProto(pipeline.graph);
  const sinks = sinksOf(proto, config.runner === "direct" ? DIRECT_SINK_PLACE : JOB_SERVER_SINK_PLACE);
  const inspector = new JobInspector(job, {
    ...{ runner: config.runner, version: VERSION, connection, clock, log },
    graph: jobGraph(translate(proto)),
    takesRetries: pipeline.takesRetries === true,
    takeSavepoint: config.runner === "direct" ? savepointOf(config.pipeline, clock) : undefined,
    startedAtMs,
    early,
  });
  // a job that has ended meanwhile is not shown any more, but its history is written
  if (ended.aborted) return { close: () => inspector.close() };
  try {
    await inspector.lookBack();
    const token = await ensureToken(config.stateDir);
    const monitor = await startMonitor({
      inspection: inspector,
      deadLetters: pipeline.deadLetters?.(inspector.queries),
      panels: (await pipeline.panels?.(connection)) ?? [],
      environment: () => describeEnvironment(loaded, VERSION, connection, sinks),
      warn: (message) => log.warn(message),
      ...{ token, host: config.monitorHost, port: config.monitorPort },
      allowedHosts: config.monitorAllowedHosts ?? [],
      tls: tlsFiles(config),
      isInsecureAllowed: config.monitorInsecure,
    });
    await writeAddress(config.stateDir, config.pipeline, { url: monitor.url, pid: process.pid });
    const taken = monitor.port === config.monitorPort ? "" : ` (port ${config.monitorPort} was taken)`;
    log.info(`watch it at ${monitor.url}/#token=${token}${taken}`);
    rememberSecret(token);
    return {
      close: async () => {
        await Promise.all([monitor.close(), inspector.close()]);
        await removeAddress(config.stateDir, config.pipeline);
      },
    };
  } catch (error) {
    await inspector.close();
    throw error;
  }
};

/** Named by the time, to the millisecond. */
function savepointOf(pipeline: string, clock: Clock) {
  return async (session: SqlSession): Promise<void> => {
    const name = `page-${new Date(clock.now()).toISOString().replaceAll(/[-:]/g, "")}`;
    try {
      await new Savepoints({ session, pipeline }).take(name, "page");
    } catch (error) {
      throw error instanceof SavepointError ? new ActionRefusedError(error.message) : error;
    }
  };
}

function tlsFiles(config: LoadedConfig["config"]) {
  const { monitorTlsCert: certFile, monitorTlsKey: keyFile } = config;
  return certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile };
}
