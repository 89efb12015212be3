/** What a bundle sends to its runner: elements and timers, encoded as they come and sent in few messages. */
import { ByteWriter } from "../../transforms/primitives/coders/byte-writer.js";
import { NO_FIRING } from "../../transforms/primitives/window.js";
import type { TimerUpdate } from "../engine/bundle.js";
import type { Element } from "../engine/element.js";
import type { StageSink, StatefulStage } from "./descriptor/stage-plan.js";
import { mustFit } from "./element-limit.js";
import type { DataPlane, OutboundChunk } from "./transport/data-plane.js";

/**
 * Bytes of one port that make a message. Beam's Java runners put a bundle's messages into a queue of 100 that they
 * read once the bundle is done, and that holds up all other bundles of the stream when it is full; so messages grow
 * with their number, and 99 of them carry 1.7 GB. For the same reason none is sent because time has passed.
 */
const PIECE_BYTES = 1 << 20;
const PIECE_BYTES_MAX = 64 << 20;
/** So many messages of the first size, and half as many of each doubled one. */
const PIECES_OF_FIRST_SIZE = 24;
/** Encoded and not yet sent; from here on the bundle's producers wait. */
export const UNSENT_BYTES_MAX = 8 << 20;

/** Whoever is told how sending goes. */
export interface OutputsOwner {
  /** Nothing more can be sent for now, or can be again. */
  setBlocked(isBlocked: boolean): void;
  /** The stream to the runner is lost, and the bundle with it. */
  failed(error: Error): void;
  readonly elementBytesMax: number;
}

/** What the plan of a stage says of its outputs. */
export interface OutputPlan {
  readonly sinks: ReadonlyMap<string, readonly StageSink[]>;
  readonly stateful: ReadonlyMap<string, StatefulStage>;
  readonly timerEndpoint: string | undefined;
}

interface Port {
  /** For messages: what it is of. */
  readonly name: string;
  readonly endpoint: string;
  readonly transformId: string;
  readonly timerFamilyId: string | undefined;
  readonly out: ByteWriter;
}

interface SinkPort extends Port {
  readonly sink: StageSink;
}

/** Belongs to one processor, bundle after bundle. */
export class BundleOutputs {
  readonly #data: DataPlane;
  readonly #owner: OutputsOwner;
  readonly #stateful: ReadonlyMap<string, StatefulStage>;
  readonly #sinks: ReadonlyMap<string, readonly SinkPort[]>;
  readonly #timers: ReadonlyMap<string, ReadonlyMap<string, Port>>;
  readonly #ports: readonly Port[];
  readonly #endpoints: ReadonlySet<string>;
  readonly #counts = new Map<string, number>();
  #instructionId = "";
  #isAbandoned = true;
  #unsent = 0;
  #isBlocked = false;
  #sent: Promise<void> = Promise.resolve();
  #pieces = 0;
  #pieceBytes = PIECE_BYTES;

