/** stageArtifacts() against a staging service in this process, over real gRPC. */
import "../../../transforms/primitives/beam.js";
import { Server, ServerCredentials, type ServerDuplexStream, type ServiceDefinition } from "@grpc/grpc-js";
import {
  ArtifactRequestWrapper,
  type ArtifactResponseWrapper,
  ArtifactStagingService,
} from "apache-beam/proto/beam_artifact_api";
import { ArtifactFilePayload, ArtifactInformation } from "apache-beam/proto/beam_runner_api";
import { expect } from "chai";
import { sha256Of } from "../../../runners/harness/worker/staged-modules.js";
import { type Artifact, moduleArtifact } from "../../../runners/portable/artifact.js";
import { stageArtifacts } from "../../../runners/portable/stage-artifacts.js";

type Call = ServerDuplexStream<ArtifactResponseWrapper, ArtifactRequestWrapper>;

const definition: ServiceDefinition = Object.fromEntries(
  ArtifactStagingService.methods.map(({ localName, name, I, O }) => [
    localName,
    {
      path: `/${ArtifactStagingService.typeName}/${name}`,
      ...{ requestStream: true, responseStream: true },
      requestSerialize: (message: object) => Buffer.from(I.toBinary(message)),
      requestDeserialize: (bytes: Uint8Array) => I.fromBinary(bytes),
      responseSerialize: (message: object) => Buffer.from(O.toBinary(message)),
      responseDeserialize: (bytes: Uint8Array) => O.fromBinary(bytes),
    },
  ]),
);

/** Asks for all of `wanted` at once, and hands their contents to `done`, in the order of the answers. */
class StagingServer {
  readonly contents: Buffer[] = [];
  readonly tokens = new Set<string>();
  readonly #server = new Server();

  async start(wanted: readonly ArtifactInformation[]): Promise<string> {
    this.#server.addService(definition, {
      reverseArtifactRetrievalService: (call: Call) => this.#serve(call, wanted),
    });
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    return `127.0.0.1:${port}`;
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #serve(call: Call, wanted: readonly ArtifactInformation[]): void {
    let chunks: Uint8Array[] = [];
    call.on("error", () => undefined);
    call.on("data", ({ stagingToken, response, isLast }: ArtifactResponseWrapper) => {
      this.tokens.add(stagingToken);
      if (response.oneofKind === undefined) {
        for (const artifact of wanted) {
          const getArtifact = { artifact };
          call.write(ArtifactRequestWrapper.create({ request: { oneofKind: "getArtifact", getArtifact } }));
        }
      } else if (response.oneofKind === "getArtifactResponse") {
        chunks.push(response.getArtifactResponse.data);
        if (!isLast) return;
        this.contents.push(Buffer.concat(chunks));
        chunks = [];
        if (this.contents.length === wanted.length) call.end();
      }
    });
  }
}

function artifactOf(module: string, data: Buffer): Artifact {
  return moduleArtifact({ module, data, sha256: sha256Of(data), isImported: true });
}

describe("stageArtifacts()", () => {
  let server: StagingServer;

  beforeEach(() => {
    server = new StagingServer();
  });
  afterEach(() => server.stop());

  it("answers a server that asks for several at once in its order, each whole", async () => {
    const big = Buffer.alloc(5_000_001, "big");
    const artifacts = [
      artifactOf("a/big.js", big),
      artifactOf("a/x.js", Buffer.from("one")),
      artifactOf("b/x.js", Buffer.from("two")),
      artifactOf("empty.js", Buffer.alloc(0)),
    ];
    const wanted = artifacts.map(({ information }) => information);
    const endpoint = await server.start([...wanted, ...wanted].reverse());
    await stageArtifacts(endpoint, "token", artifacts);
    const contents = ["", "two", "one", big.toString()];
    expect(server.contents.map(String)).to.deep.equal([...contents, ...contents]);
    expect([...server.tokens]).to.deep.equal(["token"]);
  });

  it("gives a server no file that is not the job's, whatever path it asks for", async () => {
    const own = artifactOf("a.js", Buffer.from("a"));
    const typePayload = ArtifactFilePayload.toBinary({ path: "/etc/passwd", sha256: "" });
    const foreign = ArtifactInformation.create({ typeUrn: own.information.typeUrn, typePayload });
    const endpoint = await server.start([own.information, foreign]);
    const error = await stageArtifacts(endpoint, "token", [own]).catch((reason: unknown) => reason);
    expect((error as Error).message).to.equal(
      `job server ${endpoint}: it asked for "/etc/passwd" (beam:artifact:type:file:v1), which is no artifact of the job`,
    );
    // the answer to the first may have been on its way
    expect(server.contents.map(String).join()).to.match(/^a?$/);
  });
});
