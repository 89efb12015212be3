/** The worker image on a real container engine: what job servers start, with modules that it does not hold. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { sha256Of } from "../../runners/harness/worker/staged-modules.js";
import {
  jobServers,
  type RunningJobServer,
  startJobServer,
} from "../../runners/portable/job-servers/start-job-server.js";
import { type PortableRunnerOptions, portableRunner } from "../../runners/portable/portable-runner.js";
import { impulse, JobState_Enum, P, type Root, withName } from "../../transforms/primitives/beam.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { reshuffle } from "../../transforms/primitives/reshuffle.js";
import { ShopPackage } from "../portable/shop-package.js";
import { KeptLog } from "../portable/targets.js";
import { endOf, eventually, outputOf } from "./program.js";
import { POST, VISITS } from "./visit-fns.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FNS = fileURLToPath(new URL("./visit-fns.js", import.meta.url));
const IMAGE = `millrace-worker-test-${process.pid}`;
const CHANGED_IMAGE = `${IMAGE}-changed`;
const COUNT = 1_000;
const SHOUTED = Array.from({ length: COUNT }, (_, n) => `VISIT ${n}`).sort();

/** Takes what `POST` posts. */
class Collector {
  readonly lines: string[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      this.lines.push(Buffer.concat(chunks).toString());
      response.end();
    });
  }

  static async start(): Promise<Collector> {
    const collector = new Collector();
    await new Promise<void>((resolve) => collector.#server.listen(0, "127.0.0.1", resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

describe("the worker image", function () {
  this.timeout(300_000);

  const shop = new ShopPackage();
  let folder: string;
  let collector: Collector;

  before("image", async function () {
    this.timeout(900_000); // installs and builds
    await outputOf(["docker", "build", "--quiet", "--target", "worker", "--tag", IMAGE, ROOT]);
    folder = await mkdtemp(path.join(tmpdir(), "millrace-worker-image-"));
  });
  after(async () => {
    shop.remove();
    for (const id of await containersOf([IMAGE, CHANGED_IMAGE])) await endOf(["docker", "rm", "--force", id]);
    await endOf(["docker", "image", "rm", "--force", IMAGE, CHANGED_IMAGE]);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    collector = await Collector.start();
  });
  afterEach(() => collector.stop());

  const graph = (root: Root) => {
    const start = root.apply(withName("Impulse", impulse()));
    const visits = P(start).apply(withName("Visits", registeredParDo<unknown, string>(VISITS, COUNT)));
    const shuffled = P(visits).apply(withName("Reshuffle", reshuffle<string>()));
    const shouted = P(shuffled).apply(
      withName("Shout", registeredParDo<string, string>(ShopPackage.SHOUT, null)),
    );
    P(shouted).apply(withName("Post", registeredParDo<string, unknown>(POST, collector.url)));
  };

  it("is not root's, and holds no module of the tests", async () => {
    const run = ["docker", "run", "--rm", "--entrypoint", "sh", IMAGE, "-c"];
    expect(await outputOf([...run, "id -un; ls dist"])).to.equal(
      "node\ndata\npipelines\nrunners\nsql\ntransforms\n",
    );
  });

  it("says what is wrong with its flags, and exits with 2", async () => {
    const none = await endOf(["docker", "run", "--rm", IMAGE]);
    expect(none.exitCode).to.equal(2);
    expect(messagesOf(none.stderr)).to.deep.equal(["--id is missing", "--provision_endpoint is missing"]);
    const wrong = ["--id=1", "--provision_endpont=localhost:1", "--control_endpoint=here"];
    expect(messagesOf((await endOf(["docker", "run", "--rm", IMAGE, ...wrong])).stderr)).to.deep.equal([
      'there is no flag --provision_endpont. Did you mean "provision_endpoint"?',
      "--provision_endpoint is missing",
      '--control_endpoint must be host:port, got "here"',
    ]);
  });

  it("exits with 1 when nobody answers at its provision endpoint", async () => {
    const boot = ["docker", "run", "--rm", "--network=host", IMAGE, "--id=1"];
    const { exitCode, stderr } = await endOf([...boot, "--provision_endpoint=127.0.0.1:1"]);
    expect(exitCode).to.equal(1);
    expect(stderr).to.include("provision service 127.0.0.1:1 gave no answer");
  });

  it("ends with 0 on SIGTERM, also as the container's first process", async () => {
    const run = ["docker", "run", "--detach", "--network=host", IMAGE, "--id=1"];
    const id = (await outputOf([...run, "--provision_endpoint=127.0.0.1:1"])).trim();
    try {
      const logs = async () => (await endOf(["docker", "logs", id])).stderr;
      await eventually("it has started", logs, (text) => text.includes("worker 1 started"));
      await outputOf(["docker", "stop", "--time", "60", id]);
      expect((await outputOf(["docker", "wait", id])).trim()).to.equal("0");
    } finally {
      await endOf(["docker", "rm", "--force", id]);
    }
  });

  for (const name of jobServers) {
    describe(`on ${name}`, () => {
      let server: RunningJobServer;
      const log = new KeptLog();
      const runner = (options: Partial<PortableRunnerOptions> = {}) =>
        portableRunner({
          ...{ jobEndpoint: server.endpoint, environment: "docker", image: IMAGE, log },
          ...{ modules: [FNS, shop.module], ...options },
        });

      before("server", async function () {
        this.timeout(600_000); // it may have to be installed
        server = await startJobServer(name, { port: 0, log });
      });
      after(() => server?.stop());

      it("runs modules of two packages that it fetches, and each element once", async () => {
        const before = await containersOf([IMAGE]);
        const result = await runner().run(graph);
        expect(await result.waitUntilFinish()).to.equal(JobState_Enum.DONE);
        expect(collector.lines.sort()).to.deep.equal(SHOUTED);
        const left = async () => (await containersOf([IMAGE])).filter((id) => !before.includes(id));
        await eventually("no container is left", left, (ids) => ids.length === 0);
      });

      it("fails with the name of a DoFn that no module registers", async () => {
        const error = await rejected(runner({ modules: [FNS] }).run(graph));
        expect(error.message).to.match(/no DoFn is registered as "shop-jobs\/shout@1"/);
        expect(collector.lines).to.deep.equal([]);
        await expectNoneRuns(IMAGE);
      });

      it("refuses a module that the image has with another content, naming both hashes", async () => {
        const image = await buildChangedImage(folder);
        const error = await rejected(runner({ image }).run(graph));
        const staged = sha256Of(await readFile(FNS));
        expect(error.message).to.match(
          new RegExp(
            `module dist/test/containers/visit-fns.js was staged with SHA-256 ${staged}, but .* has ${sha256Of(CHANGED)}`,
          ),
        );
        expect(collector.lines).to.deep.equal([]);
        await expectNoneRuns(image);
      });
    });
  }
});

const CHANGED = Buffer.from("export const changed = true;\n");

/** The worker image with a module of the tests, but not as they stage it. */
async function buildChangedImage(folder: string): Promise<string> {
  const context = path.join(folder, "changed");
  await mkdir(context, { recursive: true });
  await writeFile(path.join(context, "visit-fns.js"), CHANGED);
  const lines = [`FROM ${IMAGE}`, "COPY visit-fns.js /app/dist/test/containers/visit-fns.js"];
  await writeFile(path.join(context, "Dockerfile"), `${lines.join("\n")}\n`);
  await outputOf(["docker", "build", "--quiet", "--tag", CHANGED_IMAGE, context]);
  return CHANGED_IMAGE;
}

/** Whether they run or have ended. */
async function containersOf(images: readonly string[]): Promise<string[]> {
  const filters = images.flatMap((image) => ["--filter", `ancestor=${image}`]);
  const ids = await outputOf(["docker", "ps", "--all", "--quiet", ...filters]);
  return ids.split("\n").filter((id) => id !== "");
}

/** Flink may leave a container of a failed job behind, when the task that removes it is interrupted; it has ended. */
async function expectNoneRuns(image: string): Promise<void> {
  const list = () => outputOf(["docker", "ps", "--quiet", "--filter", `ancestor=${image}`]);
  await eventually("every container has ended", list, (ids) => ids === "");
}

function messagesOf(log: string): string[] {
  return log
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/^\S+ error /, ""));
}

async function rejected(promise: Promise<unknown>): Promise<Error> {
  const nothing = Symbol("nothing");
  const error = await promise.then(
    () => nothing,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(Error);
  return error as Error;
}
