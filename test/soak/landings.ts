/** How late events are: from the moment when their file is seen in the directory to their row in the table. */
import { readdir, readFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { SqlSession } from "../../sql/sql-session.js";

/** Of each file so many records are looked for. */
const PROBES_PER_FILE = 10;

export interface Lag {
  /** When the row was seen, ms since the start. */
  readonly atMs: number;
  readonly lagMs: number;
}

export interface Backlog {
  readonly atMs: number;
  /** Records of all files that have landed. */
  readonly landed: number;
  /** Records that are counted as read, by workers that have committed them. */
  readonly read: number;
  readonly rows: number;
  /** The machine's load, averaged over a minute. */
  readonly load: number;
}

/** Looks when it is told to; files must appear all at once. */
export class Landings {
  readonly lags: Lag[] = [];
  readonly backlogs: Backlog[] = [];
  readonly #startMs = performance.now();
  readonly #seen = new Set<string>();
  readonly #ids = new Set<string>();
  /** Landed and not in the table yet, by id. */
  readonly #pending = new Map<string, number>();
  #records = 0;

  constructor(
    readonly directory: string,
    readonly session: SqlSession,
  ) {}

  get elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  get records(): number {
    return this.#records;
  }

  /** Ids that were looked for and never came. */
  get missing(): readonly string[] {
    return [...this.#pending.keys()];
  }

  async look(): Promise<void> {
    await this.#findFiles();
    const atMs = this.elapsedMs;
    const found = await this.session.query<{ event_id: string }>(
      "select event_id from user_events where event_id = any($1)",
      [[...this.#pending.keys()]],
    );
    for (const { event_id: id } of found) {
      this.lags.push({ atMs, lagMs: atMs - this.#pending.get(id)! });
      this.#pending.delete(id);
    }
    const [sums] = await this.session.query<{ read: number; rows: number }>(
      `select (select coalesce(sum(records_read), 0)::bigint from ledger) as read,
         (select count(*) from user_events) as rows`,
    );
    this.backlogs.push({
      atMs,
      landed: this.#records,
      read: sums!.read,
      rows: sums!.rows,
      load: loadavg()[0]!,
    });
  }

  async #findFiles(): Promise<void> {
    const landedAtMs = this.elapsedMs;
    for (const name of (await readdir(this.directory)).sort()) {
      if (!name.endsWith(".csv") || this.#seen.has(name)) continue;
      this.#seen.add(name);
      const records = recordsOf(await readFile(join(this.directory, name), "utf8"));
      this.#records += records.length;
      const wanted = Math.max(1, Math.floor(records.length / PROBES_PER_FILE));
      for (const [at, id] of records.entries()) {
        // a repeat, of which the row may be there already, tells nothing
        if (at % wanted === 0 && id !== undefined && !this.#ids.has(id)) this.#pending.set(id, landedAtMs);
        if (id !== undefined) this.#ids.add(id);
      }
    }
  }
}

/** The id of each record; undefined where it is none that is certain to become a row. */
function recordsOf(content: string): (string | undefined)[] {
  const [, ...lines] = content.trimEnd().split("\n");
  return lines.map((line) => WHOLE.exec(line)?.[1]);
}

const WHOLE =
  /^([0-9a-f-]{36}),[^\s",]{1,64},(?:view|add_to_cart|purchase),[^\s",]{1,64},\d+\.\d\d,\d{4}-(?!02-30)(?:0[1-9]|1[0-2])-\d\dT[\d:.]+Z$/;
