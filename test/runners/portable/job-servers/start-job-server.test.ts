/** startJobServer(): what is in the way of a server, and how it ends; with programs of the test's own in place of java, mvn, go. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as later } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import {
  type JobServerName,
  type JobServerOptions,
  startJobServer,
} from "../../../../runners/portable/job-servers/start-job-server.js";

const FAKE_PRISM = fileURLToPath(new URL("./fake-prism.js", import.meta.url));
const PARENT = fileURLToPath(new URL("./parent.js", import.meta.url));
const log = { debug() {}, info() {}, warn() {}, error() {} };

describe("startJobServer()", () => {
  const { PATH, JAVA_HOME, TMPDIR } = process.env;
  let root: string;
  let cacheDir: string;

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), "millrace-job-server-"));
    cacheDir = path.join(root, "cache");
    for (const folder of ["bin", "tmp"]) mkdirSync(path.join(root, folder));
    process.env["PATH"] = `${path.join(root, "bin")}:/usr/bin:/bin`;
    process.env["TMPDIR"] = path.join(root, "tmp");
    delete process.env["JAVA_HOME"];
  });

  afterEach(() => {
    for (const [name, value] of Object.entries({ PATH, JAVA_HOME, TMPDIR })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(root, { recursive: true, force: true });
  });

  function program(name: string, script: string): void {
    writeFileSync(path.join(root, "bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** `go install` of a program that is `script`. */
  function prism(script: string): void {
    program("go", `printf '%s\\n' '#!/bin/sh' '${script}' > "$GOBIN/prism"; chmod +x "$GOBIN/prism"`);
  }

  async function failure(name: JobServerName, options: Partial<JobServerOptions> = {}) {
    const error = await startJobServer(name, { port: 0, cacheDir, log, ...options }).then(
      async (server) => {
        await server.stop();
        throw new Error("the server has started");
      },
      (reason: Error & { code?: string }) => reason,
    );
    expect(readdirSync(path.join(root, "tmp")), "left over").to.deep.equal([]);
    return [error.code, error.message];
  }

  it("a port that is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    expect(await failure("prism", { port })).to.deep.equal([
      "port_taken",
      `port ${port} is in use: choose another with --port`,
    ]);
    other.close();
  });

  it("a program that is missing", async () => {
    const java = path.join(root, "no-java", "bin", "java");
    process.env["JAVA_HOME"] = path.join(root, "no-java");
    expect(await failure("spark")).to.deep.equal([
      "program_missing",
      `\`${java}\` is not on the PATH: install Java 11 to 17, or set JAVA_HOME`,
    ]);
    delete process.env["JAVA_HOME"];
    program("java", `echo 'openjdk version "17.0.1"' >&2`);
    process.env["PATH"] = path.join(root, "bin");
    expect(await failure("spark")).to.deep.equal([
      "program_missing",
      "`mvn` is not on the PATH: install Maven, which fetches the job server's jars once",
    ]);
    expect(await failure("prism")).to.deep.equal([
      "program_missing",
      "`go` is not on the PATH: install Go, which builds Prism once",
    ]);
  });

  it("a Java of the wrong version, too old, too new, or unknown", async () => {
    for (const [says, found] of [
      ['java version "1.8.0_292"', "version 8"],
      ['openjdk version "21.0.2" 2024-01-16', "version 21"],
      ["hello", "of an unknown version"],
    ] as const) {
      program("java", `echo '${says}' >&2`);
      expect(await failure("flink")).to.deep.equal([
        "program_version",
        `\`java\` is ${found}: install Java 11 to 17, or set JAVA_HOME`,
      ]);
    }
  });

  it("an installation that fails leaves nothing, and tells the reason", async () => {
    program("go", "echo 'module not found: error 404' >&2; exit 3");
    expect(await failure("prism")).to.deep.equal([
      "install_failed",
      "Go could not build Prism v2.73.0 (exit code 3):\nmodule not found: error 404",
    ]);
    expect(readdirSync(cacheDir)).to.deep.equal([]);
  });

  it("a server that dies before it answers", async () => {
    prism("echo no room left; exit 7");
    expect(await failure("prism")).to.deep.equal([
      "did_not_start",
      "the prism job server ended with exit code 7:\nno room left",
    ]);
  });

  it("a server that answers is stopped with its files, and its end is no failure", async () => {
    prism(`exec ${process.execPath} ${FAKE_PRISM} "$@"`);
    const server = await startJobServer("prism", { port: 0, cacheDir, log });
    expect(readdirSync(path.join(root, "tmp")).length).to.equal(1);
    await server.stop();
    expect(await server.whenEnded).to.equal(undefined);
    expect(isRunning(server.pid)).to.equal(false);
    expect(readdirSync(path.join(root, "tmp"))).to.deep.equal([]);
  });

  it("a server is in a process group of its own, which a terminal's Ctrl-C does not reach", async () => {
    prism(`exec ${process.execPath} ${FAKE_PRISM} "$@"`);
    const server = await startJobServer("prism", { port: 0, cacheDir, log });
    const fields = readFileSync(`/proc/${server.pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    expect(Number(fields[2])).to.equal(server.pid);
    await server.stop();
  });

  it("a server that is killed tells how it ended", async () => {
    prism(`exec ${process.execPath} ${FAKE_PRISM} "$@"`);
    const server = await startJobServer("prism", { port: 0, cacheDir, log });
    process.kill(server.pid, "SIGKILL");
    expect(await server.whenEnded).to.equal("was killed by SIGKILL");
  });

  it("a server ends with its parent, and its files with it, also when that is killed", async () => {
    prism(`exec ${process.execPath} ${FAKE_PRISM} "$@"`);
    const parent = spawn(process.execPath, [PARENT, cacheDir], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(parent.stdout!, "data")) as [Buffer];
    const pid = Number(line.toString());
    expect(isRunning(pid)).to.equal(true);
    parent.kill("SIGKILL");
    while (isRunning(pid) || readdirSync(path.join(root, "tmp")).length > 0) await later(20);
    expect(existsSync(cacheDir)).to.equal(true);
  });
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).to.equal("ESRCH");
    return false;
  }
}
