/** What the engine counts, by node and name. */

export const DROPPED_DUE_TO_LATENESS = "droppedDueToLateness";
export const DROPPED_DUE_TO_CLOSED_WINDOW = "droppedDueToClosedWindow";

export class Counters {
  /** By `<id of the node or path of the step>\t<name>`. */
  readonly values = new Map<string, number>();

  add(owner: string, name: string, count: number): void {
    const id = `${owner}\t${name}`;
    this.values.set(id, (this.values.get(id) ?? 0) + count);
  }

  /** For a total that somebody else keeps; a zero is not shown. */
  set(owner: string, name: string, total: number): void {
    if (total > 0) this.values.set(`${owner}\t${name}`, total);
  }
}
