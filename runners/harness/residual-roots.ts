/** What a splittable DoFn has left, as a runner takes it: to be given back to the same transform later. */

import { BundleApplication, DelayedBundleApplication } from "apache-beam/proto/beam_fn_api";
import { runnerApi } from "../../transforms/primitives/beam.js";
import { ByteWriter } from "../../transforms/primitives/coders/byte-writer.js";
import { toBeamMillis } from "../../transforms/primitives/coders/instant.js";
import type { Residual } from "../engine/bundle.js";
import type { ParDoStep } from "../graph/step.js";
import type { StageSource } from "./descriptor/stage-plan.js";

/** How long what waits for a hint alone waits: over the Fn API nobody can give it. */
const UNKNOWN_DELAY_MS = 1_000;

/** Makes the roots of one splittable step, whose elements come from the source. */
export class ResidualRoots {
  constructor(
    private readonly step: ParDoStep,
    private readonly source: StageSource,
    private readonly isBounded: boolean,
  ) {}

  /** What the bundle goes on with. */
  primary(residual: Residual, restriction: unknown): BundleApplication {
    return this.#application({ ...residual, restriction });
  }

  /** To be run no earlier than its delay, counted from `nowMs`. */
  residual(residual: Residual, nowMs: number): DelayedBundleApplication {
    const delayMs = Number.isFinite(residual.resumeAtMs) ? residual.resumeAtMs - nowMs : UNKNOWN_DELAY_MS;
    return DelayedBundleApplication.create({
      application: this.#application(residual),
      requestedTimeDelay: toTimestamp(BigInt(Math.max(0, Math.ceil(delayMs)))),
    });
  }

  #application({ element, restriction, watermarkState, watermarkMs }: Residual): BundleApplication {
    const out = new ByteWriter();
    const rest = { key: element.value, value: { key: restriction, value: watermarkState } };
    this.source.coder.write({ ...element, value: { key: rest, value: 1 } }, out, true);
    const time = toTimestamp(toBeamMillis(watermarkMs));
    const { BOUNDED, UNBOUNDED } = runnerApi.IsBounded_Enum;
    return BundleApplication.create({
      transformId: this.step.path,
      inputId: inputIdOf(this.step),
      element: out.finish(),
      // Without one, runners take the beginning of time, and hold everything behind the step back.
      outputWatermarks: Object.fromEntries([...this.step.outputs.keys()].map((tag) => [tag, time])),
      isBounded: this.isBounded ? BOUNDED : UNBOUNDED,
    });
  }
}

function inputIdOf({ transform, input, path }: ParDoStep): string {
  const found = Object.entries(transform.inputs).find(([, id]) => id === input);
  if (found === undefined) throw new Error(`step "${path}" has no input "${input}"`);
  return found[0];
}

function toTimestamp(millis: bigint): { seconds: bigint; nanos: number } {
  const rest = ((millis % 1000n) + 1000n) % 1000n;
  return { seconds: (millis - rest) / 1000n, nanos: Number(rest) * 1_000_000 };
}
