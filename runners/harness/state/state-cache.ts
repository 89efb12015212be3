/** What bundles have read of state and side inputs, kept in bytes for later ones: least recently used ones go first. */

/** Of a worker, unless the job's option `max_cache_memory_usage_mb` says otherwise; Beam's own default. */
export const STATE_CACHE_BYTES_MAX = 100 << 20;

/** What an entry costs beside its bytes, about. */
const ENTRY_BYTES = 256;

interface Entry {
  /** One after the other they are what the runner has. */
  parts: Uint8Array[];
  bytes: number;
}

/** Shared by all stages of a worker. */
export class StateCache {
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(readonly bytesMax = STATE_CACHE_BYTES_MAX) {}

  /** All that is kept, and what keeping it costs. */
  get bytes(): number {
    return this.#bytes;
  }

  get(id: string): Uint8Array | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    this.#entries.delete(id); // to the end: used last
    this.#entries.set(id, entry);
    if (entry.parts.length > 1) entry.parts = [Buffer.concat(entry.parts)];
    return entry.parts[0]!;
  }

  /** Copies: what comes in a message would keep all of the message. */
  set(id: string, bytes: Uint8Array): void {
    this.delete(id);
    this.#put(id, { parts: [new Uint8Array(bytes)], bytes: id.length + bytes.length + ENTRY_BYTES });
  }

  /** To what is kept under the id, if anything is. */
  append(id: string, bytes: Uint8Array): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.delete(id);
    entry.parts.push(new Uint8Array(bytes));
    this.#put(id, { parts: entry.parts, bytes: entry.bytes + bytes.length });
  }

  delete(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    this.#bytes -= entry.bytes;
  }

  #put(id: string, entry: Entry): void {
    if (entry.bytes > this.bytesMax) return;
    this.#entries.set(id, entry);
    this.#bytes += entry.bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.bytesMax) return;
      this.delete(oldest);
    }
  }
}
