/** The last minutes of some figures: takes them as they come, keeps at most so many points, lets old ones go. */

export type Point = Readonly<Record<string, number | null>>;

/** What a chart draws: seconds since 1970 across, one array a line, null where nothing was. */
export interface ChartData {
  readonly atSeconds: readonly number[];
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
}

export class RollingWindow {
  private atMs: number[] = [];
  private columns: Record<string, (number | null)[]>;

  constructor(
    private readonly names: readonly string[],
    private readonly spanMs: number,
    private readonly pointsMax: number,
  ) {
    this.columns = Object.fromEntries(names.map((name) => [name, []]));
  }

  /** What was before the first point; points that came meanwhile stay behind it. */
  seed(atMs: readonly number[], values: Readonly<Record<string, readonly (number | null)[]>>): void {
    const end = this.atMs[0] ?? Number.POSITIVE_INFINITY;
    const taken = atMs.map((at, index) => ({ at, index })).filter(({ at }) => at < end);
    this.atMs = [...taken.map(({ at }) => at), ...this.atMs];
    for (const name of this.names) {
      const before = taken.map(({ index }) => values[name]?.[index] ?? null);
      this.columns[name] = [...before, ...(this.columns[name] ?? [])];
    }
    this.trim();
  }

  /** Points closer than the span divided by `pointsMax` replace one another; older ones are not taken. */
  add(atMs: number, point: Point): void {
    const last = this.atMs.at(-1);
    if (last !== undefined && atMs <= last) return;
    const beforeLast = this.atMs.at(-2);
    if (beforeLast !== undefined && atMs - beforeLast < this.spanMs / this.pointsMax) this.dropLast();
    this.atMs.push(atMs);
    for (const name of this.names) this.columns[name]?.push(point[name] ?? null);
    this.trim();
  }

  data(): ChartData {
    return {
      atSeconds: this.atMs.map((at) => at / 1_000),
      values: Object.fromEntries(this.names.map((name) => [name, this.columns[name]?.slice() ?? []])),
    };
  }

  private dropLast(): void {
    this.atMs.pop();
    for (const name of this.names) this.columns[name]?.pop();
  }

  private trim(): void {
    const last = this.atMs.at(-1) ?? 0;
    let first = Math.max(0, this.atMs.length - this.pointsMax);
    while (first < this.atMs.length && (this.atMs[first] ?? 0) < last - this.spanMs) first++;
    if (first === 0) return;
    this.atMs.splice(0, first);
    for (const name of this.names) this.columns[name]?.splice(0, first);
  }
}
