/** A soak: a live stream of events through a runner whose client is killed in the midst, compared with the direct runner. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { SqlSession } from "../../sql/sql-session.js";
import { type BenchServer, withSession } from "../bench/bench-server.js";
import { pipelineCommand } from "../bench/pipeline-command.js";
import { peakRss, startCommand } from "../bench/process-meter.js";
import type { FreshDatabase } from "../support/postgres.js";
import { Landings } from "./landings.js";
import { readSoakResult, type SoakResult, soakDifferences } from "./soak-result.js";

export interface SoakOptions {
  /** Of the pipeline, e.g. `--runner=spark`. */
  readonly flags: readonly string[];
  readonly seconds: number;
  readonly rate: number;
  readonly seed: number;
}

export interface Soak {
  readonly landings: Landings;
  readonly result: SoakResult;
  readonly expected: SoakResult;
  readonly differences: readonly string[];
  readonly killedAtMs: number;
  /** From the kill to the next row that a worker committed. */
  readonly resumedAfterMs: number;
  /** From the last file to the end of its reading, and from there to the exit of the client. */
  readonly caughtUpMs: number;
  readonly drainMs: number;
  readonly jobs: number;
  readonly clientPeakRssMb: number;
  /** Warnings and errors of the clients. */
  readonly complaints: readonly string[];
}

const LOOK_MS = 250;
const CATCH_UP_MS_MAX = 300_000;
/** A line of progress on stdout. */
const PROGRESS = /^user-events {2}/;
const CLI = fileURLToPath(new URL("../../pipelines/cli.js", import.meta.url));

/** @throws when a process fails, or the pipeline does not catch up */
export async function runSoak(server: BenchServer, options: SoakOptions): Promise<Soak> {
  const database = await server.migrated();
  const work = await mkdtemp(join(tmpdir(), "millrace-soak-"));
  const input = join(work, "raw");
  await mkdir(input);
  try {
    return await withSession(database.connection, (session) =>
      new SoakRun(server, options, { database, session, work, input }).run(),
    );
  } finally {
    await database.drop();
    await rm(work, { recursive: true, force: true });
  }
}

interface SoakPlace {
  readonly database: FreshDatabase;
  readonly session: SqlSession;
  readonly work: string;
  readonly input: string;
}

class SoakRun {
  readonly #landings: Landings;
  readonly #children: ChildProcess[] = [];
  readonly #outputs: (() => string)[] = [];
  #peakRssMb = 0;

  constructor(
    readonly server: BenchServer,
    readonly options: SoakOptions,
    readonly place: SoakPlace,
  ) {
    this.#landings = new Landings(place.input, place.session);
  }

  async run(): Promise<Soak> {
    try {
      return await this.#run();
    } catch (error) {
      throw new Error(`the clients wrote: ${this.#outputs.map((output) => output()).join("\n")}`, {
        cause: error,
      });
    } finally {
      for (const child of this.#children) child.kill("SIGKILL");
    }
  }

  async #run(): Promise<Soak> {
    const { options, place } = this;
    const landings = this.#landings;
    const generator = this.#generate();
    const first = this.#startClient(place, options.flags);
    await this.#lookUntil(first, () => landings.elapsedMs >= options.seconds * 500);
    first.kill("SIGKILL");
    await once(first, "exit");
    const killedAtMs = landings.elapsedMs;
    const second = this.#startClient(place, options.flags);
    await this.#lookUntil(second, () => generator.exitCode !== null);
    if (generator.exitCode !== 0) throw new Error(`the generator ended with ${generator.exitCode}`);
    const generatedAtMs = landings.elapsedMs;
    const bytes = await bytesIn(place.input);
    const deadlineMs = generatedAtMs + CATCH_UP_MS_MAX;
    await this.#lookUntil(second, async () => {
      if (landings.elapsedMs > deadlineMs)
        throw new Error(`not all was read within ${CATCH_UP_MS_MAX / 1000} s`);
      return (await this.#position()) >= bytes;
    });
    const readAtMs = landings.elapsedMs;
    second.kill("SIGTERM");
    const [code] = await once(second, "exit");
    if (code !== 0) throw new Error(`the client ended with ${code} when it was stopped`);
    const drainMs = landings.elapsedMs - readAtMs;
    await landings.look();
    return {
      ...(await this.#compare()),
      ...{ landings, killedAtMs, resumedAfterMs: this.#resumedAfterMs(killedAtMs) },
      ...{ caughtUpMs: readAtMs - generatedAtMs, drainMs, jobs: await this.#jobs() },
      clientPeakRssMb: this.#peakRssMb,
      complaints: this.#outputs.flatMap((output) =>
        output()
          .split("\n")
          .filter((line) => line !== "" && !PROGRESS.test(line)),
      ),
    };
  }

  #generate(): ChildProcess {
    const { seconds, rate, seed } = this.options;
    const { work, input } = this.place;
    const amount = [`--events-per-second=${rate}`, `--duration=${seconds}s`, `--seed=${seed}`];
    const rates = ["--malformed-rate=0.01", "--duplicate-rate=0.02"];
    const places = [`--output=${input}`, `--log-dir=${work}`, `--manifest=${join(work, "manifest.json")}`];
    const { child } = startCommand(process.execPath, [CLI, "generate", ...amount, ...rates, ...places]);
    this.#children.push(child);
    return child;
  }

