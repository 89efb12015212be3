/**
 * The README's commands in a fresh clone of what is committed: `npm ci`, `npm run demo`, `npm test`. As
 * root in a folder that only root can enter, and as an ordinary user.
 *
 * Run by `npm run test:clone`; it needs git and the npm registry. Of the tests a quick part is run, all
 * of them with MILLRACE_TEST_CLONE=all.
 */
import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { embeddedPostgresStatus } from "../../sql/embedded/embedded-postgres.js";

const projectDir = fileURLToPath(new URL("../../../", import.meta.url));
const UNPRIVILEGED_ID = 65_534;
const QUICK = "cli.js|pipeline --once|a second pipeline|DirectRunner";
/** Of this process's environment: how to reach the registry, nothing else. */
const PASSED_ON =
  /^(path|lang|lc_.*|node_extra_ca_certs|ssl_cert_(file|dir)|(https?|no)_proxy|npm_config_registry)$/i;

interface Person {
  readonly name: string;
  /** Undefined: whoever runs the tests. */
  readonly id: number | undefined;
}

const isRoot = process.getuid?.() === 0;
const people: Person[] = [
  { name: userInfo().username, id: undefined },
  ...(isRoot ? [{ name: "an ordinary user", id: UNPRIVILEGED_ID }] : []),
];

for (const person of people) {
  describe(`a fresh clone, as ${person.name}`, () => {
    let home: string;
    let clone: string;

    before(async () => {
      home = await mkdtemp(join(tmpdir(), "millrace-clone-"));
      clone = join(home, "a folder", "millrace");
      await mkdir(join(home, "a folder"));
      await run("git", ["clone", "--quiet", "--no-hardlinks", projectDir, clone]);
      const head = ["rev-parse", "HEAD"];
      expect(await run("git", head, { cwd: clone })).to.equal(await run("git", head, { cwd: projectDir }));
      if (person.id !== undefined) await run("chown", ["-R", `${person.id}:${person.id}`, home]);
      await chmod(home, 0o700);
    });
    after(async () => {
      await removeData();
      await rm(home, { recursive: true });
    });

    it("npm ci installs and builds", () => npm("ci"));

    it("npm run demo shows the five views", async () => {
      const output = await npm("run", "demo", "--", "--duration", "10");
      expect(output).to.match(/^user-events {2}DRAINED {2}100 read: \d+ written, /m);
      expect(output.match(/^v_\w+/gm)).to.have.lengthOf(5);
    });

    it("npm run status shows what the demo wrote", async () => {
      const output = await npm("run", "-s", "status", "--", "--json");
      const [status] = JSON.parse(output.slice(output.indexOf("[\n"), output.lastIndexOf("]") + 1));
      expect(status).to.include({ pipeline: "user-events", pid: null, records_read: 100 });
    });

    it("npm test is green", async () => {
      const part = process.env["MILLRACE_TEST_CLONE"] === "all" ? [] : ["--", "--grep", QUICK];
      const output = await npm("test", ...part);
      expect(output).to.match(/^ +\d+ passing/m);
      expect(output).to.not.match(/^ +\d+ (failing|pending)/m);
    });

    const npm = async (...argv: string[]): Promise<string> => {
      const output = await run("npm", argv, { cwd: clone, id: person.id, env: environment() });
      console.log(indented(`$ npm ${argv.join(" ")}\n${output.split("\n").slice(-12).join("\n")}`));
      return output;
    };

    function environment(): NodeJS.ProcessEnv {
      const entries = Object.entries(process.env).filter(([name]) => PASSED_ON.test(name));
      return { ...Object.fromEntries(entries), HOME: person.id === undefined ? homedir() : home };
    }

    /** Under root the server's account cannot reach the clone, and the data lie outside of it. */
    async function removeData(): Promise<void> {
      const { dataDir } = await embeddedPostgresStatus({ stateDir: join(clone, ".millrace") });
      if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true });
    }
  });
}

interface RunOptions {
  readonly cwd?: string;
  readonly id?: number | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end and gives all that it wrote. @throws with that when it fails. */
async function run(program: string, argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { cwd, id, env = process.env } = options;
  const account = id === undefined ? {} : { uid: id, gid: id };
  const child = spawn(program, argv, { cwd, env, ...account, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  if (code !== 0) throw new Error(`${program} ${argv.join(" ")} ended with ${code}:\n${output}`);
  return output;
}

function indented(text: string): string {
  return text.trimEnd().replace(/^/gm, "      ");
}
