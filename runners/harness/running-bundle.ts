/** One instruction to process a bundle, from the request to its answer. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../transforms/primitives/beam.js";
import {
  type Elements,
  type ProcessBundleRequest,
  ProcessBundleResponse,
  type ProcessBundleSplitRequest,
  ProcessBundleSplitResponse,
} from "apache-beam/proto/beam_fn_api";
import type { MonitoringInfo } from "../../transforms/primitives/beam.js";
import { splitBundle } from "./bundle-split.js";
import type { ProcessorPool } from "./processor-pool.js";
import type { StageProcessor } from "./stage-processor.js";
import type { DataPlane, InboundChunk } from "./transport/data-plane.js";

export interface BundleEnvironment {
  readonly data: DataPlane;
  readonly now: () => number;
  /** Monitoring infos as the runner wants them: whole, or by short ids. */
  report(infos: readonly MonitoringInfo[]): Pick<ProcessBundleResponse, "monitoringInfos" | "monitoringData">;
  /** An instance that has failed is being torn down, which takes until its calls have ended. */
  tearingDown(done: Promise<unknown>): void;
  /** Keeps what is to be called when the runner has committed the bundle. */
  finalizeLater(instructionId: string, callbacks: readonly (() => void | Promise<void>)[]): void;
}

export class RunningBundle {
  #stage: StageProcessor | undefined;
  #failure: Error | undefined;
  #rejectLost: (error: Error) => void = () => undefined;
  readonly #lost: Promise<never>;

  constructor(
    readonly instructionId: string,
    private readonly environment: BundleEnvironment,
  ) {
    this.#lost = new Promise((_, reject) => {
      this.#rejectLost = reject;
    });
    this.#lost.catch(() => undefined); // `run` tells it, if it still runs
  }

  /** @throws the first thing that failed; the instance is then torn down beside it. */
  async run(pool: ProcessorPool, request: ProcessBundleRequest): Promise<ProcessBundleResponse> {
    const stage = await pool.take();
    this.#stage = stage;
    try {
      if (this.#failure !== undefined) throw this.#failure;
      await Promise.race([this.#lost, this.#process(stage, request)]);
    } catch (error) {
      this.abandon(error as Error);
      this.environment.tearingDown(stage.teardown());
      throw this.#failure ?? error;
    }
    this.#stage = undefined;
    const response = this.#answer(stage);
    pool.giveBack(stage);
    return response;
  }

  /** The bundle is lost: what runs of it is told so, and comes to nothing. */
  abandon(reason: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    this.environment.data.abandon(this.instructionId);
    this.#stage?.abandon(reason);
    this.#rejectLost(reason);
  }

  /** What it has counted so far. */
  progress(): MonitoringInfo[] {
    return this.#stage === undefined ? [] : infosOf(this.#stage);
  }

  /**
   * Elements of keys stay together: Prism takes any split, also one between two elements of a key, and then runs both
   * parts beside each other on the state from before either.
   */
  split({ desiredSplits }: ProcessBundleSplitRequest): ProcessBundleSplitResponse {
    const stage = this.#stage;
    const response = ProcessBundleSplitResponse.create();
    if (stage === undefined || this.#failure !== undefined) return response;
    for (const [source, desired] of Object.entries(desiredSplits)) {
      const channel = stage.inputs.channels.get(source);
      if (channel === undefined || channel.source.root.kind === "keyed") continue;
      const active = channel.source.root.kind === "splittable" ? stage.scope.active : undefined;
      const roots = active && stage.roots.get(active.root);
      const work = active && roots && { active, roots };
      const split = splitBundle(channel, desired, work, this.environment.now());
      response.primaryRoots.push(...split.primaryRoots);
      response.residualRoots.push(...split.residualRoots);
      response.channelSplits.push(...split.channelSplits);
    }
    return response;
  }

  async #process(stage: StageProcessor, request: ProcessBundleRequest): Promise<void> {
    await stage.begin(this.instructionId, request.cacheTokens);
    if (request.elements !== undefined) await stage.process(chunksOf(request.elements));
    await this.#read(stage);
    await stage.finish();
  }

  async #read(stage: StageProcessor): Promise<void> {
    if (stage.inputs.isComplete) return;
    const messages = this.environment.data.receive(stage.inputs.endpoint, this.instructionId);
    try {
      while (!stage.inputs.isComplete) await stage.process(await messages.next());
    } finally {
      messages.release();
    }
  }

  #answer(stage: StageProcessor): ProcessBundleResponse {
    const { scope, roots } = stage;
    const nowMs = this.environment.now();
    this.environment.finalizeLater(this.instructionId, scope.afterCommits);
    return ProcessBundleResponse.create({
      ...this.environment.report(infosOf(stage)),
      residualRoots: scope.residuals.map((residual) => roots.get(residual.root)!.residual(residual, nowMs)),
      requiresFinalization: scope.afterCommits.length > 0,
    });
  }
}

function infosOf({ scope, inputs, outputs }: StageProcessor): MonitoringInfo[] {
  const channels = [...inputs.channels.values()];
  return scope.figures.infos({
    elements: [
      ...channels.map(({ source, taken }) => [source.collection, taken] as const),
      ...outputs.counts,
    ],
    read: channels.map(({ source, taken }) => [source.transformId, taken] as const),
    work: scope.work(),
  });
}

function chunksOf({ data, timers }: Elements): InboundChunk[] {
  return [
    ...data.map(({ transformId, data, isLast }) => ({ transformId, timerFamilyId: undefined, data, isLast })),
    ...timers.map(({ transformId, timerFamilyId, timers, isLast }) => ({
      ...{ transformId, timerFamilyId, isLast },
      data: timers,
    })),
  ];
}
