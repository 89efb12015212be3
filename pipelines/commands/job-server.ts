/** `job-server spark|flink|prism`: a Beam job server of this machine, until a signal. */
import {
  type JobServerName,
  jobServers,
  startJobServer,
} from "../../runners/portable/job-servers/start-job-server.js";
import type { LoadedConfig } from "../config.js";
import { UsageError } from "../usage-error.js";
import type { VerbContext } from "../verb.js";

/** @throws UsageError for another name or a cluster of another server; JobServerStartError */
export async function runJobServer({ args, loaded, log, stop, stdout }: VerbContext): Promise<number> {
  const name = serverName(args);
  const master = masterOf(name, loaded);
  const { port, heap: heapBytes } = loaded.config.jobServer;
  const server = await startJobServer(name, { port, master, heapBytes, log });
  try {
    const where = master ?? "its own process";
    const flink = server.flinkRest === undefined ? "" : `flinkRest: "${server.flinkRest}", `;
    stdout.write(
      `${name} job server at ${server.endpoint}, jobs run in ${where}; Ctrl-C stops it\n` +
        `submit to it with portableRunner({ jobEndpoint: "${server.endpoint}", ${flink}… })\n`,
    );
    const problem = await Promise.race([server.whenEnded, whenFired(stop.requested)]);
    if (problem === undefined) return 0;
    log.error(`the ${name} job server ${problem}`);
    return 1;
  } finally {
    await server.stop();
  }
}

function serverName(args: readonly string[]): JobServerName {
  const known = jobServers.find((name) => name === args[0]);
  if (known !== undefined && args.length === 1) return known;
  throw new UsageError([
    `job-server must be followed by one of ${jobServers.join(", ")}, got ${JSON.stringify(args.join(" "))}`,
  ]);
}

/** The cluster's address; it is a mistake to name that of another server. */
function masterOf(name: JobServerName, { config, origins }: LoadedConfig): string | undefined {
  const { sparkMasterUrl, flinkMaster } = config.jobServer;
  const masters = { spark: sparkMasterUrl, flink: flinkMaster, prism: undefined };
  for (const [path, owner] of [
    ["jobServer.sparkMasterUrl", "spark"],
    ["jobServer.flinkMaster", "flink"],
  ] as const) {
    const origin = origins.get(path);
    if (owner !== name && masters[owner] !== undefined && origin?.layer === "flag")
      throw new UsageError([`${origin.name} is for job-server ${owner}, not ${name}`]);
  }
  return masters[name];
}

function whenFired(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
