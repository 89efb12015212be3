/**
 * The work of the benchmark of workers once more, from the same files to the same result, written with this product's
 * transforms: what a pipeline that moves from the SDK alone to them gains on a job server.
 */
import "../../transforms/all-do-fns.js";
import { appendFileSync, readFileSync } from "node:fs";
import { type UserEvent, userEventSchema } from "../../pipelines/user-event-schema.js";
import { deduplicate } from "../../transforms/deduplicate.js";
import { type DeadLetter, InputRecord, type Sourced } from "../../transforms/input-record.js";
import { impulse, P, type PCollection, type Root, withName } from "../../transforms/primitives/beam.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { reshuffle } from "../../transforms/primitives/reshuffle.js";
import { InputRecordCoder } from "../../transforms/record-coders.js";
import { createRecordFormat, type RecordReader } from "../../transforms/record-format.js";
import { validate } from "../../transforms/validate-records.js";
import { CSV } from "./bench-data.js";
import { hashOf, type SparkWork } from "./spark-work.js";

export function buildWorkWithOurTransforms(root: Root, { files, reportFile }: SparkWork): void {
  const start = root.apply(withName("Impulse", impulse()));
  const list = registeredParDo<Uint8Array, File>("bench_list_files@1", { files: [...files] });
  const listed = P(start).apply(withName("ListFiles", list));
  const spread = P(listed).apply(withName("SpreadFiles", reshuffle<File>()));
  const read = registeredParDo<File, InputRecord>("bench_read_files@1", null, {
    coders: { main: new InputRecordCoder() },
  });
  const records = P(spread).apply(withName("ReadFiles", read));
  const { valid, invalid } = P(records).apply(
    withName("ValidateEvents", validate<UserEvent>(userEventSchema.name)),
  );
  const memory = { key: "event_id", horizon: { records: 1 } };
  const kept = P(valid).apply(withName("DropRepeats", deduplicate<UserEvent>(memory, { distributed: true })));
  count(valid, "CountValid", { file: reportFile, as: "valid" });
  count(invalid, "CountInvalid", { file: reportFile, as: "invalid" });
  count(kept, "CountKept", { file: reportFile, as: "kept" });
}

type File = { readonly path: string; readonly place: number };
type ReportConfig = { readonly file: string; readonly as: "valid" | "invalid" | "kept" };

function count(of: PCollection<unknown>, name: string, config: ReportConfig): void {
  P(of).apply(withName(name, registeredParDo<unknown, never>("bench_count@1", config)));
}

class ListFilesFn implements DoFn<Uint8Array> {
  constructor(private readonly files: readonly string[]) {}
  process(_start: Uint8Array, context: ProcessContext): void {
    for (const [place, path] of this.files.entries()) context.output({ path, place });
  }
}

class ReadFilesFn implements DoFn<File> {
  readonly #format = createRecordFormat(CSV);
  process({ path, place }: File, context: ProcessContext): void {
    const file = { fileId: place, generation: 0, path };
    const reader = this.#format.createReader(null);
    reader.push(readFileSync(path));
    reader.end();
    for (const record of recordsOf(reader)) context.output(new InputRecord(file, record), record.timestampMs);
  }
}

function* recordsOf(reader: RecordReader) {
  for (let record = reader.next(); record !== undefined; record = reader.next()) yield record;
}

/** Says at the end of each bundle how many there were, and of kept ones what they come to. */
class CountFn implements DoFn<DeadLetter | Sourced<UserEvent>> {
  #count = 0;
  #checksum = 0;
  constructor(private readonly config: ReportConfig) {}
  startBundle(): void {
    this.#count = 0;
    this.#checksum = 0;
  }
  process(element: DeadLetter | Sourced<UserEvent>): void {
    this.#count++;
    if (this.config.as === "kept" && "value" in element) {
      const { event_id, price } = element.value;
      this.#checksum += hashOf({ event_id, price: Number(price) });
    }
  }
  finishBundle(): void {
    if (this.#count === 0) return;
    const { as, file } = this.config;
    // a repeat is what was valid and is not kept
    const repeats = { valid: this.#count, invalid: 0, kept: -this.#count }[as];
    const report = as === "valid" ? { repeats } : { [as]: this.#count, repeats, checksum: this.#checksum };
    appendFileSync(file, `${JSON.stringify(report)}\n`);
  }
}

registerDoFn<{ files: string[] }>("bench_list_files@1", ({ files }) => new ListFilesFn(files));
registerDoFn<null>("bench_read_files@1", () => new ReadFilesFn());
registerDoFn<ReportConfig>("bench_count@1", (config) => new CountFn(config));
