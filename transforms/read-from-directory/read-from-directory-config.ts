/** What to read and how: the configuration that every DoFn of the directory source shares. */
import { resolve } from "node:path";
import { z } from "zod";
import type { FileSystem } from "./file-system.js";
import { InputDirectory } from "./input-directory.js";
import { createNameFilter, DEFAULT_GLOBS } from "./name-filter.js";

const limit = z.int().positive();
const durationMs = z.number().nonnegative();

/** Checks the JSON of a graph and fills in the defaults. */
export const readFromDirectoryConfig = z.strictObject({
  /** Relative to the working directory of the process that reads. */
  directory: z.string().min(1),
  format: z.object({ format: z.string(), options: z.json() }),
  globs: z
    .array(z.string().min(1))
    .min(1)
    .default([...DEFAULT_GLOBS]),
  isRecursive: z.boolean().default(false),
  /** `inside`: symbolic links are read when they lead to a file in the directory; `never`: none is. */
  symlinks: z.enum(["inside", "never"]).default("inside"),
  order: z.enum(["oldest-first", "newest-first"]).default("oldest-first"),
  /** A last record without newline is complete after so long without growth. */
  quietMs: durationMs.default(1000),
  /** A file is done when all of it is read and it did not grow for so long. */
  doneAfterMs: durationMs.default(10_000),
  whenDone: z.enum(["leave", "archive", "delete"]).default("leave"),
  archiveDirectory: z.string().min(1).default("data/processed/raw"),
  /** A bundle ends after so many records, or with the chunk that reaches so many bytes; it has at least one record. */
  recordsPerBundleMax: limit.default(10_000),
  bytesPerBundleMax: limit.default(16 * 1024 * 1024),
  /** Whether notifications of the file system may shorten the wait for the next poll. */
  isWatching: z.boolean().default(true),
  /** A record may be so much older than the newest one before it without being late. */
  outOfOrdernessMs: durationMs.default(60_000),
  /** After so long with nothing to read, the watermark goes on with the clock, this far behind it. */
  idleMs: durationMs.default(60_000),
  /** Where ranges of files are handed out to workers: a larger file is cut, at records, into ranges of this size. */
  rangeBytesMax: limit.default(64 * 1024 * 1024),
});

/** The JSON that stands in a graph; only `directory` and `format` must be there. */
export type ReadFromDirectoryConfig = z.input<typeof readFromDirectoryConfig>;
/** With the defaults filled in. */
export type DirectoryConfig = z.output<typeof readFromDirectoryConfig>;

/** The directory of a configuration: relative to the working directory of this process. */
export function inputDirectory(config: DirectoryConfig, fileSystem: FileSystem): InputDirectory {
  return new InputDirectory(fileSystem, {
    root: resolve(config.directory),
    isRecursive: config.isRecursive,
    symlinks: config.symlinks,
    excluded: [resolve(config.archiveDirectory)],
    isInput: createNameFilter(config.globs),
  });
}
