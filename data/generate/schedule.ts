/** When each record of a run is due, and which records share a file. */

/** The records `from` up to, not including, `to`: one file. */
export interface Batch {
  readonly from: number;
  readonly to: number;
  /** When the file may appear, ms after the start of the run; 0 when nothing is paced. */
  readonly dueMs: number;
}

/** What a schedule is made from. */
export interface ScheduleOptions {
  readonly eventsPerSecond: number;
  readonly rowsPlanned: number;
  readonly rowsPerFile: number;
  /** False: files are cut by rows alone and due at once. */
  readonly isPaced: boolean;
}

/**
 * Record `n` belongs to `n / eventsPerSecond` seconds after the start, in event time as well as on the
 * clock. Files are cut by this schedule (a second of it, or `rowsPerFile` records, whichever is first)
 * and not by the clock, so a late machine writes the same files later.
 */
export class Schedule {
  readonly #options: ScheduleOptions;

  constructor(options: ScheduleOptions) {
    this.#options = options;
  }

  /** Time of a record, whole microseconds after the start; never decreases. */
  offsetMicros(row: number): number {
    return Math.floor((row * 1_000_000) / this.#options.eventsPerSecond);
  }

  /** The file that begins with `row`, which must be planned. */
  batchFrom(row: number): Batch {
    const { rowsPlanned, rowsPerFile, isPaced } = this.#options;
    const fullTo = Math.min(row + rowsPerFile, rowsPlanned);
    if (!isPaced) return { from: row, to: fullTo, dueMs: 0 };
    const nextSecond = Math.floor(this.offsetMicros(row) / 1_000_000) + 1;
    const to = Math.min(fullTo, this.#firstRowFrom(nextSecond * 1_000_000));
    return { from: row, to, dueMs: Math.min(nextSecond * 1000, this.offsetMicros(to) / 1000) };
  }

  /** How many records have had their time `elapsedMs` after the start. */
  rowsDueAt(elapsedMs: number): number {
    return this.#firstRowFrom(Math.floor(elapsedMs * 1000) + 1);
  }

  /** The first row whose time is `micros` or later. */
  #firstRowFrom(micros: number): number {
    // The division may round to a neighbour; offsetMicros alone decides.
    let row = Math.ceil((micros / 1_000_000) * this.#options.eventsPerSecond);
    while (row > 0 && this.offsetMicros(row - 1) >= micros) row -= 1;
    while (this.offsetMicros(row) < micros) row += 1;
    return row;
  }
}
