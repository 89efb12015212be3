/** bootWorker(): the worker of a container before a runner in this process, over real gRPC. */
import "../../../../transforms/primitives/beam.js";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import type { InstructionRequest, InstructionResponse } from "apache-beam/proto/beam_fn_api";
import { beamFnControlDefinition } from "apache-beam/proto/beam_fn_api.grpc-server";
import { GetProvisionInfoResponse } from "apache-beam/proto/beam_provision_api";
import { provisionServiceDefinition } from "apache-beam/proto/beam_provision_api.grpc-server";
import type { ArtifactInformation } from "apache-beam/proto/beam_runner_api";
import { expect } from "chai";
import { bootWorker } from "../../../../runners/harness/worker/boot-worker.js";
import { sha256Of } from "../../../../runners/harness/worker/staged-modules.js";
import { moduleArtifact } from "../../../../runners/portable/artifact.js";
import { listLog } from "../../../pipelines/fake-job.js";

type Control = ServerDuplexStream<InstructionResponse, InstructionRequest>;

/** Provision and control on one port; each worker's control stream goes to `met`. */
class Runner {
  dependencies: ArtifactInformation[] = [];
  met: (control: Control, workerId: string) => void = () => undefined;
  endpoint = "";
  readonly #server = new Server();

  async start(): Promise<void> {
    this.#server.addService(provisionServiceDefinition, {
      getProvisionInfo: (_: unknown, answer: (error: null, response: GetProvisionInfoResponse) => void) => {
        const { dependencies } = this;
        const endpoint = { url: this.endpoint };
        const info = { controlEndpoint: endpoint, artifactEndpoint: endpoint, dependencies };
        answer(null, GetProvisionInfoResponse.create({ info }));
      },
    });
    this.#server.addService(beamFnControlDefinition, {
      control: (call: Control) => {
        call.on("error", () => undefined);
        call.on("end", () => call.end());
        this.met(call, String(call.metadata.get("worker_id")));
      },
      getProcessBundleDescriptor: () => undefined,
    });
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    this.endpoint = `127.0.0.1:${port}`;
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

describe("bootWorker()", () => {
  let runner: Runner;
  let root: string;
  let lines: string[];

  beforeEach(async () => {
    runner = new Runner();
    await runner.start();
    root = mkdtempSync(path.join(tmpdir(), "millrace-boot-"));
    lines = [];
  });
  afterEach(() => {
    runner.stop();
    rmSync(root, { recursive: true, force: true });
  });

  const boot = (signal: AbortSignal, lingerMs: number) =>
    bootWorker(["--id=w1", `--provision_endpoint=${runner.endpoint}`], {
      ...{ root, modules: [], log: listLog(lines), signal, lingerMs },
    });

  it("works for the runner that it was told of, and stays for a while after its control stream has ended", async () => {
    let endedMs = Number.POSITIVE_INFINITY;
    const workers: string[] = [];
    runner.met = (control, workerId) => {
      workers.push(workerId);
      endedMs = performance.now();
      control.end();
    };
    expect(await boot(new AbortController().signal, 500)).to.equal(0);
    expect(performance.now() - endedMs).to.be.greaterThan(490);
    expect(workers).to.deep.equal(["w1"]);
    expect(lines).to.deep.equal([
      `info worker w1 started for ${runner.endpoint}`,
      "debug it has answered 0 bundles",
      "info ended",
    ]);
  });

  it("does not stay when it is stopped meanwhile", async () => {
    const stop = new AbortController();
    runner.met = (control) => {
      control.end();
      setTimeout(() => stop.abort(), 200);
    };
    const startMs = performance.now();
    expect(await boot(stop.signal, 60_000)).to.equal(0);
    expect(performance.now() - startMs).to.be.below(30_000);
  });

  it("exits with 0 when it is stopped at work", async () => {
    const stop = new AbortController();
    runner.met = () => stop.abort();
    expect(await boot(stop.signal, 60_000)).to.equal(0);
  });

  it("answers why it cannot start, and exits with 1", async () => {
    const data = Buffer.from("x");
    const { information } = moduleArtifact({
      module: "a.js",
      sha256: sha256Of(data),
      data,
      isImported: true,
    });
    runner.dependencies = [{ ...information, rolePayload: Buffer.from('{"module":"../a.js"}') }];
    const answers: string[] = [];
    runner.met = (control) => {
      control.on("data", ({ error }: InstructionResponse) => {
        answers.push(error);
        control.end();
      });
      control.write({ instructionId: "1", request: { oneofKind: undefined } });
    };
    const reason = 'a staged module must name a path below its package, got "../a.js"';
    expect(await boot(new AbortController().signal, 0)).to.equal(1);
    expect(answers).to.deep.equal([`worker w1 cannot start: ${reason}`]);
    expect(lines.at(-1)).to.equal(`error ${reason}`);
  });

  it("exits with 2 when its flags are wrong, with a line for each", async () => {
    const options = { root, modules: [], log: listLog(lines), signal: new AbortController().signal };
    expect(await bootWorker(["--id=w1", "--provision_endpoint=x"], options)).to.equal(2);
    expect(lines).to.deep.equal(['error --provision_endpoint must be host:port, got "x"']);
  });
});
