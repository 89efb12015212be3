/** `worker`: a pool of workers for runners on job servers (Beam's EXTERNAL environment). */
import { startProcessPool } from "../../runners/harness/worker/process-pool.js";
import { databaseVariables } from "../open-database.js";
import type { VerbContext } from "../verb.js";

/** Serves until a signal, then stops its workers. @throws when the address is taken */
export async function runWorkerPool({ loaded, env, log, stop, stdout }: VerbContext): Promise<number> {
  const { host, port, processes } = loaded.config.worker;
  const pool = await startProcessPool({
    host,
    port,
    processes,
    root: process.cwd(),
    modules: OWN_MODULES,
    environment: databaseVariables({ loaded, env }),
    log,
  });
  stdout.write(`worker pool at ${pool.endpoint}, up to ${processes} processes; Ctrl-C stops it\n`);
  await whenFired(stop.requested);
  log.info(`${stop.requested.reason}: stopping the workers`);
  await pool.stop();
  return 0;
}

/** Every transform of the project, whichever of them a job uses. */
const OWN_MODULES = [new URL("../../transforms/all-do-fns.js", import.meta.url).href];

function whenFired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
