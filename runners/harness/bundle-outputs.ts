/** What a bundle sends to its runner: elements and timers, encoded as they come and sent in pieces. */
import { ByteWriter } from "../../transforms/primitives/coders/byte-writer.js";
import { NO_FIRING } from "../../transforms/primitives/window.js";
import type { TimerUpdate } from "../engine/bundle.js";
import type { Element } from "../engine/element.js";
import type { StageSink, StatefulStage } from "./descriptor/stage-plan.js";
import { mustFit } from "./element-limit.js";
import type { DataPlane } from "./transport/data-plane.js";

/** Bytes of one port that make a message, unless the bundle ends or time passes before. */
const PIECE_BYTES = 1 << 20;
/** Encoded and not yet sent; from here on the bundle's producers wait. */
export const UNSENT_BYTES_MAX = 8 << 20;
/** How long an element may wait for others before it is sent: a splittable DoFn may take its time. */
const PIECE_WAIT_MS = 100;

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
  readonly #counts = new Map<string, number>();
  #instructionId = "";
  #isAbandoned = true;
  #unsent = 0;
  #isBlocked = false;
  #sent: Promise<void> = Promise.resolve();
  #timeout: NodeJS.Timeout | undefined;

  constructor(plan: OutputPlan, data: DataPlane, owner: OutputsOwner) {
    this.#data = data;
    this.#owner = owner;
    this.#stateful = plan.stateful;
    this.#sinks = new Map([...plan.sinks].map(([id, sinks]) => [id, sinks.map(sinkPort)]));
    this.#timers = timerPorts(plan);
    const timerPortList = [...this.#timers.values()].flatMap((families) => [...families.values()]);
    this.#ports = [...[...this.#sinks.values()].flat(), ...timerPortList];
  }

  begin(instructionId: string): void {
    this.#instructionId = instructionId;
    this.#isAbandoned = false;
    this.#unsent = 0;
    this.#isBlocked = false;
    this.#sent = Promise.resolve();
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
      port.sink.coder.write(element, port.out, true);
      this.#written(port);
    }
    this.#counts.set(collection, (this.#counts.get(collection) ?? 0) + 1);
  }

  /** @throws EncodeError when the coder of the timers cannot carry its key. */
  setTimer({ root, key, window, family, tag, set }: TimerUpdate): void {
    const port = this.#timers.get(root)?.get(family);
    if (port === undefined) throw new Error(`the runner knows no timer "${family}" of step "${root}"`);
    const { coder } = this.#stateful.get(root)!.timers.get(family)!;
    const whose = { userKey: key, dynamicTimerTag: tag, windows: [window] };
    if (set === undefined) coder.write({ ...whose, clearBit: true }, port.out);
    else {
      const { fireAtMs, outputTimestampMs } = set;
      const times = { fireTimestampMs: fireAtMs, holdTimestampMs: outputTimestampMs, pane: NO_FIRING };
      coder.write({ ...whose, ...times, clearBit: false }, port.out);
    }
    this.#written(port);
  }

  /** Sends what is left, and that nothing follows. Resolves when all of it is on its way. */
  async finish(): Promise<void> {
    this.#stopWaiting();
    for (const port of this.#ports) {
      this.#sendPiece(port);
      this.#send(port, new Uint8Array(), true);
    }
    await this.#sent;
  }

  /** The bundle has failed: what is not sent is forgotten. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#stopWaiting();
    for (const { out } of this.#ports) out.clear();
  }

  #written(port: Port): void {
    const bytes = port.out.len;
    if (bytes >= PIECE_BYTES) {
      mustFit(`what goes to ${port.name}`, bytes, this.#owner.elementBytesMax);
      this.#sendPiece(port);
    } else this.#timeout ??= setTimeout(() => this.#sendPieces(), PIECE_WAIT_MS);
  }

  #sendPieces(): void {
    this.#timeout = undefined;
    for (const port of this.#ports) this.#sendPiece(port);
  }

  #sendPiece(port: Port): void {
    if (port.out.len > 0) this.#send(port, port.out.finish(), false);
  }

  #send({ endpoint, transformId, timerFamilyId }: Port, data: Uint8Array, isLast: boolean): void {
    this.#setUnsent(this.#unsent + data.length);
    const instructionId = this.#instructionId;
    const send = async () => {
      if (this.#isAbandoned || this.#instructionId !== instructionId) return;
      await this.#data.send(endpoint, instructionId, [{ transformId, timerFamilyId, data, isLast }]);
      if (this.#instructionId === instructionId) this.#setUnsent(this.#unsent - data.length);
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

  #stopWaiting(): void {
    clearTimeout(this.#timeout);
    this.#timeout = undefined;
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