  #startClient({ database, work, input }: SoakPlace, flags: readonly string[]): ChildProcess {
    const { command, args, env } = pipelineCommand({
      ...{ input, url: database.url, work },
      flags: ["--log-level=warn", ...flags],
    });
    const { child, output } = startCommand(command, args, env);
    this.#children.push(child);
    this.#outputs.push(output);
    return child;
  }

  async #lookUntil(client: ChildProcess, isOver: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await isOver())) {
      if (client.exitCode !== null) throw new Error(`the client ended by itself with ${client.exitCode}`);
      await this.#landings.look();
      this.#peakRssMb = Math.max(this.#peakRssMb, peakRss(client.pid!));
      await sleep(LOOK_MS);
    }
  }

  /** Bytes that positions have passed. */
  async #position(): Promise<number> {
    const [row] = await this.place.session.query<{ bytes: number }>(
      "select coalesce(sum(raw_offset), 0)::bigint as bytes from source_files",
    );
    return row!.bytes;
  }

  async #jobs(): Promise<number> {
    const [row] = await this.place.session.query<{ jobs: number }>(
      "select count(distinct run_id) as jobs from commits",
    );
    return row!.jobs;
  }

  #resumedAfterMs(killedAtMs: number): number {
    const { backlogs } = this.#landings;
    // the first look behind the kill finds what was committed just before it
    const [atKill, ...later] = backlogs.filter(({ atMs }) => atMs > killedAtMs);
    const resumed = later.find(({ rows }) => rows > atKill!.rows);
    return (resumed?.atMs ?? Number.NaN) - killedAtMs;
  }

  async #compare(): Promise<Pick<Soak, "result" | "expected" | "differences">> {
    const { input, work, session } = this.place;
    const database = await this.server.migrated();
    try {
      const direct = { input, work: join(work, "direct"), database, session };
      const client = this.#startClient(direct, ["--once"]);
      const [code] = await once(client, "exit");
      if (code !== 0) throw new Error(`the direct runner ended with ${code}`);
      const twoValued = await twoValuedIds(input);
      const expected = await withSession(database.connection, (one) => readSoakResult(one, twoValued));
      const result = await readSoakResult(session, twoValued);
      return { expected, result, differences: soakDifferences(expected, result) };
    } finally {
      await database.drop();
    }
  }
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory)) bytes += (await stat(join(directory, name))).size;
  return bytes;
}

/** Ids that two different lines begin with. */
async function twoValuedIds(directory: string): Promise<string[]> {
  const lines = new Map<string, string>();
  const twoValued = new Set<string>();
  for (const name of await readdir(directory)) {
    for await (const line of createInterface({ input: createReadStream(join(directory, name)) })) {
      const id = line.slice(0, line.indexOf(","));
      if ((lines.get(id) ?? line) !== line) twoValued.add(id);
      lines.set(id, line);
    }
  }
  return [...twoValued];
}
