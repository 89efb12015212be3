/** What a run with a local store begins with: the store as it is, brought up to the last commit, or built anew. */
import { join } from "node:path";
import { isCommitted, runOfCommit } from "../../../sql/commits.js";
import type { PipelineKey } from "../../../sql/pipelines.js";
import type { SqlQueries } from "../../../sql/sql-session.js";
import { dropUnfinishedSnapshots, listState, type StoredParts } from "../../../sql/state-chunks.js";
import type { Log } from "../../../transforms/primitives/do-fn.js";
import { isOutdated } from "../../engine/durable/delta-format.js";
import type { LocalStoreOptions } from "../../job/runner.js";
import { firstOwned, Records, SNAPSHOT_EPOCHS } from "../packed-state.js";
import type { LoadedState, StateStorage } from "../state-storage.js";
import { readDeltas, scheduleOf } from "../stored-state.js";
import { LocalState } from "./local-state.js";
import type { LocalStore, StorePosition } from "./local-store.js";
import { createStore, openStore, type StorePlace, writeAbout } from "./open-store.js";
import { StagedDeltas } from "./staged-deltas.js";
import { ViewedState } from "./viewed-state.js";

/** Of keys of all steps together: some ten thousand small ones. */
const RESIDENT_BYTES_MAX = 64 * 1024 * 1024;

/** The state is on one machine alone, and what is on this one is not it. */
export class LocalStateError extends Error {
  override readonly name = "LocalStateError";
  readonly code = "MILLRACE_LOCAL_STATE";
}

export interface LoadOptions {
  readonly queries: SqlQueries;
  readonly key: PipelineKey;
  /** The last commit. */
  readonly epoch: number;
  readonly store: LocalStoreOptions;
  readonly log: Log;
}

/**
 * In the session that has taken the pipeline's run.
 * @throws ForeignStoreError, StateFormatError; with `local`, LocalStateError when the store is missing, older, newer or
 * another one, naming both epochs
 */
export async function loadWithStore(options: LoadOptions): Promise<LoadedState> {
  const { queries, key, store } = options;
  const place = {
    ...key,
    directory: join(store.directory, key.pipeline),
    isSynced: store.durability === "local",
  };
  await dropUnfinishedSnapshots(queries, key);
  const parts = await listState(queries, key);
  return store.durability === "local" ? loadLocal(options, place, parts) : loadView(options, place, parts);
}

async function loadView(options: LoadOptions, place: StorePlace, parts: StoredParts): Promise<LoadedState> {
  const { key, store: settings } = options;
  const store = await viewOf(options, place, parts);
  await store.flush();
  await writeAbout(place, store);
  const { residentBytesMax = RESIDENT_BYTES_MAX, pieceBytes } = settings;
  const schedule = scheduleOf(parts, settings.snapshotEpochs ?? SNAPSHOT_EPOCHS);
  const storage = new ViewedState({ key, place, store, schedule, residentBytesMax, pieceBytes });
  return loaded(store, storage);
}

/** The store as of the last commit: what is there brought up to it, or a new one. */
async function viewOf(options: LoadOptions, place: StorePlace, parts: StoredParts): Promise<LocalStore> {
  const { queries, key, epoch, store: settings, log } = options;
  const opened = await openStore(place, settings.waitingBytesMax);
  const why = opened.why ?? (await whyNot(queries, key, epoch, opened.store, parts));
  if (opened.store !== undefined && why === undefined) {
    const { position } = opened.store;
    if (position !== undefined && !hasAny(parts)) {
      await opened.store.close();
      throw notInDatabase(key, place);
    }
    const deltas = parts.deltas.filter((part) => part.epoch > (position?.epoch ?? 0));
    await orClose(opened.store, applyAll(options, { snapshot: undefined, deltas }, opened.store));
    return opened.store;
  }
  if (epoch > 0) log.info(`the local store in ${place.directory} ${why}: it is built anew from the database`);
  await opened.store?.close();
  const store = await createStore(place, settings.waitingBytesMax);
  await orClose(store, applyAll(options, parts, store));
  return store;
}

function hasAny({ snapshot, deltas }: StoredParts): boolean {
  return snapshot !== undefined || deltas.length > 0;
}

/** Why a store that is open cannot be brought up to the last commit; undefined: it can. */
async function whyNot(
  queries: SqlQueries,
  key: PipelineKey,
  epoch: number,
  store: LocalStore | undefined,
  { snapshot }: StoredParts,
): Promise<string | undefined> {
  const position = store?.position;
  if (position === undefined) return epoch === 0 ? undefined : "is empty";
  const at = `is as of epoch ${position.epoch} of run ${position.runId}`;
  if (!(await isCommit(queries, key, position)))
    return `${at}, which the database at epoch ${epoch} does not know`;
  if (snapshot !== undefined && snapshot.epoch > position.epoch) {
    return `${at}, and the database at epoch ${epoch} has no changes from before epoch ${snapshot.epoch} any more`;
  }
  return undefined;
}

