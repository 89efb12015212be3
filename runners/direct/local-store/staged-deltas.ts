/** Deltas of epochs that are about to be committed, on this machine's disk: a file each, until the store has them. */
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { packDelta, type UnpackedDelta, unpackDelta } from "../../engine/durable/delta-format.js";
import type { StateDelta } from "../../engine/durable/state-record.js";
import { syncFolder } from "../log/log-files.js";
import type { StorePosition } from "./local-store.js";

const NAME = /^(\d+)-([0-9a-f-]{36})\.delta$/;

export interface StagedDelta extends StorePosition {
  readonly path: string;
}

/** What was staged is not what was written. */
export class StagedDeltaError extends Error {
  override readonly name = "StagedDeltaError";
  readonly code = "MILLRACE_STAGED_DELTA";
}

export class StagedDeltas {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<StagedDeltas> {
    const staged = join(directory, "staged");
    await mkdir(staged, { recursive: true });
    return new StagedDeltas(staged);
  }

  /** It is on the disk when this resolves. */
  async write({ epoch, runId }: StorePosition, delta: StateDelta): Promise<void> {
    const bytes = packDelta(delta);
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32BE(crc32(bytes), 0);
    const file = await open(join(this.#directory, `${epoch}-${runId}.delta`), "w");
    try {
      await file.writev([head, bytes]);
      await file.datasync();
    } finally {
      await file.close();
    }
    await syncFolder(this.#directory);
  }

  /** By epoch. */
  async list(): Promise<StagedDelta[]> {
    const staged = (await readdir(this.#directory)).flatMap((name) => {
      const [, epoch, runId] = NAME.exec(name) ?? [];
      if (epoch === undefined || runId === undefined) return [];
      return [{ epoch: Number(epoch), runId, path: join(this.#directory, name) }];
    });
    return staged.sort((a, b) => a.epoch - b.epoch);
  }

  /** @throws StagedDeltaError when it is not whole; StateFormatError */
  async read({ path }: StagedDelta): Promise<UnpackedDelta> {
    const bytes = await readFile(path);
    if (bytes.length < 4 || bytes.readUInt32BE(0) !== crc32(bytes.subarray(4))) {
      throw new StagedDeltaError(`${path} is damaged: its checksum is not that of its ${bytes.length} bytes`);
    }
    return unpackDelta(bytes.subarray(4));
  }

  /** Those up to this epoch are in the store, or were never committed. */
  async removeUpTo(epoch: number): Promise<void> {
    for (const staged of await this.list()) if (staged.epoch <= epoch) await rm(staged.path);
  }

  async remove({ path }: StagedDelta): Promise<void> {
    await rm(path);
  }
}
