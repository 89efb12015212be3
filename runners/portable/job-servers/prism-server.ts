/** Prism, Beam's own local runner: a program in Go. */
import path from "node:path";
import { installOnce } from "./install-once.js";
import type { JobServerSpec, PrepareServer } from "./job-server-spec.js";
import { JobServerStartError } from "./job-server-start-error.js";
import { lastLines, runProgram } from "./run-program.js";

const PACKAGE = "github.com/apache/beam/sdks/v2/go/cmd/prism";
const VERSION = "v2.73.0";
const NEED_GO = "install Go, which builds Prism once";

export const preparePrism: PrepareServer = async (spec) => ({
  program: path.join(await installPrism(spec), "prism"),
  args: [`--job_port=${spec.port}`, "--serve_http=false"],
  env: {},
});

/** The folder with the program. */
function installPrism({ cacheDir, log }: JobServerSpec): Promise<string> {
  return installOnce(path.join(cacheDir, `prism-${VERSION}`), async (folder) => {
    log.info(`building Prism ${VERSION}, once`);
    const install = ["install", `${PACKAGE}@${VERSION}`];
    const { exitCode, output } = await runProgram("go", install, NEED_GO, { GOBIN: folder });
    if (exitCode === 0) return;
    throw new JobServerStartError(
      "install_failed",
      `Go could not build Prism ${VERSION} (exit code ${exitCode}):\n${lastLines(output)}`,
    );
  });
}
