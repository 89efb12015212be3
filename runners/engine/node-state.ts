/** What the engine asks of each node of its graph. */

export interface NodeState {
  readonly id: string;
  /** Moves on with the watermarks of its inputs: does what is done without a bundle, and moves its outputs' watermarks. */
  settle(): void;
  /** Nothing waits in the node, for whatever. */
  readonly isIdle: boolean;
  /** Processing time at which something will be ready. */
  readonly nextWakeUpMs: number | undefined;
}
