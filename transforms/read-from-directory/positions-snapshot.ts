/** The changed files of a bundle, as they stood when its `process` ended. */
import type { Changes, SourceFile } from "./source-file.js";
import type { StoredFile } from "./source-positions.js";

/** Files named in one report of progress. */
const PROGRESS_PATHS_MAX = 100;

export interface PositionsSnapshot {
  readonly files: readonly StoredFile[];
  /** By path, for a few of them: where reading started and ended. */
  readonly startOffset: Readonly<Record<string, number>>;
  readonly endOffset: Readonly<Record<string, number>>;
  /** By path: when it was last written to, ms since 1970. */
  readonly landedAtMs: Readonly<Record<string, number>>;
  /** Tells the source that they are committed. */
  committed(): void;
}

/**
 * Takes all changes for the bundle that ends now.
 * @param onCommitted called for every file of which nothing newer is waiting, once it is committed.
 */
export function takeSnapshot(changes: Changes, onCommitted: (file: SourceFile) => void): PositionsSnapshot {
  const changed = [...new Set([...changes.urgent, ...changes.later])].map((file) => ({
    file,
    version: file.version,
  }));
  changes.urgent.clear();
  changes.later.clear();
  const startOffset: Record<string, number> = {};
  const endOffset: Record<string, number> = {};
  const landedAtMs: Record<string, number> = {};
  for (const { file } of changed.slice(0, PROGRESS_PATHS_MAX)) {
    startOffset[file.path] = Math.min(file.toldOffset, file.position.byteOffset);
    endOffset[file.path] = file.position.byteOffset;
    if (file.mtimeNs > 0n) landedAtMs[file.path] = Number(file.mtimeNs / 1_000_000n);
  }
  for (const { file } of changed) file.toldOffset = file.position.byteOffset;
  const committed = () => {
    for (const { file, version } of changed) {
      file.committedVersion = Math.max(file.committedVersion, version);
      if (file.isCommitted) onCommitted(file);
    }
  };
  return { files: changed.map(({ file }) => file.toStored()), startOffset, endOffset, landedAtMs, committed };
}
