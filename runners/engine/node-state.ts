/** What the engine asks of each node of its graph. */
import type { Durable } from "./durable/durable-parts.js";

/** One without anything to keep beside its outputs' watermarks has no records. */
export interface NodeState extends Partial<Durable> {
  readonly id: string;
  /** Moves on with the watermarks of its inputs: does what is done without a bundle, and moves its outputs' watermarks. */
  settle(): void;
  /** Nothing waits in the node, for whatever. */
  readonly isIdle: boolean;
  /** Processing time at which something will be ready. */
  readonly nextWakeUpMs: number | undefined;
}
