/** Events broken on purpose, each by one rule of the pipeline, named by the reason it must be refused for. */

/** The six fields of a record as text, in the order of the header. */
export interface EventFields {
  readonly eventId: string;
  readonly userId: string;
  readonly eventType: string;
  readonly productId: string;
  readonly price: string;
  readonly eventTimestamp: string;
}

/** The pipeline's names for what can be wrong with one record and leaves its neighbours alone. */
export type MalformedReason =
  | "field_count"
  | "invalid_event_id"
  | "invalid_user_id"
  | "invalid_event_type"
  | "invalid_product_id"
  | "invalid_price"
  | "invalid_event_timestamp"
  | "invalid_quote";

/** One way to break a record. */
export interface MalformedKind {
  readonly reason: MalformedReason;
  /** The broken record, without line end. Never opens a quote that would swallow the next line. */
  record(fields: EventFields): string;
}

/** All ways; a generator picks among them evenly. */
export const malformedKinds: readonly MalformedKind[] = [
  { reason: "field_count", record: (f) => eventRecord(f).replace(`,${f.productId}`, "") },
  { reason: "field_count", record: (f) => `${eventRecord(f)},extra` },
  { reason: "invalid_event_id", record: (f) => eventRecord({ ...f, eventId: "" }) },
  { reason: "invalid_user_id", record: (f) => eventRecord({ ...f, userId: "" }) },
  { reason: "invalid_user_id", record: (f) => eventRecord({ ...f, userId: " " }) },
  { reason: "invalid_event_type", record: (f) => eventRecord({ ...f, eventType: "clicked" }) },
  { reason: "invalid_event_type", record: (f) => eventRecord({ ...f, eventType: "View" }) },
  { reason: "invalid_product_id", record: (f) => eventRecord({ ...f, productId: "p".repeat(65) }) },
  { reason: "invalid_price", record: (f) => eventRecord({ ...f, price: `-${f.price}` }) },
  { reason: "invalid_price", record: (f) => eventRecord({ ...f, price: `${f.price}5` }) },
  { reason: "invalid_price", record: (f) => eventRecord({ ...f, price: "free" }) },
  {
    reason: "invalid_event_timestamp",
    record: (f) => eventRecord({ ...f, eventTimestamp: monthThirteen(f) }),
  },
  {
    reason: "invalid_event_timestamp",
    record: (f) => eventRecord({ ...f, eventTimestamp: thirtiethOfFebruary(f) }),
  },
  { reason: "invalid_quote", record: (f) => eventRecord({ ...f, userId: `${f.userId}"` }) },
  { reason: "invalid_quote", record: (f) => eventRecord({ ...f, userId: `"${f.userId}"x` }) },
];

/** The fields as a CSV record without line end; no valid field needs quotes. */
export function eventRecord(f: EventFields): string {
  return `${f.eventId},${f.userId},${f.eventType},${f.productId},${f.price},${f.eventTimestamp}`;
}

function monthThirteen({ eventTimestamp }: EventFields): string {
  return `${eventTimestamp.slice(0, 4)}-13-45T99:61:00Z`;
}

function thirtiethOfFebruary({ eventTimestamp }: EventFields): string {
  return `${eventTimestamp.slice(0, 4)}-02-30${eventTimestamp.slice(10)}`;
}
