/** One instance of a registered stage: its DoFns, and whatever is theirs bundle after bundle. */
import type { ProcessBundleRequest } from "apache-beam/proto/beam_fn_api";
import type { Clock, Log, SetupContext } from "../../transforms/primitives/do-fn.js";
import { BundleProcessor } from "../bundle/bundle-processor.js";
import type { BundleHost, SideInputHost, StateHost, StepFacts } from "../bundle/host.js";
import type { BundleInput } from "../engine/bundle.js";
import { BundleInputs } from "./bundle-inputs.js";
import { BundleOutputs } from "./bundle-outputs.js";
import { HarnessBundleScope, NoWorkerDatabaseError } from "./bundle-scope.js";
import type { WorkerDatabase } from "./database/worker-database.js";
import type { StagePlan } from "./descriptor/stage-plan.js";
import { ResidualRoots } from "./residual-roots.js";
import type { DataPlane, InboundChunk } from "./transport/data-plane.js";

type CacheTokens = ProcessBundleRequest["cacheTokens"];

/** State and side inputs of one instance, from the runner. */
export interface StageState {
  readonly user: StateHost;
  readonly sideInputs: SideInputHost;
  begin(instructionId: string, cacheTokens: CacheTokens): void;
  /** A key that comes now, in case nothing of it is loaded beforehand. */
  noteKey(root: string, keyId: string, key: unknown): void;
  /** The bundle has failed: nothing of it is written. */
  abandon(): void;
}

/** What all instances of all stages of a worker have in common. */
export interface StageSurroundings {
  readonly pipeline: string;
  readonly mode: SetupContext["mode"];
  readonly clock: Clock;
  readonly data: DataPlane;
  readonly elementBytesMax: number;
  logFor(step: string): Log;
  /** Undefined where the worker has none. */
  readonly database: WorkerDatabase | undefined;
  /** @throws where the stage has state but no URL of a service for it. */
  stateFor(plan: StagePlan): StageState;
  shared<T>(step: string, name: string, create: () => T): T;
}

/** Runs one bundle at a time. After a failure it can only be torn down. */
export class StageProcessor {
  readonly inputs: BundleInputs;
  readonly outputs: BundleOutputs;
  readonly roots: ReadonlyMap<string, ResidualRoots>;
  scope!: HarnessBundleScope;
  readonly #abandoned = new AbortController();
  readonly #around: StageSurroundings;
  readonly #state: StageState;
  #processor!: BundleProcessor;

  private constructor(
    readonly plan: StagePlan,
    around: StageSurroundings,
  ) {
    this.#around = around;
    this.#state = around.stateFor(plan);
    this.inputs = new BundleInputs(plan, around.elementBytesMax);
    this.roots = residualRoots(plan);
    this.outputs = new BundleOutputs(plan, around.data, {
      setBlocked: (isBlocked) => this.#processor.setBlocked(isBlocked),
      failed: (error) => this.abandon(error),
      elementBytesMax: around.elementBytesMax,
    });
  }

  /** @throws StepFailedError what a `setup` throws. */
  static async create(plan: StagePlan, around: StageSurroundings): Promise<StageProcessor> {
    const stage = new StageProcessor(plan, around);
    stage.#processor = await BundleProcessor.create(plan.stage, stage.#host());
    return stage;
  }

  async begin(instructionId: string, cacheTokens: CacheTokens): Promise<void> {
    const { clock, database } = this.#around;
    this.inputs.begin();
    this.outputs.begin(instructionId);
    this.#state.begin(instructionId, cacheTokens);
    this.scope = new HarnessBundleScope({
      outputs: this.outputs,
      now: () => clock.now(),
      isBounded: (step) => this.plan.stepFacts.get(step)?.isBounded ?? true,
      transaction: database?.begin(),
    });
    await this.#processor.startBundle(this.scope);
  }

  /** Runs what a message holds. */
  async process(message: readonly InboundChunk[]): Promise<void> {
    for (const batch of this.inputs.batches(message)) {
      this.#note(batch);
      const done = this.#processor.process(batch);
      if (done !== undefined) await done;
    }
  }

  /** Lets the steps finish, writes state back, sends what is left. Resolves when all of it is on its way. */
  async finish(): Promise<void> {
    await this.#processor.finishBundle();
    await this.outputs.finish();
    // last, so that what is committed has been done in all other ways
    await this.scope.commit();
    this.scope.end();
  }

  /** The bundle under way is lost: no further element is begun, nothing more is sent or written. */
  abandon(reason: Error): void {
    this.outputs.abandon();
    this.#processor.abort(reason);
    this.#abandoned.abort(reason);
    this.#state.abandon();
    void this.scope?.rollback();
  }

  /** Resolves when nothing runs any more and every `teardown` was called; what they threw is returned. */
  async teardown(): Promise<unknown[]> {
    this.scope?.end();
    return this.#processor.teardown();
  }

  #note(batch: BundleInput): void {
    if (batch.kind !== "keyed") return;
    for (const { keyId, key } of batch.keys) this.#state.noteKey(batch.root, keyId, key);
  }

  #host(): BundleHost {
    const { plan } = this;
    return {
      state: this.#state.user,
      sideInputs: this.#state.sideInputs,
      stepFacts: (step): StepFacts => plan.stepFacts.get(step) ?? { allowedLatenessMs: 0, isBounded: true },
      setupContext: (step) => this.#setupContext(step),
    };
  }

  #setupContext(step: string): SetupContext {
    const { pipeline, mode, clock, database, logFor, shared } = this.#around;
    return {
      ...(database === undefined ? {} : { runId: database.run.runId }),
      ...{ pipeline, step, mode, clock },
      bundlesMayRepeat: true,
      signal: this.#abandoned.signal,
      log: logFor(step),
      shared: (name, create) => shared(step, name, create),
      get database() {
        if (database === undefined) throw new NoWorkerDatabaseError(`step "${step}" asks for the database`);
        return database.queries;
      },
    };
  }
}

function residualRoots({ sources, stage, stepFacts }: StagePlan): Map<string, ResidualRoots> {
  const roots = new Map<string, ResidualRoots>();
  for (const source of sources.values()) {
    if (source.root.kind !== "splittable") continue;
    const step = stage.steps.find(({ path }) => path === source.root.id);
    if (step?.kind !== "parDo") throw new Error(`root "${source.root.id}" is no splittable step`);
    const isBounded = stepFacts.get(step.path)?.isBounded ?? true;
    roots.set(step.path, new ResidualRoots(step, source, isBounded));
  }
  return roots;
}
