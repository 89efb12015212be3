/** State and side inputs of all stages of a worker: one stream for each service that keeps them. */
import type { StagePlan } from "../descriptor/stage-plan.js";
import type { StageState } from "../stage-processor.js";
import { BundleSideInputs } from "./bundle-side-inputs.js";
import { BundleState } from "./bundle-state.js";
import { CachingChannel } from "./caching-channel.js";
import { StateCache } from "./state-cache.js";
import { GrpcStateChannel, type StateChannel, type StateChannelOptions } from "./state-channel.js";

/** Of a stage that has neither state nor side inputs: nobody asks it. */
const NO_CHANNEL: StateChannel = {
  get: () => Promise.reject(new Error("the stage says no URL of a state service")),
  append: () => Promise.reject(new Error("the stage says no URL of a state service")),
  clear: () => Promise.reject(new Error("the stage says no URL of a state service")),
};

export interface StageStatesOptions extends StateChannelOptions {
  /** Of what bundles leave to later ones, where the runner gives tokens for it. */
  readonly cacheBytesMax?: number | undefined;
}

export class StageStates {
  readonly #channels = new Map<string, GrpcStateChannel>();

  readonly #workerId: string;
  readonly #options: StageStatesOptions;
  readonly #cache: StateCache;

  constructor(workerId: string, options: StageStatesOptions = {}) {
    this.#workerId = workerId;
    this.#options = options;
    this.#cache = new StateCache(options.cacheBytesMax);
  }

  /** For one processor of the stage. */
  of({ stateful, sideInputs, stateEndpoint }: StagePlan): StageState {
    const isUsed = stateful.size > 0 || sideInputs.size > 0;
    const runners = isUsed && stateEndpoint !== undefined ? this.#channel(stateEndpoint) : NO_CHANNEL;
    const channel = new CachingChannel(runners, this.#cache);
    const user = new BundleState(stateful, channel);
    const sides = new BundleSideInputs(sideInputs, channel);
    return {
      user,
      sideInputs: sides,
      begin: (instructionId, cacheTokens) => {
        channel.begin(cacheTokens);
        user.begin(instructionId);
        sides.begin(instructionId);
      },
      noteKey: (root, keyId, key) => user.noteKey(root, keyId, key),
      abandon: () => {
        user.abandon();
        channel.discard();
      },
    };
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
  }

  #channel(endpoint: string): GrpcStateChannel {
    let channel = this.#channels.get(endpoint);
    if (channel === undefined) {
      channel = new GrpcStateChannel(endpoint, this.#workerId, this.#options);
      this.#channels.set(endpoint, channel);
    }
    return channel;
  }
}
