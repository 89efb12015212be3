/** The DoFn that cuts large files into ranges which can be read apart. */
import type { PlannedFileRow } from "../../sql/planned-files.js";
import type { DoFn, ProcessContext } from "../primitives/do-fn.js";
import { registerDoFn } from "../primitives/fn-registry.js";
import { createRecordFormat, type RecordFormat } from "../record-format.js";
import { cutRange } from "./cut-file.js";
import { wholeRange } from "./file-range.js";
import { realFileSystem } from "./file-system.js";
import type { InputDirectory } from "./input-directory.js";
import { openPlanned } from "./planned-directory.js";
import {
  type DirectoryConfig,
  inputDirectory,
  type ReadFromDirectoryConfig,
  readFromDirectoryConfig,
} from "./read-from-directory-config.js";

/**
 * Takes planned files, emits each as one `FileRange` or, where more than `rangeBytesMax` is to be read of it, as
 * several in order. A gzip file, which can only be inflated from its start, is one range however large it is.
 */
class CutFilesFn implements DoFn<PlannedFileRow> {
  readonly concurrencyMax = 1;
  readonly #config: DirectoryConfig;
  readonly #directory: InputDirectory;
  readonly #format: RecordFormat;

  constructor(config: ReadFromDirectoryConfig) {
    this.#config = readFromDirectoryConfig.parse(config);
    this.#directory = inputDirectory(this.#config, realFileSystem);
    this.#format = createRecordFormat(this.#config.format);
  }

  /** @throws FileChangedError when a file to be cut is not what was planned. */
  process(file: PlannedFileRow, context: ProcessContext): Promise<void> | undefined {
    const isSmall = file.byte_end - file.byte_offset <= this.#config.rangeBytesMax;
    if (!isSmall && !file.path.endsWith(".gz")) return this.#cut(file, context);
    context.output(wholeRange(file));
    return undefined;
  }

  async #cut(file: PlannedFileRow, context: ProcessContext): Promise<void> {
    const range = wholeRange(file);
    const open = await openPlanned(this.#directory, range);
    try {
      for await (const part of cutRange(open, range, this.#format, this.#config.rangeBytesMax)) {
        context.output(part);
        await context.room();
      }
    } finally {
      await open.close();
    }
  }
}

registerDoFn<ReadFromDirectoryConfig>("cut_files@1", (config) => new CutFilesFn(config));
