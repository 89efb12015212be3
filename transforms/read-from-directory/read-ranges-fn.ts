/** The DoFn that reads ranges of files, each record of which counts once however often a range is read. */
import { type ReadRangeRow, recordRanges } from "../../sql/read-ranges.js";
import { InputRecord } from "../input-record.js";
import type { DoFn, FinishBundleContext, ProcessContext, SetupContext } from "../primitives/do-fn.js";
import { registerDoFn } from "../primitives/fn-registry.js";
import { createRecordFormat } from "../record-format.js";
import type { FileRange, RangeEnd } from "./file-range.js";
import { realFileSystem } from "./file-system.js";
import { type RangeReaderOptions, readRange } from "./range-reader.js";
import {
  type DirectoryConfig,
  inputDirectory,
  type ReadFromDirectoryConfig,
  readFromDirectoryConfig,
} from "./read-from-directory-config.js";

/**
 * Takes `FileRange`s, emits `InputRecord`s with their event time, those and no others that the source of the
 * whole directory would. Records each range in the bundle's transaction; what is new with it goes to the ledger.
 */
class ReadRangesFn implements DoFn<FileRange> {
  /** One range after the other: its records are all that a worker holds. */
  readonly concurrencyMax = 1;
  readonly #config: DirectoryConfig;
  #options!: RangeReaderOptions;
  #pipeline!: string;
  #read: ReadRangeRow[] = [];

  constructor(config: ReadFromDirectoryConfig) {
    this.#config = readFromDirectoryConfig.parse(config);
  }

  setup(context: SetupContext): void {
    const { clock, signal, pipeline } = context;
    const directory = inputDirectory(this.#config, realFileSystem);
    this.#options = { directory, format: createRecordFormat(this.#config.format), clock, signal };
    this.#pipeline = pipeline;
  }

  startBundle(): void {
    this.#read = [];
  }

  /** @throws FileChangedError when the file is not what was planned. */
  async process(range: FileRange, context: ProcessContext): Promise<void> {
    const { end, records } = await readRange(range, this.#options, {
      emit: (file, record) => context.output(new InputRecord(file, record), record.timestampMs),
      room: () => context.room(),
    });
    this.#read.push(rowOf(range, end, records));
  }

  async finishBundle(context: FinishBundleContext): Promise<void> {
    if (this.#read.length === 0) return;
    const transaction = await context.transaction();
    const fresh = await recordRanges(transaction, this.#pipeline, this.#read);
    for (const [fileId, records] of fresh) context.ledger.add(fileId, "records_read", records);
  }
}

/** A range ends where reading goes on behind it: a tail that is not complete is no part of it. */
function rowOf({ file, start, lineage }: FileRange, end: RangeEnd, records: number): ReadRangeRow {
  const place = { file_id: file.file_id, generation: file.generation };
  const bytes = { byte_start: start.byteOffset, byte_end: end.byteOffset };
  return { ...place, ...bytes, lineage, records, end_position: JSON.stringify(end) };
}

registerDoFn<ReadFromDirectoryConfig>("read_ranges@1", (config) => new ReadRangesFn(config));
