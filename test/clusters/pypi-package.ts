/** Packages of PyPI that hold the jars of a cluster: installed once, into the folder where job servers are kept. */
import path from "node:path";
import { defaultCacheDir, installOnce } from "../../runners/portable/job-servers/install-once.js";
import { lastLines, runProgram } from "../../runners/portable/job-servers/run-program.js";

const NEED_PYTHON = "install Python 3 with pip, which fetches the cluster's jars once";

/** The folder in which the package lies. `requirement` is `name==version`. @throws when it cannot be installed */
export function installedPackage(requirement: string): Promise<string> {
  return installOnce(path.join(defaultCacheDir(), `pypi-${requirement}`), async (folder) => {
    const install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, requirement];
    const { exitCode, output } = await runProgram("python3", install, NEED_PYTHON);
    if (exitCode !== 0)
      throw new Error(`pip could not install ${requirement} (exit code ${exitCode}):\n${lastLines(output)}`);
  });
}
