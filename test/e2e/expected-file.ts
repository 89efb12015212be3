/** An input file written record by record, each together with what must become of it. */
import { utimes, writeFile } from "node:fs/promises";
import type { StatusCounts } from "../../sql/status.js";

/** As stored, all text: event_id, user_id, event_type, product_id, price, event_timestamp in UTC. */
export type Row = readonly [string, string, string, string, string, string];

/** What becomes of a record: a row, a count, or a dead letter with its reason. */
export type Fate =
  | { readonly row: Row }
  | "duplicate"
  | "conflict"
  | { readonly dead: string; readonly raw?: string | Buffer };

/** A row of `dead_letters`, in what the input decides. */
export interface Letter {
  readonly source_file: string;
  readonly generation: number;
  readonly line: number;
  readonly byte_start: number;
  readonly byte_end: number;
  readonly reason: string;
  /** Latin-1, so that bytes can be compared as text. */
  readonly raw: string;
}

export const HEADER = "event_id,user_id,event_type,product_id,price,event_timestamp";

/** Offsets and lines are counted here a second time, by nothing but the lengths of what is added. */
export class ExpectedFile {
  readonly rows: Row[] = [];
  readonly letters: Letter[] = [];
  generation = 0;
  state = "done";
  #parts: Buffer[] = [];
  #offset = 0;
  #line = 1;
  #duplicates = 0;
  #conflicts = 0;

  constructor(readonly name: string) {}

  /** Bytes that are no record, as they stand: a header, a blank line, a byte order mark. */
  text(bytes: string | Buffer): this {
    const buffer = Buffer.from(bytes as string);
    this.#parts.push(buffer);
    this.#offset += buffer.length;
    this.#line += buffer.filter((byte) => byte === 0x0a).length;
    return this;
  }

  /** A record without its line end, and its fate. */
  record(bytes: string | Buffer, fate: Fate, lineEnd = "\n"): this {
    const raw = Buffer.from(bytes as string);
    if (fate === "duplicate") this.#duplicates++;
    else if (fate === "conflict") this.#conflicts++;
    else if ("row" in fate) this.rows.push(fate.row);
    else this.letters.push(this.#letter(raw, fate.dead, fate.raw));
    return this.text(raw).text(lineEnd);
  }

  /** The same path with other content from here on: what was there has been dealt with. */
  rewritten(): this {
    this.#parts = [];
    this.#offset = 0;
    this.#line = 1;
    this.generation++;
    return this;
  }

  get content(): Buffer {
    return Buffer.concat(this.#parts);
  }

  get status(): StatusCounts & { path: string; generation: number; state: string; byte_offset: number } {
    const dead_letters: Record<string, number> = {};
    for (const { reason } of this.letters) dead_letters[reason] = (dead_letters[reason] ?? 0) + 1;
    const { name: path, generation, state, rows, letters } = this;
    const [duplicates, conflicts] = [this.#duplicates, this.#conflicts];
    const records_read = rows.length + letters.length + duplicates + conflicts;
    const counts = { records_read, events_written: rows.length, duplicates, conflicts, dead_letters };
    return { path, generation, state, byte_offset: this.#offset, ...counts };
  }

  /** Writes it as a file that has been quiet for long, `second` seconds later than file 0. */
  async write(path: string, second: number, encode = (content: Buffer) => content): Promise<void> {
    await writeFile(path, encode(this.content));
    await utimes(path, LONG_AGO_S + second, LONG_AGO_S + second);
  }

  #letter(bytes: Buffer, reason: string, raw: string | Buffer = bytes): Letter {
    const position = { line: this.#line, byte_start: this.#offset, byte_end: this.#offset + bytes.length };
    const text = Buffer.from(raw as string).toString("latin1");
    return { source_file: this.name, generation: this.generation, ...position, reason, raw: text };
  }
}

const LONG_AGO_S = 1_767_225_600;
