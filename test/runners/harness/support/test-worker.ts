/** A worker that a test gives instructions to, as a runner would: one stage, a data plane and state in memory. */
import "../../../../transforms/primitives/beam.js";
import {
  InstructionRequest,
  type InstructionResponse,
  type ProcessBundleDescriptor,
  type ProcessBundleResponse,
} from "apache-beam/proto/beam_fn_api";
import { StateStore } from "../../../../runners/engine/state-store.js";
import { readDescriptor, type StagePlan } from "../../../../runners/harness/descriptor/stage-plan.js";
import { ELEMENT_BYTES_MAX } from "../../../../runners/harness/element-limit.js";
import { Instructions } from "../../../../runners/harness/instructions.js";
import type { InboundChunk } from "../../../../runners/harness/transport/data-plane.js";
import { ByteReader } from "../../../../transforms/primitives/coders/byte-reader.js";
import { ByteWriter } from "../../../../transforms/primitives/coders/byte-writer.js";
import type { Clock } from "../../../../transforms/primitives/do-fn.js";
import { IN_GLOBAL_WINDOW, NO_FIRING, type WindowedValue } from "../../../../transforms/primitives/window.js";
import { ManualClock } from "../../../support/manual-clock.js";
import { MemoryDataPlane } from "./memory-data-plane.js";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

export interface TestWorkerOptions {
  readonly clock?: Clock;
  readonly shortIds?: boolean;
  readonly elementBytesMax?: number;
}

export class TestWorker {
  readonly data = new MemoryDataPlane();
  readonly plan: StagePlan;
  readonly instructions: Instructions;
  readonly fetched: string[] = [];
  readonly state = new StateStore();
  #requests = 0;

  constructor(
    readonly descriptor: ProcessBundleDescriptor,
    {
      clock = new ManualClock(),
      shortIds = false,
      elementBytesMax = ELEMENT_BYTES_MAX,
    }: TestWorkerOptions = {},
  ) {
    this.plan = readDescriptor(descriptor);
    const shared = new Map<string, unknown>();
    this.instructions = new Instructions({
      shortIds,
      fetchDescriptor: async (id) => {
        this.fetched.push(id);
        if (id !== descriptor.id) throw new Error(`there is no descriptor "${id}"`);
        return descriptor;
      },
      around: {
        ...{ pipeline: "test", mode: "stream", clock, data: this.data, database: undefined },
        elementBytesMax,
        logFor: () => quiet,
        stateFor: () => ({
          begin: () => undefined,
          noteKey: () => undefined,
          abandon: () => undefined,
          sideInputs: undefined as never,
          user: {
            load: () => undefined,
            cells: (root, keyId, window) => this.state.cells(root, keyId, window),
            flush: () => undefined,
          },
        }),
        shared: (step, name, create) => {
          const key = `${step}/${name}`;
          if (!shared.has(key)) shared.set(key, create());
          return shared.get(key) as ReturnType<typeof create>;
        },
      },
    });
  }

  /** Asks for something that is not a bundle. */
  ask(request: InstructionRequest["request"]): Promise<InstructionResponse> {
    const instructionId = `ask-${++this.#requests}`;
    return this.instructions.answer(InstructionRequest.create({ instructionId, request }));
  }

  /** Begins a bundle whose elements the test sends. */
  begin(instructionId: string): Promise<InstructionResponse> {
    const processBundle = { processBundleDescriptorId: this.descriptor.id, cacheTokens: [] };
    const request = { oneofKind: "processBundle", processBundle } as const;
    return this.instructions.answer(InstructionRequest.create({ instructionId, request }));
  }

  /** A bundle of these elements, in one message. @throws what the answer says to have failed. */
  async run(instructionId: string, elements: readonly WindowedValue[]): Promise<ProcessBundleResponse> {
    const answer = this.begin(instructionId);
    this.data.put(instructionId, this.chunk(elements), this.last());
    return answerOf(await answer);
  }

  /** Elements for the only source. */
  chunk(elements: readonly WindowedValue[]): InboundChunk {
    const [source] = this.plan.sources.values();
    const out = new ByteWriter();
    for (const element of elements) source!.coder.write(element, out, true);
    return this.#chunk(source!.transformId, out.finish(), false);
  }

  /** An element as it is encoded in a residual. */
  encoded(element: Uint8Array): InboundChunk {
    const [source] = this.plan.sources.values();
    return this.#chunk(source!.transformId, element, false);
  }

  /** Nothing more comes for the only source. */
  last(): InboundChunk {
    const [source] = this.plan.sources.values();
    return this.#chunk(source!.transformId, new Uint8Array(), true);
  }

  /** What a bundle has sent to a sink, or to the only one. */
  sent(instructionId: string, sink?: string): WindowedValue[] {
    const sinks = [...this.plan.sinks.values()].flat();
    const { coder, transformId } = sinks.find((one) => one.transformId === sink) ?? sinks[0]!;
    const chunks = (this.data.sent.get(instructionId) ?? []).filter((one) => one.transformId === transformId);
    return chunks.flatMap(({ data }) => {
      const input = new ByteReader(data);
      const elements: WindowedValue[] = [];
      while (input.pos < input.len) elements.push(coder.read(input, true));
      return elements;
    });
  }

  #chunk(transformId: string, data: Uint8Array, isLast: boolean): InboundChunk {
    return { transformId, timerFamilyId: undefined, data, isLast };
  }
}

/** An element of the global window. */
export function element(value: unknown, timestampMs = 0): WindowedValue {
  return { value, timestampMs, windows: IN_GLOBAL_WINDOW, pane: NO_FIRING };
}

/** The answer of a bundle. @throws what it says to have failed. */
export function answerOf({ error, response }: InstructionResponse): ProcessBundleResponse {
  if (error !== "") throw new Error(error);
  if (response.oneofKind !== "processBundle") throw new Error(`a bundle was answered ${response.oneofKind}`);
  return response.processBundle;
}
