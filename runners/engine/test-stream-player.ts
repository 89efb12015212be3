/** Plays the script of a test stream, event by event, when the engine asks for the next. */
import type { Collection } from "./collection.js";
import type { RestoredState } from "./durable/restored-state.js";
import { StateWriter } from "./durable/state-bytes.js";
import type { StateChanges, StateLog } from "./durable/state-log.js";
import { recordKey } from "./durable/state-record.js";
import { MAX_WATERMARK_MS, NO_FIRING } from "./element.js";
import type { TestStreamEvent, TestStreamNode } from "./engine-graph.js";
import type { NodeState } from "./node-state.js";
import type { ProcessingTime } from "./processing-time.js";

const TEST_STREAM = "test-stream";

export class TestStreamPlayer implements NodeState {
  readonly id: string;
  readonly nextWakeUpMs = undefined;
  readonly #events: readonly TestStreamEvent[];
  /** By tag. */
  readonly #outputs: ReadonlyMap<string, Collection>;
  readonly #time: ProcessingTime;
  readonly #changes: StateChanges | undefined;
  #played = 0;

  /** @throws when an event names a tag that the stream does not have */
  constructor(
    { id, events }: TestStreamNode,
    outputs: ReadonlyMap<string, Collection>,
    time: ProcessingTime,
    changes?: StateChanges | undefined,
  ) {
    this.#changes = changes;
    this.id = id;
    this.#events = events;
    this.#outputs = outputs;
    this.#time = time;
    for (const event of events) {
      if (event.kind !== "processing-time" && !outputs.has(event.tag)) {
        throw new Error(
          `test stream ${id} has an event for the tag ${JSON.stringify(event.tag)}, but no such output`,
        );
      }
    }
  }

  /** Processing time is the script's until it is over. */
  get isOver(): boolean {
    return this.#played === this.#events.length;
  }

  get isIdle(): boolean {
    return this.isOver;
  }

  /** Plays an event. The last one is the end of the stream: nothing comes behind it. */
  playNext(): void {
    const event = this.#events[this.#played]!;
    this.#played++;
    this.#changes?.note();
    switch (event.kind) {
      case "elements":
        this.#outputs.get(event.tag)!.emit(
          event.elements.map(({ value, timestampMs, window }) => ({
            value,
            timestampMs,
            windows: [window],
            pane: NO_FIRING,
          })),
        );
        break;
      case "watermark":
        this.#outputs.get(event.tag)!.watermark.advanceTo(Math.min(event.watermarkMs, MAX_WATERMARK_MS));
        break;
      case "processing-time":
        this.#time.advanceTo(this.#time.ms + event.advanceMs);
        break;
    }
  }

  /** Leaves out the rest of the script. */
  end(): void {
    if (!this.isOver) this.#changes?.note();
    this.#played = this.#events.length;
  }

  settle(): void {
    if (!this.isOver) return;
    for (const output of this.#outputs.values()) output.watermark.advanceTo(MAX_WATERMARK_MS);
  }

  /** The place in the script, and the processing time that it has made. */
  writeState(log: StateLog): void {
    const out = new StateWriter().count(this.#played).time(this.#time.ms);
    log.putSmall(recordKey(TEST_STREAM, this.id), out.finish());
  }

  /** @throws when the script is shorter than what was played of it */
  restoreState(restored: RestoredState): void {
    const input = restored.takeOne(TEST_STREAM, this.id);
    if (input === undefined) return;
    const played = input.count();
    if (played > this.#events.length) {
      throw new Error(`test stream ${this.id} has ${this.#events.length} events, but ${played} were played`);
    }
    this.#played = played;
    this.#time.restore(input.time());
  }
}
