/** The directory source in a bundle processor, over both hosts: read in bundles, checkpointed by the host, each record once. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "chai";
import type { BundleProcessor } from "../../../runners/bundle/bundle-processor.js";
import type { Residual } from "../../../runners/engine/bundle.js";
import type { InputRecord } from "../../../transforms/input-record.js";
import type { EpochTransaction } from "../../../transforms/primitives/do-fn.js";
import { MIN_TIMESTAMP_MS } from "../../../transforms/primitives/timestamp-bounds.js";
import { realFileSystem } from "../../../transforms/read-from-directory/file-system.js";
import { ReadFromDirectoryFn } from "../../../transforms/read-from-directory/read-from-directory-fn.js";
import { LINES } from "../../support/line-format.js";
import { ManualClock, MemoryPositions } from "../../support/source-host.js";
import { HOSTS } from "./hosts.js";
import { fn, parDo, processorOf, restriction } from "./stages.js";
import { TestScope } from "./test-scope.js";

/** A scope whose transaction takes the source's positions. */
class SourceScope extends TestScope {
  readonly writes: never[] = [];
  constructor(private readonly recordsMax: number) {
    super((value) => value);
  }
  override sourceEmitted(timestampMs: number): void {
    super.sourceEmitted(timestampMs);
    if (this.sourceTimes.length >= this.recordsMax) this.active!.checkpoint();
  }
  override async transaction(): Promise<EpochTransaction> {
    return { writes: this.writes } as unknown as EpochTransaction;
  }
}

for (const kind of HOSTS) {
  describe(`readFromDirectory in a BundleProcessor, ${kind.name}`, () => {
    let directory: string;
    let positions: MemoryPositions;
    let clock: ManualClock;
    let processor: BundleProcessor;

    beforeEach(async () => {
      directory = await mkdtemp(path.join(tmpdir(), "millrace-bundle-"));
      positions = new MemoryPositions();
      clock = new ManualClock();
    });
    afterEach(async () => {
      await processor.teardown();
      await rm(directory, { recursive: true });
    });

    async function open(mode: "stream" | "available-now"): Promise<void> {
      const host = kind.create({ facts: { allowedLatenessMs: 0, isBounded: mode === "available-now" } });
      const config = {
        ...{ directory, isWatching: false, quietMs: 0, globs: ["*.txt"] },
        format: LINES,
      };
      const source = new ReadFromDirectoryFn(config, {
        fileSystem: realFileSystem,
        positions: () => positions,
      });
      const text = fn<InputRecord>((record) => [record.fields?.["text"]]);
      processor = await processorOf(
        { ...host, setupContext: (step) => ({ ...host.setupContext(step), mode, clock }) },
        parDo("Read", source),
        parDo("Text", text, { input: "Read" }),
      );
    }

    /** A bundle and its commit; gives the records and what is left. */
    async function bundle(left: Residual | undefined, isTruncated = false) {
      const scope = new SourceScope(3);
      scope.nowMs = clock.monotonicMs();
      await processor.startBundle(scope);
      const { restriction: value, watermarkState } = left ?? {};
      const begun = left === undefined ? undefined : { value, watermarkState };
      await processor.process(
        restriction("Read", new Uint8Array(), {
          timestampMs: MIN_TIMESTAMP_MS,
          restriction: begun,
          isTruncated,
        }),
      );
      await processor.finishBundle();
      await positions.commit(scope.writes);
      for (const callback of scope.callbacks) await callback();
      return { texts: scope.values("Text"), left: scope.residuals[0], residuals: scope.residuals.length };
    }

    it("reads a snapshot in bundles of the host's size to its end", async () => {
      const lines = Array.from({ length: 8 }, (_, i) => `line ${i}`);
      await writeFile(path.join(directory, "a.txt"), lines.map((line) => `${line}\n`).join(""));
      await open("available-now");
      const bundles: unknown[][] = [];
      let left: Residual | undefined;
      for (let n = 0; n === 0 || left !== undefined; n++) {
        const { texts, left: rest, residuals } = await bundle(left);
        expect(residuals).to.be.at.most(1);
        bundles.push(texts);
        left = rest;
        if (left !== undefined) clock.advance(Math.max(0, left.resumeAtMs - clock.monotonicMs()));
        expect(n).to.be.below(50);
      }
      expect(bundles.flat()).to.deep.equal(lines);
      expect(Math.max(...bundles.map((texts) => texts.length))).to.equal(3);
      expect(positions.byPath("a.txt")?.byteOffset).to.equal(8 * 7);
    });

    it("goes on as a stream, and ends when it drains", async () => {
      await writeFile(path.join(directory, "a.txt"), "one\ntwo\n");
      await open("stream");
      const texts: unknown[] = [];
      let left: Residual | undefined;
      for (let n = 0; n < 10; n++) {
        const done = await bundle(left);
        texts.push(...done.texts);
        left = done.left;
        expect(left).not.to.equal(undefined);
        if (n === 4) await writeFile(path.join(directory, "b.txt"), "three\n");
        clock.advance(Math.max(1, left!.resumeAtMs - clock.monotonicMs()));
      }
      expect(texts).to.deep.equal(["one", "two", "three"]);
      const drained = await bundle(left, true);
      expect(drained).to.deep.equal({ texts: [], left: undefined, residuals: 0 });
    });
  });
}
