/** The page of a run where others reach it: TLS or a word for its absence, and the token for everything. */
import { writeFile } from "node:fs/promises";
import { request as plainRequest } from "node:http";
import { request } from "node:https";
import { expect } from "chai";
import { routes } from "../../runners/monitor/routes.js";
import type { RunningCommand } from "../support/product.js";
import { type Certificate, selfSigned } from "../support/self-signed.js";
import { product, useFreshProduct } from "./fresh-product.js";

const LINK = /watch it at (https?):\/\/127\.0\.0\.1:(\d+)\/#token=([\w-]+)/;
const EVERYWHERE = "--monitor-host=0.0.0.0";

interface Watched {
  readonly scheme: string;
  readonly port: number;
  readonly token: string;
}

describe("the page of a run for others than users of this machine", () => {
  useFreshProduct();

  let certificate: Certificate;
  let tls: string[];
  beforeEach(async () => {
    certificate = selfSigned();
    const [cert, key] = [product.path("cert.pem"), product.path("key.pem")];
    await writeFile(cert, certificate.cert);
    await writeFile(key, certificate.key);
    tls = [`--monitor-tls-cert=${cert}`, `--monitor-tls-key=${key}`];
  });

  async function watched(...flags: string[]): Promise<Watched> {
    const command: RunningCommand = product.start(["pipeline", "--quiet-ms=50", ...flags]);
    await command.says(LINK);
    const [, scheme, port, token] = LINK.exec(command.stderr)!;
    return { scheme: scheme!, port: Number(port), token: token! };
  }

  /** Over TLS, of a server that must be the one with our certificate; over plain HTTP if it says so. */
  function ask(run: Watched, path: string, headers: Record<string, string> = {}, method = "GET") {
    const isSecure = run.scheme === "https";
    const at = { host: "127.0.0.1", port: run.port, path, method, headers, agent: false };
    return new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
      const sent = isSecure
        ? request({ ...at, ca: certificate.cert, servername: "localhost" })
        : plainRequest(at);
      sent.on("response", (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          body += part;
        });
        response.on("end", () => resolve({ status: response.statusCode!, body }));
      });
      sent.on("error", reject);
      sent.end();
    });
  }

  it("is not started without TLS or the flag, nor with half of a certificate", async () => {
    const refusals: [string[], string][] = [
      [[EVERYWHERE], 'monitorHost "0.0.0.0" can be reached by others: give --monitor-tls-cert and'],
      [["--monitor-host=::"], 'monitorHost "::" can be reached by others'],
      [[EVERYWHERE, tls[0]!], "monitorTlsCert and monitorTlsKey belong together"],
      [[tls[1]!], "monitorTlsCert and monitorTlsKey belong together"],
    ];
    for (const [flags, message] of refusals) {
      const { code, stderr } = await product.run(["pipeline", "--once", ...flags]);
      expect(code, stderr).to.equal(2);
      expect(stderr).to.include(message);
    }
  });

  it("answers over TLS alone, and everything needs the token", async () => {
    const run = await watched(EVERYWHERE, ...tls);
    expect(run.scheme).to.equal("https");
    const authorization = `Bearer ${run.token}`;
    const overview = await ask(run, "/api/overview", { authorization });
    expect(overview.status).to.equal(200);
    expect(JSON.parse(overview.body)).to.include({ state: "RUNNING" });
    for (const { method, path } of routes) {
      const asked = path.replace(/:(epoch|id)/, "1").replace(":name", "v_top_products");
      expect((await ask(run, asked, {}, method)).status, `${method} ${path}`).to.equal(401);
      const wrong = await ask(run, asked, { authorization: "Bearer wrong" }, method);
      expect(wrong.status, `${method} ${path}`).to.equal(401);
    }
    expect((await ask(run, "/api/openapi.json")).status).to.equal(401);
    expect((await ask(run, "/metrics", { authorization })).body).to.include("ingest_build_info");
    const strange = await ask(run, "/api/overview", { authorization, host: "evil.example" });
    expect(strange.status).to.equal(403);
    const plain = await ask({ ...run, scheme: "http" }, "/api/overview", { authorization }).then(
      ({ status }) => `answered ${status}`,
      (error: NodeJS.ErrnoException) => error.code,
    );
    expect(plain).to.be.oneOf(["ECONNRESET", "EPIPE"]);
  });

  it("is steered from the command line with the certificate, and says what is missing without it", async () => {
    await watched(EVERYWHERE, ...tls);
    const unknown = await product.run(["pipeline", "pause"]);
    expect(unknown.code).to.equal(1);
    expect(unknown.stderr).to.match(/the run at https:\S+ gives no answer: .*NODE_EXTRA_CA_CERTS=FILE/);
    const known = { NODE_EXTRA_CA_CERTS: product.path("cert.pem") };
    expect((await product.run(["pipeline", "pause"], known)).stderr).to.include("pause asked for");
  });

  it("is not there where the certificate cannot be used, and says which", async () => {
    await writeFile(product.path("key.pem"), selfSigned().key);
    const command = product.start(["pipeline", EVERYWHERE, ...tls]);
    await command.says(
      /there is no page for this run: the monitor cannot use the certificate \S+cert\.pem with/,
    );
    expect(command.isRunning).to.equal(true);
  });

  it("takes plain HTTP with the flag, and the token for everything then too", async () => {
    const run = await watched(EVERYWHERE, "--monitor-insecure");
    expect(run.scheme).to.equal("http");
    for (const path of ["/api/overview", "/metrics", "/livez", "/readyz", "/api/events"])
      expect((await ask(run, path)).status, path).to.equal(401);
    const authorization = `Bearer ${run.token}`;
    expect((await ask(run, "/api/overview", { authorization })).status).to.equal(200);
  });
});
