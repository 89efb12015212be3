/** The product as a person has it: a folder of their own, and commands that run in it as processes. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { PipelineStatus } from "../../sql/status.js";

const cli = fileURLToPath(new URL("../../pipelines/cli.js", import.meta.url));
/** Where package.json is: commands through npm run here. */
const projectDir = fileURLToPath(new URL("../../../", import.meta.url));
const waitMaxMs = 30_000;

type Env = Readonly<Record<string, string>>;

/** How a command ended, and what it wrote. */
export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export class RunningCommand {
  stdout = "";
  stderr = "";
  /** Resolves once it has ended and all that it wrote has been read. */
  readonly ended: Promise<Ended>;

  constructor(private readonly child: ChildProcess) {
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => {
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits until its output shows this; fails with all of it when the command ends first. */
  async says(text: RegExp): Promise<void> {
    await until(() => {
      const all = this.stdout + this.stderr;
      if (text.test(all)) return true;
      if (!this.isRunning) throw new Error(`the command ended without ${text}:\n${all}`);
      return false;
    }, `${text} from the command`);
  }
}

/** One test's folder: `data/raw` is there, everything else is the product's to make. */
export class Product {
  readonly #running = new Set<RunningCommand>();

  private constructor(
    readonly dir: string,
    /** For every command; nothing of ours in it but this. */
    readonly env: Env,
  ) {}

  /** @param databaseUrl without one the commands take the embedded PostgreSQL. */
  static async create(databaseUrl?: string): Promise<Product> {
    const dir = await mkdtemp(join(tmpdir(), "millrace-e2e-"));
    await chmod(dir, 0o755); // under root the embedded server's account then keeps its data here
    await mkdir(join(dir, "data", "raw"), { recursive: true });
    const env = { PATH: process.env["PATH"] ?? "", HOME: dir };
    return new Product(dir, databaseUrl === undefined ? env : { ...env, DATABASE_URL: databaseUrl });
  }

  path(...names: string[]): string {
    return join(this.dir, ...names);
  }

  input(name: string): string {
    return this.path("data", "raw", name);
  }

  /** Starts `node dist/pipelines/cli.js` with these arguments. */
  start(argv: readonly string[], env: Env = {}): RunningCommand {
    return this.#spawn(process.execPath, [cli, ...argv], this.dir, env);
  }

  /** Runs the command with these words as a shell takes them, redirections included. */
  async shell(words: string): Promise<Ended> {
    return await this.#spawn("sh", ["-c", `exec '${process.execPath}' '${cli}' ${words}`], this.dir, {})
      .ended;
  }

  /** Starts `npm run <verb> -- <argv>`, which runs in the project's folder. */
  startNpm(verb: string, argv: readonly string[], env: Env = {}): RunningCommand {
    const npm = { npm_config_update_notifier: "false", npm_config_cache: this.path("npm-cache") };
    return this.#spawn("npm", ["run", verb, "--", ...argv], projectDir, { ...npm, ...env });
  }

  /** Runs a command to its end. */
  async run(argv: readonly string[], env: Env = {}): Promise<Ended> {
    return await this.start(argv, env).ended;
  }

  /** Runs a command that must succeed. */
  async succeed(argv: readonly string[], env: Env = {}): Promise<Ended> {
    const ended = await this.run(argv, env);
    if (ended.code === 0) return ended;
    throw new Error(
      `${argv.join(" ")} ended with ${ended.code ?? ended.signal}:\n${ended.stdout}${ended.stderr}`,
    );
  }

  async status(): Promise<PipelineStatus[]> {
    const { stdout } = await this.succeed(["status", "--json"]);
    return JSON.parse(stdout) as PipelineStatus[];
  }

  /** The flags that put everything into this folder, for a command that runs elsewhere. */
  get folderFlags(): string[] {
    return [
      `--input=${this.path("data", "raw")}`,
      `--error-dir=${this.path("data", "error")}`,
      `--state-dir=${this.path(".millrace")}`,
      `--log-dir=${this.path("logs")}`,
    ];
  }

  /** All objects of the NDJSON files in a folder, in order of the files' names. */
  async ndjson(folder: string): Promise<Record<string, unknown>[]> {
    const names = (await readdir(folder)).filter((name) => !name.startsWith(".")).sort();
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
    return texts.flatMap((text) => jsonLines(text));
  }

  /** Ends what still runs and removes the folder. */
  async clear(): Promise<void> {
    for (const command of this.#running) {
      for (const pid of [...(await descendantsOf(command.pid)), command.pid]) {
        if (command.isRunning) process.kill(pid, "SIGKILL");
      }
      await command.ended;
    }
    await rm(this.dir, { recursive: true, force: true });
  }

  #spawn(program: string, argv: readonly string[], cwd: string, env: Env): RunningCommand {
    const stdio = ["ignore", "pipe", "pipe"] as const;
    const command = new RunningCommand(
      spawn(program, argv, { cwd, env: { ...this.env, ...env }, stdio: [...stdio] }),
    );
    this.#running.add(command);
    void command.ended.then(
      () => this.#running.delete(command),
      () => this.#running.delete(command),
    );
    return command;
  }
}

/** Pids of a process's children and theirs, as long as it runs. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const children = text.split(" ").filter(Boolean).map(Number);
  return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()];
}

/** Every line as the JSON it must be. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Waits until it holds; fails naming what was missing. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + waitMaxMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${waitMaxMs} ms: ${what}`);
    await sleep(20);
  }
}
