/** Files that appear all at once: written aside in the same directory, then renamed. */
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { GeneratorError } from "./generator-error.js";

/**
 * Writes `chunks` to `path`, one after the other, which exists afterwards with all of them or not at all; says how many
 * bytes. Aside it is called `.<name>.tmp`, a name that no reader of a watched directory picks up. A
 * directory that is missing, or was removed during the run, is made.
 * @throws GeneratorError `write_failed`
 */
export async function writeWhole(path: string, chunks: Iterable<Uint8Array>): Promise<number> {
  const aside = join(dirname(path), `.${basename(path)}.tmp`);
  try {
    const bytes = await writeChunks(await openAside(aside), chunks);
    await rename(aside, path);
    return bytes;
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => {});
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GeneratorError("write_failed", `file ${path} must be writable, got: ${why}`, { cause });
  }
}

/**
 * The name all files of a run share: `events-<start>-<seed>`, the start to the millisecond in UTC, the
 * seed in hex. Only a run with the same seed and the same start has the same.
 */
export function runNameOf(seed: number, startMs: number): string {
  const start = new Date(startMs).toISOString().replaceAll(/[-:.]/g, "");
  return `events-${start}-${seed.toString(16).padStart(8, "0")}`;
}

/**
 * Name of a run's n-th file, from 1. Numbers have as many digits as a run can have files, so sorting
 * by name is sorting by number. Files are written one after the other, so modification times (coarse,
 * often equal) never contradict it while the machine's clock does not step back.
 */
export function eventFileName(runName: string, number: number, numberMax: number): string {
  return `${runName}-${String(number).padStart(String(numberMax).length, "0")}.csv`;
}

/**
 * Makes sure that no file of this run is in the directory yet, for a rename would silently replace it.
 * @throws GeneratorError `output_exists`, or `write_failed` when the directory cannot be made or read
 */
export async function claimOutput(directory: string, runName: string): Promise<void> {
  const existing = await listDirectory(directory);
  const clash = existing.find((name) => name.startsWith(`${runName}-`));
  if (clash === undefined) return;
  throw new GeneratorError(
    "output_exists",
    `output must not hold files of a run with the same seed and start, got ${join(directory, clash)}; ` +
      "choose another --seed, --start or --output, or remove them",
  );
}

async function listDirectory(directory: string): Promise<string[]> {
  try {
    await mkdir(directory, { recursive: true });
    return await readdir(directory);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new GeneratorError("write_failed", `output ${directory} must be a usable directory, got: ${why}`, {
      cause,
    });
  }
}

async function openAside(aside: string): Promise<FileHandle> {
  try {
    return await open(aside, "w");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    await mkdir(dirname(aside), { recursive: true });
    return await open(aside, "w");
  }
}

async function writeChunks(file: FileHandle, chunks: Iterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  try {
    for (const chunk of chunks) {
      await file.writeFile(chunk);
      bytes += chunk.length;
    }
  } finally {
    await file.close();
  }
  return bytes;
}
