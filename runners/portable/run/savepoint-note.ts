/** What lies beside a savepoint of a run: of which graph it is, and where the pipeline was in the database. */
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runOfCommit } from "../../../sql/commits.js";
import { type DescribedStep, graphDifferences } from "../../graph/graph-differences.js";
import type { StartedRun } from "../../run/run-start.js";

export interface SavepointNote {
  readonly pipeline: string;
  /** The pipeline's last commit, which both together name. */
  readonly epoch: number;
  readonly runId: string | null;
  readonly graph: readonly DescribedStep[];
}

/** A savepoint that cannot be written or gone on from: everything that is in the way. */
export class SavepointError extends Error {
  override readonly name = "SavepointError";
}

/** The note's name in the savepoint's folder, where Flink looks for its own files alone. */
export const NOTE = "millrace.json";

/** As Flink is to be told of a folder of this machine. */
export function savepointUrl(folder: string): string {
  return pathToFileURL(path.resolve(folder)).href;
}

/** Writes the note of the run's savepoint at `url`; resolves to its folder. The run must have nothing on its way. */
export async function writeSavepointNote(
  url: string,
  run: StartedRun,
  graph: readonly DescribedStep[],
): Promise<string> {
  const folder = folderOf(url);
  const note: SavepointNote = { ...(await whereabouts(run)), graph };
  await writeFile(path.join(folder, NOTE), `${JSON.stringify(note, null, 2)}\n`);
  return folder;
}

/** @throws SavepointError when there is none in the folder, or it is of another graph, with every difference */
export async function readSavepointNote(
  folder: string,
  graph: readonly DescribedStep[],
): Promise<SavepointNote> {
  const file = path.join(folder, NOTE);
  let note: SavepointNote;
  try {
    note = JSON.parse(await readFile(file, "utf8")) as SavepointNote;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SavepointError(
      `${folder} must be a savepoint that a drain has written (--savepoint-dir), got: ${why}`,
      { cause: error },
    );
  }
  const differences = graphDifferences(note.graph, graph);
  if (differences.length === 0) return note;
  throw new SavepointError(
    `savepoint ${folder} is of another graph, and what it holds fits that graph alone: ${differences.join("; ")}. ` +
      "Start without --from-savepoint: the positions in the database fit any graph",
  );
}

/** @throws SavepointError when the pipeline has gone on since, or this is another database */
export async function checkWhereabouts(note: SavepointNote, run: StartedRun): Promise<void> {
  const now = await whereabouts(run);
  if (now.pipeline === note.pipeline && now.epoch === note.epoch && now.runId === note.runId) return;
  const text = (at: Omit<SavepointNote, "graph">) =>
    `pipeline "${at.pipeline}" at epoch ${at.epoch}${at.runId === null ? "" : ` of run ${at.runId}`}`;
  throw new SavepointError(
    `the savepoint is of ${text(note)}, the database has ${text(now)}: what was read in between it does not know. ` +
      "Start without --from-savepoint, from the positions in the database",
  );
}

async function whereabouts({ session, key, epoch }: StartedRun): Promise<Omit<SavepointNote, "graph">> {
  const { pipeline } = key;
  return { pipeline, epoch, runId: (await runOfCommit(session, pipeline, epoch)) ?? null };
}

/** Flink writes `file:/…` as well as `file:///…`. */
function folderOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new SavepointError(`the savepoint must lie in a folder of this machine, got ${url}`, {
      cause: error,
    });
  }
}
