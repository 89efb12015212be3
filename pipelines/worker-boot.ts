/** What the worker image runs: one worker for the runner that has started the container (Beam's DOCKER environment). */

const stop = new AbortController();
// first of all: the first process of a container that does not listen never sees a signal
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.abort());

const [{ bootWorker }, { createLog }] = await Promise.all([
  import("../runners/harness/worker/boot-worker.js"),
  import("./reporting/create-log.js"),
]);
const log = await createLog({
  level: "info",
  style: "plain",
  now: () => new Date(),
  write: (text) => void process.stderr.write(text),
});
const exitCode = await bootWorker(process.argv.slice(2), {
  root: process.cwd(),
  // every transform of the project, whichever of them a job uses
  modules: [new URL("../transforms/all-do-fns.js", import.meta.url).href],
  log,
  signal: stop.signal,
});
process.exit(exitCode);
