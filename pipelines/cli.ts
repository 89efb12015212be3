/** The command line: `node dist/pipelines/cli.js <verb> [flags]`. */
import { main } from "./main.js";
import { parts } from "./wiring.js";

/** How long something that nobody closed may keep the process after its work is done. */
const LINGER_MS = 2_000;

// whoever looked at our output may leave; the stream goes on
for (const output of [process.stdout, process.stderr]) {
  output.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

process.exitCode = await main(process.argv.slice(2), parts, process);
// Left to end by itself, Node puts the signals' own meaning back before it is gone: a SIGTERM in between would
// kill what is done. exit() leaves our listeners in place.
process.once("beforeExit", (code) => process.exit(code));
setTimeout(() => process.exit(), LINGER_MS).unref();
