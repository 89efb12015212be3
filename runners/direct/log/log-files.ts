/** The files of a commit log's folder: their names, and what makes a change of the folder last. */
import { type FileHandle, open, readdir, unlink } from "node:fs/promises";
import path from "node:path";
import { failpoint } from "../../../transforms/primitives/failpoint.js";

/** A run's commits from a snapshot on. */
export interface SegmentFile {
  readonly name: string;
  readonly run: number;
  /** Of its snapshot. */
  readonly epoch: number;
}

export interface OwnerFile {
  readonly name: string;
  readonly run: number;
}

export interface LogFiles {
  /** Oldest first. */
  readonly segments: readonly SegmentFile[];
  readonly owners: readonly OwnerFile[];
  /** What a crash has left half-written. */
  readonly drafts: readonly OwnerFile[];
}

/** The system takes no more at once. */
export const TRANSFER_BYTES_MAX = 1 << 30;

const SEGMENT = /^run-(\d{10})-epoch-(\d{15})\.log$/;
const OWNER = /^run-(\d{10})\.owner\.json$/;
const DRAFT = /^run-(\d{10})[-.].*\.tmp$/;

export function segmentName(run: number, epoch: number): string {
  return `run-${pad(run, 10)}-epoch-${pad(epoch, 15)}.log`;
}

export function ownerName(run: number): string {
  return `run-${pad(run, 10)}.owner.json`;
}

function pad(number: number, digits: number): string {
  return String(number).padStart(digits, "0");
}

/** Passes over whatever is not the log's. */
export async function listLog(folder: string): Promise<LogFiles> {
  const names = (await readdir(folder)).sort();
  const found = (pattern: RegExp) =>
    names.flatMap((name) => {
      const match = pattern.exec(name);
      return match === null ? [] : [{ name, run: Number(match[1]), epoch: Number(match[2]) }];
    });
  return { segments: found(SEGMENT), owners: found(OWNER), drafts: found(DRAFT) };
}

/** The last run that there is anything of; 0: none. */
export function lastRun({ segments, owners }: LogFiles): number {
  return Math.max(0, ...[...segments, ...owners].map(({ run }) => run));
}

/** Files made, renamed or removed in it stay so. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** All of the bytes, from this place of the file on. */
export async function writeAt(handle: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const length = Math.min(bytes.length - written, TRANSFER_BYTES_MAX);
    written += (await handle.write(bytes, written, length, offset + written)).bytesWritten;
  }
}

/**
 * Removes what a snapshot has taken the place of: segments before it, drafts of others, owners before its own. Owners go
 * in their order, so that one that still looks for itself misses itself first.
 */
export async function prune(folder: string, { run, epoch }: Omit<SegmentFile, "name">): Promise<void> {
  const { segments, owners, drafts } = await listLog(folder);
  const isBefore = (file: SegmentFile) => file.run < run || (file.run === run && file.epoch < epoch);
  for (const { name } of segments.filter(isBefore)) {
    await remove(path.join(folder, name));
    failpoint("within-prune");
  }
  for (const { name } of drafts.filter((draft) => draft.run < run)) await remove(path.join(folder, name));
  for (const { name } of owners.filter((owner) => owner.run < run)) await remove(path.join(folder, name));
}

/** Whoever has removed it already. */
export async function remove(file: string): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