  constructor(plan: OutputPlan, data: DataPlane, owner: OutputsOwner) {
    this.#data = data;
    this.#owner = owner;
    this.#stateful = plan.stateful;
    this.#sinks = new Map([...plan.sinks].map(([id, sinks]) => [id, sinks.map(sinkPort)]));
    this.#timers = timerPorts(plan);
    const timerPortList = [...this.#timers.values()].flatMap((families) => [...families.values()]);
    this.#ports = [...[...this.#sinks.values()].flat(), ...timerPortList];
    this.#endpoints = new Set(this.#ports.map(({ endpoint }) => endpoint));
  }

  begin(instructionId: string): void {
    this.#instructionId = instructionId;
    this.#isAbandoned = false;
    this.#unsent = 0;
    this.#isBlocked = false;
    this.#sent = Promise.resolve();
    this.#pieces = 0;
    this.#pieceBytes = PIECE_BYTES;
    this.#counts.clear();
    for (const { out } of this.#ports) out.clear();
  }

  /** Elements of this bundle by PCollection. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /** @throws EncodeError when the coder of the PCollection cannot carry the element; Error when it is too large. */
  emit(collection: string, element: Element): void {
    for (const port of this.#sinks.get(collection)!) {
      const before = port.out.len;
      port.sink.coder.write(element, port.out, true);
      this.#written(port, before);
    }
    this.#counts.set(collection, (this.#counts.get(collection) ?? 0) + 1);
  }

  /** @throws EncodeError when the coder of the timers cannot carry its key. */
  setTimer({ root, key, window, family, tag, set }: TimerUpdate): void {
    const port = this.#timers.get(root)?.get(family);
    if (port === undefined) throw new Error(`the runner knows no timer "${family}" of step "${root}"`);
    const { coder } = this.#stateful.get(root)!.timers.get(family)!;
    const before = port.out.len;
    const whose = { userKey: key, dynamicTimerTag: tag, windows: [window] };
    if (set === undefined) coder.write({ ...whose, clearBit: true }, port.out);
    else {
      const { fireAtMs, outputTimestampMs } = set;
      const times = { fireTimestampMs: fireAtMs, holdTimestampMs: outputTimestampMs, pane: NO_FIRING };
      coder.write({ ...whose, ...times, clearBit: false }, port.out);
    }
    this.#written(port, before);
  }

  /** Sends what is left, and that nothing follows. Resolves when all of it is on its way. */
  async finish(): Promise<void> {
    this.#send(true);
    await this.#sent;
  }

  /** The bundle has failed: what is not sent is forgotten. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const { out } of this.#ports) out.clear();
  }

  /** @param before bytes at the port before the element or timer was written */
  #written(port: Port, before: number): void {
    const bytes = port.out.len;
    if (bytes - before > this.#owner.elementBytesMax) {
      mustFit(`what goes to ${port.name}`, bytes - before, this.#owner.elementBytesMax);
    }
    if (bytes >= this.#pieceBytes) this.#send(false);
  }

  /** Sends what all ports have, a message to each service. */
  #send(isLast: boolean): void {
    for (const endpoint of this.#endpoints) {
      const chunks: OutboundChunk[] = [];
      for (const { endpoint: at, transformId, timerFamilyId, out } of this.#ports) {
        if (at !== endpoint) continue;
        if (out.len > 0 || isLast) chunks.push({ transformId, timerFamilyId, data: out.finish(), isLast });
      }
      if (chunks.length > 0) this.#sendMessage(endpoint, chunks);
    }
    this.#pieces += 1;
    const isFull = this.#pieces >= PIECES_OF_FIRST_SIZE && this.#pieces % (PIECES_OF_FIRST_SIZE / 2) === 0;
    if (isFull) this.#pieceBytes = Math.min(this.#pieceBytes * 2, PIECE_BYTES_MAX);
  }

  #sendMessage(endpoint: string, chunks: readonly OutboundChunk[]): void {
    const bytes = chunks.reduce((sum, { data }) => sum + data.length, 0);
    this.#setUnsent(this.#unsent + bytes);
    const instructionId = this.#instructionId;
    const send = async () => {
      if (this.#isAbandoned || this.#instructionId !== instructionId) return;
      await this.#data.send(endpoint, instructionId, chunks);
      if (this.#instructionId === instructionId) this.#setUnsent(this.#unsent - bytes);
    };
    this.#sent = this.#sent.then(send);
    this.#sent.catch((error: Error) => {
      if (this.#instructionId === instructionId && !this.#isAbandoned) this.#owner.failed(error);
    });
  }

  #setUnsent(bytes: number): void {
    this.#unsent = bytes;
    const isBlocked = this.#isBlocked ? bytes > UNSENT_BYTES_MAX / 2 : bytes > UNSENT_BYTES_MAX;
    if (isBlocked === this.#isBlocked) return;
    this.#isBlocked = isBlocked;
    this.#owner.setBlocked(isBlocked);
  }
}

function sinkPort(sink: StageSink): SinkPort {
  const { endpoint, transformId, collection } = sink;
  return {
    name: `PCollection "${collection}"`,
    sink,
    endpoint,
    transformId,
    timerFamilyId: undefined,
    out: new ByteWriter(),
  };
}

function timerPorts({ stateful, timerEndpoint }: OutputPlan): Map<string, Map<string, Port>> {
  const ports = new Map<string, Map<string, Port>>();
  for (const [step, { transformId, timers }] of stateful) {
    if (timers.size === 0) continue;
    if (timerEndpoint === undefined) {
      throw new Error(`step "${step}" has timers, but its stage says no URL of a service for them`);
    }
    const port = (timerFamilyId: string): Port => ({
      ...{ name: `timers "${timerFamilyId}" of step "${step}"` },
      ...{ endpoint: timerEndpoint, transformId, timerFamilyId },
      out: new ByteWriter(),
    });
    ports.set(step, new Map([...timers.keys()].map((family) => [family, port(family)])));
  }
  return ports;
}
