/** CSV files of shop events that know what each of their records means: no parser is asked. */
import { mkdir, rename, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Choice } from "./seeded-choice.js";

/** An event as the table must show it: `price` with two decimals, the time in UTC with microseconds. */
export interface ShopEvent {
  readonly event_id: string;
  readonly user_id: string;
  readonly event_type: string;
  readonly product_id: string;
  readonly price: string;
  readonly event_timestamp: string;
}

/** A record as it was written, and what it means: an event, or the reason why it is none. */
export interface WrittenRecord {
  readonly line: number;
  readonly byteStart: number;
  readonly byteEnd: number;
  readonly raw: Buffer;
  readonly event?: ShopEvent;
  readonly reason?: string;
}

export interface WrittenFile {
  readonly path: string;
  readonly records: readonly WrittenRecord[];
}

export interface ShopInputOptions {
  readonly choice: Choice;
  readonly directory: string;
  readonly recordsPerFile: number;
  /** Shares of all records. */
  readonly repeatRate?: number;
  readonly malformedRate?: number;
  /** Makes ids of this input differ from those of another one. */
  readonly idPrefix?: string;
}

const COLUMNS = ["event_id", "user_id", "event_type", "product_id", "price", "event_timestamp"] as const;
type Column = (typeof COLUMNS)[number];
const EVENT_TYPES = ["view", "add_to_cart", "purchase"] as const;
const FIRST_MTIME_MS = Date.UTC(2026, 0, 1);

/**
 * Writes files that are in order of time as they are in order of writing. 2 % of the records repeat an
 * id, half of them with another payload; 1 % are malformed, in turn in every way; notes hold quoted newlines.
 */
export class ShopInput {
  readonly files: WrittenFile[] = [];
  readonly #options: Required<ShopInputOptions>;
  readonly #events: ShopEvent[] = [];
  #ids = 0;
  #malformed = 0;
  #nextMtimeMs = FIRST_MTIME_MS;

  constructor(options: ShopInputOptions) {
    this.#options = { repeatRate: 0.02, malformedRate: 0.01, idPrefix: "event-", ...options };
  }

  /** Drops a backlog of files that lie there since long. */
  async writeBacklog(files: number): Promise<void> {
    for (let n = 0; n < files; n++) {
      await this.#drop(this.#file({ isLive: false }), this.#nextMtimeMs);
      this.#nextMtimeMs += 1_000;
    }
  }

  /** Drops one file now, as a generator does. */
  async writeNow(): Promise<void> {
    await this.#drop(this.#file({ isLive: true }), undefined);
  }

  /** Drops one file now with exactly these events, whatever repeats they hold. */
  async writeEvents(events: readonly ShopEvent[]): Promise<void> {
    const text = new FileText([...COLUMNS, "note"], "\n");
    for (const event of events) text.addEvent(event, quoteNothing(event, ""));
    await this.#drop(text, undefined);
  }

  /** A new event that no other record has. */
  newEvent(): ShopEvent {
    const { choice, idPrefix } = this.#options;
    this.#ids += 1;
    const at = new Date(FIRST_MTIME_MS + choice.between(0, 30 * 86_400_000)).toISOString();
    const event = {
      event_id: `${idPrefix}${this.#ids}`,
      user_id: `user-${choice.between(1, 5_000)}`,
      event_type: choice.of(EVENT_TYPES),
      product_id: choice.isHit(0.1)
        ? `продукт-${choice.between(1, 50)}`
        : `product-${choice.between(1, 500)}`,
      price: `${choice.between(0, 99_999)}.${String(choice.between(0, 99)).padStart(2, "0")}`,
      event_timestamp: `${at.slice(0, 10)} ${at.slice(11, 23)}${String(choice.between(0, 999)).padStart(3, "0")}`,
    };
    return event;
  }

