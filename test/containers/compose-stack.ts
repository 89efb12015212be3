/** The compose stack of a fresh clone, under a project name, a port and an image of its own. */
import { randomBytes } from "node:crypto";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Manifest } from "../../data/generate/manifest.js";
import type { PipelineStatus } from "../../sql/status.js";
import { freePort } from "../support/free-ports.js";
import { endOf, outputOf, type ProgramEnd } from "./program.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** Of `docker inspect`, what the tests look at. */
export interface ContainerFacts {
  readonly Config: { readonly User: string };
  readonly HostConfig: { readonly ReadonlyRootfs: boolean };
  readonly Mounts: readonly { readonly Type: string; readonly Name?: string }[];
  readonly RestartCount: number;
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly Health?: { Status: string };
  };
}

export class ComposeStack {
  readonly project = `millrace-test-${randomBytes(4).toString("hex")}`;
  readonly folder: string;
  /** Of PostgreSQL. */
  readonly port: number;
  readonly monitorPort: number;

  private constructor(folder: string, port: number, monitorPort: number) {
    this.folder = folder;
    this.port = port;
    this.monitorPort = monitorPort;
  }

  /** Clones the project as git sees it, into a temporary folder. @throws when no container engine answers. */
  static async clone(): Promise<ComposeStack> {
    await outputOf(["docker", "info"]);
    await outputOf(["docker", "compose", "version"]);
    const folder = await mkdtemp(join(tmpdir(), "millrace-compose-"));
    const list = await outputOf(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      cwd: ROOT,
    });
    const files = list.split("\0").filter((file) => file !== "");
    for (const file of files) {
      await cp(join(ROOT, file), join(folder, file), { recursive: true });
    }
    return new ComposeStack(folder, await freePort(), await freePort());
  }

  /** `docker compose …`: its standard output. @throws when it fails. */
  compose(...args: string[]): Promise<string> {
    return outputOf(["docker", "compose", ...args], this.#options());
  }

  /** `docker compose …`, however it ends. */
  composeEnd(...args: string[]): Promise<ProgramEnd> {
    return endOf(["docker", "compose", ...args], this.#options());
  }

  /** What psql in the database's container answers, a line a row, fields between bars. */
  async psql(statement: string): Promise<string> {
    const psql = ["psql", "-U", "postgres", "-d", "ecommerce_events", "-Atc", statement];
    return (await this.compose("exec", "-T", "postgres", ...psql)).trimEnd();
  }

  /** Runs the generator to its end. The same `name` again would be the same manifest. */
  async generate(name: string, ...flags: string[]): Promise<Manifest> {
    const manifest = `data/raw/_${name}.json`;
    await this.compose("run", "--rm", "-T", "generator", ...flags, "--manifest", manifest);
    return JSON.parse(await readFile(join(this.folder, manifest), "utf8"));
  }

  /** What `status --json` in the pipeline's container says of the one pipeline. */
  async status(): Promise<PipelineStatus> {
    const cli = ["node", "dist/pipelines/cli.js", "status", "--json"];
    const [status] = JSON.parse(await this.compose("exec", "-T", "pipeline", ...cli)) as PipelineStatus[];
    return status!;
  }

  async inspect(service: string): Promise<ContainerFacts> {
    const [facts] = JSON.parse(await this.inspectText(service)) as ContainerFacts[];
    return facts!;
  }

  /** All that `docker inspect` shows of a service's container, also of one that has ended. */
  async inspectText(service: string): Promise<string> {
    const id = (await this.compose("ps", "--all", "--quiet", service)).trim();
    return outputOf(["docker", "inspect", id]);
  }

  /** What the engine still has of this stack: ids or names, a line each. */
  async leftovers(): Promise<string> {
    const filter = `label=com.docker.compose.project=${this.project}`;
    const lists = [
      ["docker", "ps", "--all", "--quiet", "--filter", filter],
      ["docker", "volume", "ls", "--quiet", "--filter", filter],
      ["docker", "network", "ls", "--quiet", "--filter", filter],
    ];
    return (await Promise.all(lists.map((list) => outputOf(list)))).join("");
  }

  /** Removes whatever there is of it, also after a test that failed half-way. */
  async remove(): Promise<void> {
    await this.composeEnd(
      "--profile",
      "generator",
      "down",
      "--volumes",
      "--remove-orphans",
      "--timeout",
      "5",
    );
    await endOf(["docker", "image", "rm", "--force", this.project]);
    await rm(this.folder, { recursive: true, force: true });
  }

  #options() {
    const ours = { COMPOSE_PROJECT_NAME: this.project, PIPELINE_IMAGE: this.project };
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("MILLRACE_"));
    const ports = { POSTGRES_PORT: String(this.port), MONITOR_PORT: String(this.monitorPort) };
    const env = { ...Object.fromEntries(inherited), ...ours, ...ports };
    return { cwd: this.folder, env };
  }
}
