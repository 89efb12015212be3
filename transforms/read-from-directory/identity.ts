/** Tells which file stands at a path: a known one, a known one under a new name, or a new one. */
import type { Log } from "../primitives/do-fn.js";
import type { FileStatus } from "./file-system.js";
import { NOTHING_CONSUMED, recognise } from "./fingerprint.js";
import { codeOf, type InputDirectory, isGone } from "./input-directory.js";
import { Alias, type KnownFiles } from "./known-files.js";
import { type Changes, SourceFile, UnreadFile } from "./source-file.js";
import type { SourcePositions } from "./source-positions.js";

const INODES_PER_QUERY = 1000;

/** A regular file that was seen at a path where nothing, or something else, was known. */
export interface Sighting {
  readonly path: string;
  readonly status: FileStatus;
}

export interface IdentityOptions {
  readonly directory: InputDirectory;
  readonly known: KnownFiles;
  readonly positions: SourcePositions;
  readonly changes: Changes;
  readonly log: Log;
  readonly nowMs: () => number;
}

/**
 * Settles sightings in one go, because renames hang together (`a` → `b` while a new `a` appears):
 * first by inode, then by path. What is left is new; it is returned by mtime, then name.
 */
export async function identify(
  sightings: readonly Sighting[],
  options: IdentityOptions,
): Promise<Sighting[]> {
  const stored = await ownersInStore(sightings, options);
  const queue = [...sightings];
  const unclaimed = new Map<string, Sighting>();
  const displaced = new Set<SourceFile>();
  for (let i = 0; i < queue.length; i++) {
    const sighting = queue[i]!;
    const owner = await ownerByInode(sighting, stored, options);
    if (owner === "unreadable") continue;
    if (owner === undefined || owner.path === sighting.path) unclaimed.set(sighting.path, sighting);
    else {
      const freed = await rename(owner, sighting, displaced, options);
      if (freed !== undefined) queue.push(freed);
    }
  }
  retire(displaced, options);
  const fresh: Sighting[] = [];
  for (const sighting of unclaimed.values()) {
    if (!(await settleByPath(sighting, options))) fresh.push(sighting);
  }
  return fresh.sort(byTimeThenName);
}

function byTimeThenName(a: Sighting, b: Sighting): number {
  if (a.status.mtimeNs !== b.status.mtimeNs) return a.status.mtimeNs < b.status.mtimeNs ? -1 : 1;
  return a.path < b.path ? -1 : 1;
}

/** Files of these inodes that are not in memory as such: gone ones and finished ones. */
async function ownersInStore(
  sightings: readonly Sighting[],
  { known, positions, changes, nowMs }: IdentityOptions,
): Promise<Map<string, SourceFile[]>> {
  const isUnknown = ({ path, status }: Sighting) => {
    const there = known.byPath.get(path);
    return (there === undefined || there instanceof Alias) && !known.byInode.has(status.inode);
  };
  const inodes = sightings.filter(isUnknown).map(({ status }) => status.inode);
  const owners = new Map<string, SourceFile[]>();
  for (let i = 0; i < inodes.length; i += INODES_PER_QUERY) {
    for (const stored of await positions.findByInode(inodes.slice(i, i + INODES_PER_QUERY))) {
      if (known.byId.has(stored.fileId)) continue; // memory knows better
      const others = owners.get(stored.inode);
      const file = SourceFile.fromStored(stored, nowMs(), changes);
      if (others === undefined) owners.set(stored.inode, [file]);
      else others.push(file);
    }
  }
  return owners;
}

/** The known file with this inode and this content. */
async function ownerByInode(
  sighting: Sighting,
  stored: ReadonlyMap<string, readonly SourceFile[]>,
  options: IdentityOptions,
): Promise<SourceFile | UnreadFile | undefined | "unreadable"> {
  const inMemory = options.known.byInode.get(sighting.status.inode);
  if (inMemory?.path === sighting.path) return inMemory;
  const candidates = inMemory === undefined ? (stored.get(sighting.status.inode) ?? []) : [inMemory];
  for (const file of candidates) {
    const isSame = await hasSameContent(file, sighting, options);
    if (isSame === "unreadable") return isSame;
    if (isSame) return file;
  }
  return undefined;
}

/**
 * The file is seen under another name. Returns what stands under the old name now, if that must be
 * settled too. Still the same file there: the new name is a second one, and is not read.
 */
async function rename(
  file: SourceFile | UnreadFile,
  { path, status }: Sighting,
  displaced: Set<SourceFile>,
  { directory, known, log, nowMs }: IdentityOptions,
): Promise<Sighting | undefined> {
  const from = file.path;
  const there = await directory.look(from).catch(() => undefined);
  const isAside = file instanceof SourceFile && file.asidePath !== undefined;
  if (isAside || there?.inode === status.inode) {
    known.removePath(path);
    known.byPath.set(path, new Alias(path, status.inode, from));
    return undefined;
  }
  log.info("file was renamed: reading goes on", { from, path });
  known.removeName(file);
  if (typeof known.byPath.get(from) === "number") known.removePath(from); // it was finished under that name
  if (file instanceof SourceFile) {
    file.renameTo(path);
    file.observe(status, nowMs());
  } else file.path = path;
  const before = known.byPath.get(path);
  if (before instanceof SourceFile && before !== file) displaced.add(before);
  known.add(file);
  return there === undefined ? undefined : { path: from, status: there };
}

/** Known files whose path was taken by another one, and that have not turned up elsewhere. */
function retire(displaced: ReadonlySet<SourceFile>, { known, log }: IdentityOptions): void {
  for (const file of displaced) {
    if (known.byPath.get(file.path) === file) continue;
    log.warn("file was replaced by a renamed one", { path: file.path, unreadBytes: file.unreadBytes });
    known.removeName(file);
    file.state = "replaced";
    file.changed();
  }
}

/** The path is known: the same file, or a new generation of it. False: it is not. */
async function settleByPath(sighting: Sighting, options: IdentityOptions): Promise<boolean> {
  const { known, log, nowMs } = options;
  const { path, status } = sighting;
  const file = known.byPath.get(path);
  if (file instanceof UnreadFile) {
    known.setInode(file, status.inode);
    file.size = status.size;
    return true;
  }
  if (!(file instanceof SourceFile)) return false;
  const isSame = await hasSameContent(file, sighting, options);
  if (isSame === "unreadable") {
    file.block(nowMs());
    return true; // decided when it can be read
  }
  if (!isSame) {
    known.setInode(file, status.inode);
    file.startGeneration(status, nowMs());
    log.warn("file was rewritten: reading it anew", { path, generation: file.ref.generation });
    return true;
  }
  file.isSuspect = false;
  file.isThere();
  if (file.inode !== status.inode) {
    known.setInode(file, status.inode);
    file.changed();
  }
  file.observe(status, nowMs());
  return true;
}

/** Whether the bytes at the path begin as those that were consumed of the file. */
async function hasSameContent(
  file: SourceFile | UnreadFile,
  { path }: Sighting,
  { directory }: IdentityOptions,
): Promise<boolean | "unreadable"> {
  const fingerprint = file instanceof SourceFile ? file.fingerprint : NOTHING_CONSUMED;
  if (fingerprint.rawOffset === 0) return true;
  try {
    const open = await directory.open(path);
    try {
      const { size } = await open.status();
      return (await recognise(open, size, fingerprint)) !== undefined;
    } finally {
      await open.close();
    }
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return isGone(error) ? false : "unreadable";
  }
}