  async #drop(text: FileText, mtimeMs: number | undefined): Promise<void> {
    const { directory } = this.#options;
    const name = `events-${String(this.files.length + 1).padStart(5, "0")}.csv`;
    await mkdir(directory, { recursive: true });
    const aside = path.join(directory, `.${name}.writing`);
    await writeFile(aside, text.bytes());
    if (mtimeMs !== undefined) await utimes(aside, mtimeMs / 1_000, mtimeMs / 1_000);
    await rename(aside, path.join(directory, name));
    this.files.push({ path: name, records: text.records });
  }

  #file({ isLive }: { readonly isLive: boolean }): FileText {
    const { choice, recordsPerFile } = this.#options;
    const isFirst = this.files.length === 0;
    const names = choice.shuffled([...COLUMNS, "note"]);
    const text = new FileText(isFirst ? ["event_id", "price"] : names, choice.isHit(0.3) ? "\r\n" : "\n");
    if (isFirst) {
      for (let n = 0; n < 5; n++) text.addDead(Buffer.from(`lost-${n},1.00`), "missing_column");
      return text;
    }
    while (text.records.length < recordsPerFile) this.#addRecord(text);
    const records = text.records.length;
    if (choice.isHit(0.5)) this.#endWithOpenQuote(text);
    if (choice.isHit(0.3)) text.endWithoutNewline();
    // Behind an open quote, and without a newline, a live file is read once it is quiet. That may be after the
    // files behind it: a repeat of what it ends with could come first.
    if (isLive) for (const { event } of text.records.slice(records - 1)) this.#neverRepeat(event);
    return text;
  }

  #neverRepeat(event: ShopEvent | undefined): void {
    const at = this.#events.findIndex(({ event_id }) => event_id === event?.event_id);
    if (at >= 0) this.#events.splice(at, 1);
  }

  #addRecord(text: FileText): void {
    const { choice, repeatRate, malformedRate } = this.#options;
    const roll = choice.next();
    if (roll < malformedRate) this.#addMalformed(text);
    else if (roll < malformedRate + repeatRate && this.#events.length > 0) this.#addRepeat(text);
    else this.#addNew(text);
  }

  #addNew(text: FileText): void {
    const event = this.newEvent();
    this.#events.push(event);
    text.addEvent(event, this.#fieldsOf(event));
  }

  /** The same id again: recently or long ago, with an equal payload in other words, or with another one. */
  #addRepeat(text: FileText): void {
    const { choice } = this.#options;
    const recent = Math.max(0, this.#events.length - 50);
    const at = choice.between(choice.isHit(0.5) ? recent : 0, this.#events.length - 1);
    const first = this.#events[at] as ShopEvent;
    if (choice.isHit(0.5)) {
      text.addEvent(first, { ...this.#fieldsOf(first), ...inOtherWords(first) });
      return;
    }
    const column = choice.of(["user_id", "event_type", "product_id", "price", "event_timestamp"] as const);
    const { event_type: type } = first;
    const other = {
      user_id: `${first.user_id}-other`,
      event_type: EVENT_TYPES[(EVENT_TYPES.indexOf(type as "view") + 1) % 3] as string,
      product_id: `${first.product_id}-other`,
      price: `1${first.price}`,
      event_timestamp: first.event_timestamp.replace(/^\d{4}/, "2025"),
    };
    const event = { ...first, [column]: other[column] };
    text.addEvent(event, this.#fieldsOf(event));
  }

  #addMalformed(text: FileText): void {
    const { choice } = this.#options;
    const event = this.newEvent();
    const malform = MALFORMED[this.#malformed % MALFORMED.length] as Malformed;
    this.#malformed += 1;
    const fields = quoteNothing(event, "note");
    const raw = text.rawOf({ ...fields, ...malform.fields });
    text.addDead(malform.bytes?.(raw) ?? raw, malform.reason);
    if (!choice.isHit(0.3)) return;
    // A malformed record must not make its id known: the same id, well-formed, is an event.
    this.#events.push(event);
    text.addEvent(event, this.#fieldsOf(event));
  }

  /** A quote that is never closed takes only its own line, not those after it. */
  #endWithOpenQuote(text: FileText): void {
    const first = text.rawOf(quoteNothing(this.newEvent(), "note"));
    text.addDead(Buffer.concat([Buffer.from('"'), first]), "unterminated_quote");
    for (let n = 0; n < 3; n++) {
      const event = this.newEvent();
      this.#events.push(event);
      text.addEvent(event, quoteNothing(event, "after the quote"));
    }
  }

  #fieldsOf(event: ShopEvent): Record<Column | "note", string> {
    const { choice } = this.#options;
    const notes = ["", "plain", '"a, comma"', '"two\nlines"', '"a ""quote"" and\r\nthree\nlines"'];
    const fields = quoteNothing(event, choice.of(notes));
    return choice.isHit(0.1) ? { ...fields, user_id: `"${event.user_id}"` } : fields;
  }
}

interface Malformed {
  readonly reason: string;
  readonly fields?: Partial<Record<Column | "note", string>>;
  readonly bytes?: (raw: Buffer) => Buffer;
}

const MALFORMED: readonly Malformed[] = [
  { reason: "invalid_price", fields: { price: "-1.00" } },
  { reason: "invalid_price", fields: { price: "1e3", event_timestamp: "yesterday" } },
  { reason: "invalid_price", fields: { price: "12.345" } },
  { reason: "invalid_event_type", fields: { event_type: "Purchase" } },
  { reason: "invalid_event_timestamp", fields: { event_timestamp: "2026-02-30 10:00:00" } },
  { reason: "invalid_event_id", fields: { event_id: '"two words"' } },
  { reason: "invalid_event_id", fields: { event_id: '"two\nlines"' } },
  { reason: "invalid_user_id", fields: { user_id: "" } },
  { reason: "invalid_product_id", fields: { product_id: "p".repeat(65) } },
  { reason: "field_count", bytes: (raw) => Buffer.concat([raw, Buffer.from(",one more")]) },
  { reason: "field_count", bytes: () => Buffer.from("only, two") },
  { reason: "invalid_quote", fields: { note: 'a "quote" inside' } },
  { reason: "invalid_quote", fields: { note: '"closed"and more' } },
  {
    reason: "invalid_encoding",
    bytes: (raw) => Buffer.from(raw.toString("latin1").replace("note", "\xff"), "latin1"),
  },
];

function quoteNothing(event: ShopEvent, note: string): Record<Column | "note", string> {
  return { ...event, note };
}

/** The same value, written another way; digits beyond microseconds are cut. */
function inOtherWords({ price, event_timestamp: time }: ShopEvent): Partial<Record<Column, string>> {
  const milliseconds = Date.parse(`${time.slice(0, 23).replace(" ", "T")}Z`);
  const twoHoursEast = new Date(milliseconds + 2 * 3_600_000).toISOString().slice(0, 23);
  return { price: price.replace(/0$/, ""), event_timestamp: `${twoHoursEast}${time.slice(23)}999+02:00` };
}

/** The text of one file, and where each record stands in it. */
class FileText {
  readonly records: WrittenRecord[] = [];
  readonly #parts: Buffer[] = [];
  #bytes = 0;
  #line = 1;

  constructor(
    private readonly header: readonly string[],
    private readonly lineEnd: string,
  ) {
    this.#append(Buffer.from(header.join(",")));
  }

  rawOf(fields: Readonly<Record<string, string>>): Buffer {
    return Buffer.from(this.header.map((name) => fields[name] as string).join(","));
  }

  addEvent(event: ShopEvent, fields: Readonly<Record<string, string>>): void {
    const raw = this.rawOf(fields);
    this.records.push({ ...this.#place(raw), event });
    this.#append(raw);
  }

  addDead(raw: Buffer, reason: string): void {
    this.records.push({ ...this.#place(raw), reason });
    this.#append(raw);
  }

  endWithoutNewline(): void {
    this.#parts.pop();
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #place(raw: Buffer) {
    return { line: this.#line, byteStart: this.#bytes, byteEnd: this.#bytes + raw.length, raw };
  }

  #append(raw: Buffer): void {
    this.#parts.push(raw, Buffer.from(this.lineEnd));
    this.#bytes += raw.length + this.lineEnd.length;
    this.#line += 1 + raw.filter((byte) => byte === 0x0a).length;
  }
}
