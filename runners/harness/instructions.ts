/** What a runner asks of a worker, and the answers: stages are registered, bundles run, watched, split, finalized. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../transforms/primitives/beam.js";
import {
  type InstructionRequest,
  InstructionResponse,
  type ProcessBundleDescriptor,
  type ProcessBundleRequest,
  ProcessBundleSplitResponse,
} from "apache-beam/proto/beam_fn_api";
import type { MonitoringInfo } from "../../transforms/primitives/beam.js";
import { ShortIds } from "./bundle-metrics.js";
import { readDescriptor } from "./descriptor/stage-plan.js";
import { dataEndpoints } from "./descriptor/stage-ports.js";
import { failureText } from "./failure-text.js";
import { Finalizations } from "./finalizations.js";
import { ProcessorPool } from "./processor-pool.js";
import { RunningBundle } from "./running-bundle.js";
import type { StageSurroundings } from "./stage-processor.js";

type Answer = InstructionResponse["response"];

export interface InstructionsOptions {
  readonly around: StageSurroundings;
  /** Fetches a descriptor that was not registered. @throws when the runner has none of that id. */
  fetchDescriptor(id: string): Promise<ProcessBundleDescriptor>;
  /** Whether the runner asked for monitoring data by short id, instead of monitoring infos. */
  readonly shortIds: boolean;
}

/** How long the end of a worker waits for DoFns that do not heed their signal. */
const TEARDOWN_WAIT_MS = 5_000;

/** Of one worker. Answers come in any order: bundles run beside one another. */
export class Instructions {
  readonly #options: InstructionsOptions;
  readonly #registered = new Map<string, ProcessBundleDescriptor>();
  /** By id of the descriptor. */
  readonly #pools = new Map<string, Promise<ProcessorPool>>();
  readonly #bundles = new Map<string, RunningBundle>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #tearingDown = new Set<Promise<unknown>>();
  readonly #shortIds = new ShortIds();
  readonly #finalizations: Finalizations;

  constructor(options: InstructionsOptions) {
    this.#options = options;
    this.#finalizations = new Finalizations(() => options.around.clock.now());
  }

  /** Never rejects: what fails is in the answer. */
  async answer(request: InstructionRequest): Promise<InstructionResponse> {
    const { instructionId } = request;
    const done = this.#handle(request);
    this.#running.add(done);
    try {
      return InstructionResponse.create({ instructionId, response: await done });
    } catch (error) {
      return InstructionResponse.create({ instructionId, error: failureText(error) });
    } finally {
      this.#running.delete(done);
    }
  }

  /** Ids of the bundles under way. */
  get bundles(): string[] {
    return [...this.#bundles.keys()];
  }

  /**
   * Nobody waits for an answer any more: what runs is abandoned. Resolves when all DoFns are torn down, or with false
   * when some of them have not come to their end within 5 s.
   */
  async close(reason: Error): Promise<boolean> {
    for (const bundle of this.#bundles.values()) bundle.abandon(reason);
    let timeout: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timeout = setTimeout(() => resolve(false), TEARDOWN_WAIT_MS);
    });
    const done = await Promise.race([this.#teardown(), late]);
    clearTimeout(timeout);
    return done;
  }

  async #teardown(): Promise<boolean> {
    await Promise.allSettled(this.#running);
    await Promise.allSettled(this.#tearingDown);
    const pools = await Promise.allSettled(this.#pools.values());
    await Promise.all(pools.map((pool) => (pool.status === "fulfilled" ? pool.value.close() : [])));
    return true;
  }

  #keepUntilDone(teardown: Promise<unknown>): void {
    this.#tearingDown.add(teardown);
    const forget = () => void this.#tearingDown.delete(teardown);
    teardown.then(forget, forget);
  }

  async #handle({ instructionId, request }: InstructionRequest): Promise<Answer> {
    switch (request.oneofKind) {
      case "register":
        for (const descriptor of request.register.processBundleDescriptor) {
          this.#registered.set(descriptor.id, descriptor);
        }
        return { oneofKind: "register", register: {} };
      case "processBundle":
        return this.#process(instructionId, request.processBundle);
      case "processBundleProgress": {
        const infos = this.#bundles.get(request.processBundleProgress.instructionId)?.progress() ?? [];
        return { oneofKind: "processBundleProgress", processBundleProgress: this.#report(infos) };
      }
      case "processBundleSplit": {
        const { instructionId: bundle } = request.processBundleSplit;
        const split = this.#bundles.get(bundle)?.split(request.processBundleSplit);
        return {
          oneofKind: "processBundleSplit",
          processBundleSplit: split ?? ProcessBundleSplitResponse.create(),
        };
      }
      case "finalizeBundle":
        await this.#finalizations.run(request.finalizeBundle.instructionId);
        return { oneofKind: "finalizeBundle", finalizeBundle: {} };
      case "monitoringInfos": {
        const monitoringInfo = this.#shortIds.describe(request.monitoringInfos.monitoringInfoId);
        return { oneofKind: "monitoringInfos", monitoringInfos: { monitoringInfo } };
      }
      case "harnessMonitoringInfos":
        return { oneofKind: "harnessMonitoringInfos", harnessMonitoringInfos: { monitoringData: {} } };
      default:
        throw new Error(`instruction "${instructionId}" asks for something that is not known here`);
    }
  }

  async #process(instructionId: string, request: ProcessBundleRequest): Promise<Answer> {
    const bundle = new RunningBundle(instructionId, {
      data: this.#options.around.data,
      now: () => this.#options.around.clock.now(),
      report: (infos) => this.#report(infos),
      tearingDown: (teardown) => this.#keepUntilDone(teardown),
      finalizeLater: (id, callbacks) => this.#finalizations.keep(id, callbacks),
    });
    this.#bundles.set(instructionId, bundle);
    try {
      const pool = await this.#poolOf(request.processBundleDescriptorId);
      return { oneofKind: "processBundle", processBundle: await bundle.run(pool, request) };
    } catch (error) {
      bundle.abandon(error as Error);
      throw error;
    } finally {
      this.#bundles.delete(instructionId);
    }
  }

  #poolOf(descriptorId: string): Promise<ProcessorPool> {
    let pool = this.#pools.get(descriptorId);
    if (pool === undefined) {
      pool = this.#createPool(descriptorId);
      this.#pools.set(descriptorId, pool);
      pool.catch(() => this.#pools.delete(descriptorId)); // the next bundle tries again, and is told too
    }
    return pool;
  }

  async #createPool(descriptorId: string): Promise<ProcessorPool> {
    const { around, fetchDescriptor } = this.#options;
    const descriptor = this.#registered.get(descriptorId) ?? (await fetchDescriptor(descriptorId));
    // Java's runners wait for it before they read the answer, even of a stage that fails at once
    for (const endpoint of dataEndpoints(descriptor)) around.data.open(endpoint);
    return new ProcessorPool(readDescriptor(descriptor), around);
  }

  #report(infos: readonly MonitoringInfo[]): {
    monitoringInfos: MonitoringInfo[];
    monitoringData: Record<string, Uint8Array>;
  } {
    if (!this.#options.shortIds) return { monitoringInfos: [...infos], monitoringData: {} };
    return { monitoringInfos: [], monitoringData: this.#shortIds.shorten(infos) };
  }
}
