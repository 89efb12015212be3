/**
 * A pipeline with a commit log is killed, or stopped and taken over, at every place and at random moments: what it
 * publishes is what a run publishes that nobody disturbed, each result once.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import {
  CLAIM_FAILPOINTS,
  type Failpoint,
  LOG_FAILPOINTS,
  SNAPSHOT_FAILPOINTS,
} from "../../transforms/primitives/failpoint.js";
import { Choice, chooseSeed } from "../support/seeded-choice.js";
import { DONE, PENDING } from "./support/log-pipeline.js";

const PROGRAM = fileURLToPath(new URL("./support/run-log.js", import.meta.url));
const ONCE_A_RUN = new Set<Failpoint>([...CLAIM_FAILPOINTS, ...SNAPSHOT_FAILPOINTS]);
const FINALIZE: readonly Failpoint[] = ["before-finalize", "after-finalize"];
const KILLED_AT: readonly Failpoint[] = [
  ...CLAIM_FAILPOINTS,
  ...LOG_FAILPOINTS,
  ...SNAPSHOT_FAILPOINTS,
  ...FINALIZE,
];
/** A run that was stopped before its claim has nothing that could be taken over. */
const STOPPED_AT: readonly Failpoint[] = [
  ...LOG_FAILPOINTS,
  ...SNAPSHOT_FAILPOINTS.filter((name) => name !== "within-prune"),
  ...FINALIZE,
];
/** How often to kill at random moments: 8, or more by `npm run test:crash`. */
const KILLS = Math.ceil(Number(process.env["MILLRACE_KILLS"] ?? 20) / 2.5);
/** At how many places to stop: some of them, or all by `npm run test:crash`. */
const STOPS = KILLS > 8 ? STOPPED_AT.length : 5;
const WAIT_MS = 60_000;

const run = promisify(execFile);

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

class Run {
  readonly commits: { readonly epoch: number; readonly runId: string }[] = [];
  log = "";
  exit: Exit | undefined;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;

  constructor(dir: string, env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(process.execPath, [PROGRAM], {
      env: { ...process.env, ...env, MILLRACE_TEST_DIR: dir },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let rest = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() as string;
      for (const [epoch, runId] of lines.map((line) => line.split(" ")))
        this.commits.push({ epoch: Number(epoch), runId: runId as string });
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.log += text;
    });
    this.exited = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  kill(): Promise<Exit> {
    this.signal("SIGKILL");
    return this.exited;
  }

  /** @throws when it ends before */
  async until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
    for (const deadline = Date.now() + WAIT_MS; !(await isTrue()); await sleep(10)) {
      if (this.exit === undefined && Date.now() < deadline) continue;
      throw new Error(`waited for ${what}, in vain; exit ${JSON.stringify(this.exit)}:\n${this.log}`);
    }
  }

