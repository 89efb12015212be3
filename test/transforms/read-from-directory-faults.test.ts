/** Trouble: files and directories that fail, outputs that throw, bundles thrown away at random. */
import { appendFile, mkdir, rename, writeFile } from "node:fs/promises";
import { expect } from "chai";
import {
  type FileSystem,
  type OpenFile,
  realFileSystem,
} from "../../transforms/read-from-directory/file-system.js";
import { SourceDirectory } from "../support/source-directory.js";
import type { SourceHost } from "../support/source-host.js";

const failure = (code: string, syscall = "open") => Object.assign(new Error(code), { code, syscall });

describe("readFromDirectory() faults", () => {
  let directory: SourceDirectory;
  const at = (name: string) => directory.at(name);

  beforeEach(async () => {
    directory = await SourceDirectory.create();
  });
  afterEach(() => directory.remove());

  for (const code of ["EACCES", "EMFILE", "EIO"]) {
    it(`goes on with the others when a file fails with ${code}, and reads it when that is over`, async () => {
      await directory.writeAged("a.csv", "1\n", 60_000);
      await directory.writeAged("b.csv", "2\n", 50_000);
      let fails = true;
      const fileSystem: FileSystem = {
        ...realFileSystem,
        async open(path) {
          if (fails && path.endsWith("a.csv")) throw failure(code);
          return await realFileSystem.open(path);
        },
      };
      const source = directory.host({}, { fileSystem });
      await source.settle(20_000);
      expect(source.texts).to.deep.equal(["2"]);
      expect(
        source.logs.filter(({ level }) => level === "warn").map(({ message, facts }) => [message, facts]),
      ).to.deep.equal([["file cannot be read: trying again", { path: "a.csv", code }]]);
      fails = false;
      await source.settle(40_000);
      expect(source.texts).to.deep.equal(["2", "1"]);
      expect(source.logs.at(-1)!.message).to.equal("file can be read again");
    });
  }

  it("leaves a file that stays unreadable to the next run in available-now mode", async () => {
    await directory.writeAged("a.csv", "1\n", 60_000);
    await directory.writeAged("b.csv", "2\n", 50_000);
    const fileSystem: FileSystem = {
      ...realFileSystem,
      async open(path) {
        if (path.endsWith("a.csv")) throw failure("EACCES");
        return await realFileSystem.open(path);
      },
    };
    const source = directory.host({}, { fileSystem, mode: "available-now" });
    expect(await source.runToEnd()).to.deep.equal(["2"]);
    expect(source.logs.at(-1)).to.deep.equal({
      level: "error",
      message: "file is left for the next run",
      facts: { path: "a.csv" },
    });
  });

  it("loses and repeats nothing when a read fails in the middle of a file", async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i}`);
    await directory.writeAged("a.csv", `${lines.join("\n")}\n`, 60_000);
    for (let failAt = 1; failAt < 8; failAt++) {
      let reads = 0;
      const fileSystem: FileSystem = {
        ...realFileSystem,
        async open(path) {
          const file = await realFileSystem.open(path);
          const read: OpenFile["read"] = async (buffer, position) => {
            if (++reads === failAt) throw failure("EIO", "read");
            return await file.read(buffer, position);
          };
          return { status: () => file.status(), close: () => file.close(), read };
        },
      };
      const source = directory.host({}, { fileSystem });
      await source.settle(20_000);
      expect(source.texts.join("\n")).to.equal(lines.join("\n"));
    }
  });

  it("lists the directory again after errors", async () => {
    await writeFile(at("a.csv"), "1\n");
    let failures = 3;
    const fileSystem: FileSystem = {
      ...realFileSystem,
      async list(path, each) {
        if (failures-- > 0) throw failure("EACCES", "opendir");
        await realFileSystem.list(path, each);
      },
    };
    const source = directory.host({}, { fileSystem });
    await source.settle(20_000);
    expect(source.texts).to.deep.equal(["1"]);
    expect(source.logs.map(({ message }) => message)).to.deep.equal([
      "the input directory cannot be read: trying again",
      "the input directory can be read again",
    ]);
  });

  it("passes on what an output throws, and starts again from the committed position", async () => {
    await directory.writeAged("a.csv", "1\n2\n3\n", 60_000);
    let throws = true;
    const onRecord = () => {
      if (throws) throw Object.assign(new Error("downstream"), { code: "ECONNRESET" });
    };
    const source = directory.host({}, { onRecord });
    const error = await source.bundle().catch((thrown: Error) => thrown);
    expect(error).to.have.property("message", "downstream");
    throws = false;
    await source.restart();
    expect(await source.settle()).to.deep.equal(["1", "2", "3"]);
  });

  it("fails the bundle when the positions cannot be read, and works after setup", async () => {
    await writeFile(at("a.csv"), "1\n");
    const source = directory.host();
    source.positions.failure = new Error("database is away");
    expect(await source.bundle().catch((thrown: Error) => thrown)).to.have.property(
      "message",
      "database is away",
    );
    source.positions.failure = undefined;
    await source.restart();
    expect(await source.settle()).to.deep.equal(["1"]);
  });

  it("works where nothing can be watched", async () => {
    const fileSystem: FileSystem = {
      ...realFileSystem,
      watch() {
        throw failure("ENOSPC", "watch");
      },
    };
    const source = directory.host({ isWatching: true }, { fileSystem });
    await source.settle(3000);
    await writeFile(at("a.csv"), "1\n");
    expect(await source.settle(5000)).to.deep.equal(["1"]);
  });

  it("does not look at finished files with every poll", async () => {
    for (let i = 0; i < 3000; i++) await directory.writeAged(`${i}.csv`, `${i}\n`, 60_000);
    let looks = 0;
    const fileSystem: FileSystem = {
      ...realFileSystem,
      async status(path) {
        looks++;
        return await realFileSystem.status(path);
      },
    };
    const source = directory.host({}, { fileSystem });
    await source.settle(20_000);
    expect(source.texts.length).to.equal(3000);
    await source.restart();
    looks = 0;
    source.clock.advance(5000);
    await source.process();
    expect(looks).to.be.below(600);
    source.clock.advance(100);
    looks = 0;
    await source.process();
    expect(looks).to.be.below(60);
  });

  const seed = Number(process.env["MILLRACE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  for (const kind of ["leave", "archive"] as const) {
    it(`reads every record exactly once whatever happens (${kind}, MILLRACE_SEED=${seed})`, async () => {
      for (let round = 0; round < 6; round++) {
        await runAtRandom(new RandomRun(directory, seed + round, kind));
        await directory.remove();
        await mkdir(directory.root);
      }
    });
  }
});

/** A directory with writers, a source, and dice. */
class RandomRun {
  readonly source: SourceHost;
  /** Name on disk → name its records carry, and whether its last line is unterminated. */
  readonly files = new Map<string, { id: string; lines: number; isOpen: boolean }>();
  readonly expected: string[] = [];
  #next = 0;

  constructor(
    readonly directory: SourceDirectory,
    public state: number,
    readonly kind: "leave" | "archive",
  ) {
    this.source = directory.host(
      {
        recordsPerBundleMax: 7,
        quietMs: 1_000_000_000,
        doneAfterMs: 3000,
        order: this.dice(2) === 0 ? "oldest-first" : "newest-first",
        whenDone: kind,
        archiveDirectory: directory.at("_archive"),
      },
      { checkpointAfter: () => (this.dice(4) === 0 ? 1 + this.dice(5) : Number.POSITIVE_INFINITY) },
    );
  }

  dice(sides: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * sides);
  }

  pick(): string | undefined {
    return [...this.files.keys()][this.dice(Math.max(1, this.files.size))];
  }

  /** Some lines, all different; the last may lack its end, which the next append brings. */
  lines(file: { id: string; lines: number; isOpen: boolean }): string {
    let text = "";
    for (let count = 1 + this.dice(12); count > 0; count--) {
      if (file.isOpen) text += "+\n";
      else {
        const line = `${file.id}:${file.lines++}:${"x".repeat(this.dice(30))}`;
        this.expected.push(`${line}+`);
        text += line;
      }
      file.isOpen = !file.isOpen;
    }
    return text;
  }

  async write(): Promise<void> {
    const action = this.dice(10);
    const name = this.pick();
    if (action < 3 || name === undefined) {
      const file = { id: `f${this.#next++}`, lines: 0, isOpen: false };
      await writeFile(this.directory.at(`${file.id}.csv`), this.lines(file));
      this.files.set(`${file.id}.csv`, file);
      return;
    }
    const file = this.files.get(name)!;
    if (action < 7) await this.append(name, this.lines(file));
    else if (action < 9) await this.rename(name, file);
    else if (!file.isOpen && this.source.positions.byPath(name)?.byteOffset === (await this.size(name))) {
      // a rewrite of what is fully committed: every record of both generations counts
      file.id = `f${this.#next++}`;
      file.lines = 0;
      await writeFile(this.directory.at(name), `${file.id} rewritten\n${this.lines(file)}`);
      this.expected.push(`${file.id} rewritten`);
    }
  }

  async append(name: string, text: string): Promise<void> {
    const path = this.directory.at(name);
    if ((await this.size(name)) === undefined) this.files.delete(name); // archived meanwhile
    if (!this.files.has(name)) {
      const file = { id: `f${this.#next++}`, lines: 0, isOpen: !text.endsWith("\n") };
      this.files.set(name, file);
    }
    await appendFile(path, text);
  }

  async rename(name: string, file: { id: string; lines: number; isOpen: boolean }): Promise<void> {
    const to = `r${this.#next++}.csv`;
    if ((await this.size(name)) === undefined) return;
    await rename(this.directory.at(name), this.directory.at(to));
    this.files.delete(name);
    this.files.set(to, file);
  }

  async size(name: string): Promise<number | undefined> {
    return await realFileSystem.status(this.directory.at(name)).then(
      (status) => status.size,
      () => undefined,
    );
  }
}

async function runAtRandom(run: RandomRun): Promise<void> {
  const { source } = run;
  let flying: Awaited<ReturnType<typeof source.process>>[] = [];
  for (let step = 0; step < 250; step++) {
    const action = run.dice(10);
    if (action < 3) await run.write();
    else if (action < 6 && flying.length < 4) flying.push(await source.process());
    else if (action < 9 && flying.length > 0) await source.commit(flying.shift()!);
    else if (run.dice(3) === 0) {
      flying = [];
      await source.restart();
    }
    source.clock.advance(run.dice(500));
  }
  for (const [name, file] of run.files) {
    if (!file.isOpen) continue;
    await run.append(name, "+\n");
  }
  for (const bundle of flying) await source.commit(bundle);
  await source.settle(60_000);
  expect([...source.texts].sort()).to.deep.equal([...run.expected].sort());
  const read = [...source.ledger.values()].reduce((sum, count) => sum + count, 0);
  expect(read).to.equal(run.expected.length);
}
