/** What the engine counts, by node and name. */
import type { Durable } from "./durable/durable-parts.js";
import type { RestoredState } from "./durable/restored-state.js";
import { StateWriter } from "./durable/state-bytes.js";
import type { StateChanges, StateLog } from "./durable/state-log.js";
import { recordKey } from "./durable/state-record.js";

export const DROPPED_DUE_TO_LATENESS = "droppedDueToLateness";
export const DROPPED_DUE_TO_CLOSED_WINDOW = "droppedDueToClosedWindow";

const COUNTERS = "counters";

export class Counters implements Durable {
  /** By `<id of the node or path of the step>\t<name>`. */
  readonly values = new Map<string, number>();

  constructor(private readonly changes?: StateChanges | undefined) {}

  add(owner: string, name: string, count: number): void {
    const id = `${owner}\t${name}`;
    this.values.set(id, (this.values.get(id) ?? 0) + count);
    this.changes?.note();
  }

  /** For a total that somebody else keeps; a zero is not shown. */
  set(owner: string, name: string, total: number): void {
    if (total === 0) return;
    const id = `${owner}\t${name}`;
    if (this.values.get(id) !== total) this.changes?.note();
    this.values.set(id, total);
  }

  writeState(log: StateLog): void {
    const out = new StateWriter().count(this.values.size);
    for (const [id, total] of this.values) out.text(id).count(total);
    log.putSmall(recordKey(COUNTERS, ""), out.finish());
  }

  restoreState(restored: RestoredState): void {
    const input = restored.takeOne(COUNTERS, "");
    for (let left = input?.count() ?? 0; left > 0; left--) this.values.set(input!.text(), input!.count());
  }
}
