/** driverArgs(): how the JVM of a job server is called. */
import { expect } from "chai";
import { driverArgs } from "../../../../runners/portable/job-servers/java.js";
import type { JobServerSpec } from "../../../../runners/portable/job-servers/job-server-spec.js";

const spec: JobServerSpec = {
  ...{ port: 8_099, master: undefined, cacheDir: "/cache", workDir: "/work-of-it" },
  heapBytes: 2 * 1024 ** 3,
  log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
};

describe("driverArgs()", () => {
  it("gives the JVM so much memory for objects, in whole MiB", () => {
    const heapOf = (heapBytes: number) =>
      driverArgs("Main", "/jars", { ...spec, heapBytes }).filter((arg) => arg.startsWith("-Xm"));
    expect(heapOf(2 * 1024 ** 3)).to.deep.equal(["-Xmx2048m"]);
    expect(heapOf(4 * 1024 ** 3 + 1)).to.deep.equal(["-Xmx4097m"]);
  });

  it("listens on this machine alone, and keeps its files in its own folder", () => {
    const args = driverArgs("Main", "/jars", spec);
    expect(args).to.include.members([
      "--job-host=127.0.0.1",
      "--job-port=8099",
      "-Djava.io.tmpdir=/work-of-it",
      "--artifacts-dir=/work-of-it/artifacts",
    ]);
    expect(args.slice(args.indexOf("-cp"), args.indexOf("-cp") + 3)).to.deep.equal([
      "-cp",
      "/jars/*",
      "Main",
    ]);
  });
});