  async isStopped(): Promise<boolean> {
    const { stdout } = await run("ps", ["-o", "state=", "-p", String(this.#child.pid)]);
    return stdout.startsWith("T");
  }
}

describe("crash: a commit log", function () {
  this.timeout(300_000 + KILLS * 20_000);
  const seed = chooseSeed();
  const choice = new Choice(seed);
  const dirs: string[] = [];
  const running: Run[] = [];
  let expected: readonly string[];

  async function newDir(): Promise<string> {
    const dir = await mkdtemp(path.join(tmpdir(), "millrace-test-crash-log-"));
    dirs.push(dir);
    for (const name of [PENDING, DONE]) await mkdir(path.join(dir, name));
    return dir;
  }

  function start(dir: string, env: Readonly<Record<string, string>> = {}): Run {
    const started = new Run(dir, env);
    running.push(started);
    return started;
  }

  async function finish(dir: string): Promise<void> {
    const last = start(dir);
    const { code } = await last.exited;
    expect(code, last.log).equal(0);
  }

  async function expectPublishedOnce(dir: string): Promise<void> {
    expect((await publishedIn(dir)).join("\n")).equal(expected.join("\n"));
    const names = await readdir(path.join(dir, "log"));
    expect(
      names.filter((name) => name.endsWith(".log")),
      "segments",
    ).length(1);
  }

  before(async () => {
    const dir = await newDir();
    await finish(dir);
    expected = await publishedIn(dir);
    expect(expected.length, "results").above(1_000);
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.kill()));
  });
  after(async () => {
    for (const dir of dirs.splice(0)) await rm(dir, { recursive: true, force: true });
  });

  it(`killed at every place and at ${KILLS} random moments: the same results, each once (MILLRACE_SEED=${seed})`, async () => {
    const dir = await newDir();
    for (const name of choice.shuffled(KILLED_AT)) {
      const env = { MILLRACE_FAILPOINT: `${name}:${ONCE_A_RUN.has(name) ? 1 : choice.between(1, 6)}` };
      const killed = start(dir, env);
      expect(await killed.exited, `${env.MILLRACE_FAILPOINT}\n${killed.log}`).deep.equal({
        ...{ code: null, signal: "SIGKILL" },
      });
      if (choice.isHit(0.5)) await losePower(dir, name, choice);
    }
    let kills = 0;
    for (let isDone = false; !isDone && kills < KILLS; ) {
      const killed = start(dir);
      if (choice.isHit(0.8)) await Promise.race([killed.exited, untilCommit(killed)]);
      await sleep(choice.between(0, 150));
      const { code, signal } = await killed.kill();
      isDone = signal !== "SIGKILL";
      if (isDone) expect(code, killed.log).equal(0);
      else kills += 1;
    }
    expect(kills, "kills at random moments").at.least(1);
    await finish(dir);
    await expectPublishedOnce(dir);
  });

  it(`stopped at ${STOPS} places, taken over, and going on: fenced, and the same results, each once (MILLRACE_SEED=${seed})`, async () => {
    const dir = await newDir();
    for (const name of choice.shuffled(STOPPED_AT).slice(0, STOPS)) {
      const failpoint = `${name}:${ONCE_A_RUN.has(name) ? 1 : choice.between(2, 4)}:SIGSTOP`;
      const old = start(dir, { MILLRACE_FAILPOINT: failpoint });
      await old.until(`a stop at ${failpoint}`, () => old.isStopped());
      const next = start(dir, { MILLRACE_TEST_TAKEOVER: "yes" });
      await untilCommit(next);
      const before = next.commits[0]!;
      old.signal("SIGCONT");
      expect((await old.exited).code, `${failpoint}\n${old.log}`).equal(1);
      expect(old.log, failpoint).match(
        /^FAILED: FencedError: pipeline "windowed-files" was taken over in .*: its run is no longer /,
      );
      await next.kill();
      const { runId } = before;
      expect(
        old.commits.filter((commit) => commit.epoch >= before.epoch),
        failpoint,
      ).deep.equal([]);
      expect(next.commits.every((commit) => commit.runId === runId)).equal(true);
    }
    await finish(dir);
    await expectPublishedOnce(dir);
  });

  it("is refused to a second process, which names the first", async () => {
    const dir = await newDir();
    const first = start(dir);
    await untilCommit(first);
    first.signal("SIGSTOP");
    const second = start(dir);
    expect((await second.exited).code).equal(1);
    expect(second.log).match(
      /^FAILED: PipelineLockedError: pipeline "windowed-files" is run in .*log by process \d+ on host .*, started .*; waited 15 s/,
    );
    first.signal("SIGCONT");
    const { commits } = first;
    const before = commits.length;
    await first.until("more commits", () => commits.length > before + 3);
  });
});

function untilCommit(one: Run): Promise<void> {
  return one.until("a commit", () => one.commits.length > 0 || one.exit !== undefined);
}

/** What was not synced when the process was killed is gone as well: some bytes of a commit, or a renaming. */
async function losePower(dir: string, name: Failpoint, choice: Choice): Promise<void> {
  const folder = path.join(dir, "log");
  const newest = (await readdir(folder))
    .filter((file) => file.endsWith(".log"))
    .sort()
    .at(-1);
  if (newest === undefined) return;
  const file = path.join(folder, newest);
  if (name === "after-snapshot-rename") await rename(file, `${file}.tmp`);
  if (name !== "after-append") return;
  const { size } = await stat(file);
  await truncate(file, size - choice.between(1, 20));
}

/** The published lines, in an order of their own. */
async function publishedIn(dir: string): Promise<string[]> {
  const names = await readdir(path.join(dir, DONE));
  const texts = await Promise.all(names.map((name) => readFile(path.join(dir, DONE, name), "utf8")));
  return texts.sort();
}