async function loadLocal(options: LoadOptions, place: StorePlace, parts: StoredParts): Promise<LoadedState> {
  const { queries, key, epoch, store: settings, log } = options;
  const databaseHasState = hasAny(parts);
  const opened = await openStore(place, settings.waitingBytesMax);
  let { store } = opened;
  const isNew = epoch === 0 && store?.position === undefined;
  if (store === undefined && !databaseHasState && !isNew) throw refused(key, place, epoch, opened.why!);
  const staged = await StagedDeltas.open(place.directory);
  if (store === undefined || databaseHasState || isNew) {
    if (databaseHasState) log.info(`the state of pipeline "${key.pipeline}" is taken from the database`);
    await store?.close();
    store = await createStore(place, settings.waitingBytesMax);
    for (const old of await staged.list()) await staged.remove(old);
    await orClose(store, applyAll(options, parts, store));
  } else {
    await orClose(store, applyStaged(queries, key, store, staged));
    await refuseOther(options, place, store);
  }
  await store.flush(true);
  await writeAbout(place, store);
  const { residentBytesMax = RESIDENT_BYTES_MAX } = settings;
  const storage = new LocalState({ key, place, store, staged, residentBytesMax, databaseHasState });
  return loaded(store, storage);
}

/** A start that fails leaves no store open: the next one may be in the same process. */
async function orClose(store: LocalStore, done: Promise<void>): Promise<void> {
  try {
    await done;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Of what was staged, what has been committed; not what is behind a commit that is not there. */
async function applyStaged(
  queries: SqlQueries,
  key: PipelineKey,
  store: LocalStore,
  staged: StagedDeltas,
): Promise<void> {
  for (const delta of await staged.list()) {
    const { epoch, runId } = delta;
    if (epoch <= (store.position?.epoch ?? 0)) continue;
    if (!(await isCommit(queries, key, delta))) await staged.remove(delta);
    else if (epoch === (store.position?.epoch ?? 0) + 1)
      store.apply(await staged.read(delta), { epoch, runId });
    else return;
  }
}

async function refuseOther(
  { queries, key, epoch }: LoadOptions,
  place: StorePlace,
  store: LocalStore,
): Promise<void> {
  const { position } = store;
  if (position !== undefined && position.epoch === epoch && (await isCommit(queries, key, position))) return;
  await store.close();
  throw refused(
    key,
    place,
    epoch,
    position === undefined ? "is empty" : `is as of epoch ${position.epoch} of run ${position.runId}`,
  );
}

function notInDatabase({ pipeline }: PipelineKey, { directory }: StorePlace): Error {
  return new LocalStateError(
    `pipeline "${pipeline}" keeps its state on one machine, in ${directory}, and none of it is in the database: ` +
      "start it with --state-durability=local, or under another name",
  );
}

function refused({ pipeline }: PipelineKey, { directory }: StorePlace, epoch: number, why: string): Error {
  return new LocalStateError(
    `pipeline "${pipeline}" keeps its state on one machine (--state-durability=local), and the database is at its ` +
      `epoch ${epoch}, but the local store in ${directory} ${why}: start it where its store is, or under another name`,
  );
}

/** Snapshot and deltas, of whatever format; then the store is as of the last commit. */
async function applyAll(
  { queries, key, epoch }: LoadOptions,
  parts: StoredParts,
  store: LocalStore,
): Promise<void> {
  let old: Records | undefined;
  const upgrade = () => {
    if (old === undefined) return;
    store.change({ puts: [...old.finish().handOut()], removed: [] });
    old = undefined;
  };
  for await (const { delta } of readDeltas(queries, key, parts)) {
    if (isOutdated(delta.version)) {
      old ??= new Records();
      old.add(delta);
      continue;
    }
    upgrade();
    store.change(delta);
    // Should it not come to its end, what it has now is as good as what it had before.
    if (store.isFull) store.flushNow();
  }
  upgrade();
  const runId = await runOfCommit(queries, key.pipeline, epoch);
  if (runId !== undefined) store.moveTo({ epoch, runId });
}

function loaded(store: LocalStore, storage: StateStorage): LoadedState {
  const firstKey = function* () {
    for (const { key } of store.restored()) yield key;
  };
  return { storage, first: firstOwned(firstKey()), records: store.restored(), cold: store };
}

function isCommit(
  queries: SqlQueries,
  { pipeline }: PipelineKey,
  { epoch, runId }: StorePosition,
): Promise<boolean> {
  return isCommitted(queries, pipeline, epoch, runId);
}
