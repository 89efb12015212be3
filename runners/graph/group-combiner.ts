/** A registered CombineFn as a grouping of the engine asks it. */
import { coderFromProto } from "../../transforms/primitives/coders/coder-from-proto.js";
import { createCombineFn } from "../../transforms/primitives/combine-per-key.js";
import type { GroupCombiner } from "../engine/group-combiner.js";
import { CoderCodec } from "./state-codec.js";
import type { LiftedCombine } from "./step.js";
import type { Plan } from "./translate.js";

/** Makes the error of a CombineFn that threw, with the step and the method. */
export type CombineFailed = (step: string, method: string, error: unknown) => Error;

export const combineFailed: CombineFailed = (step, method, cause) =>
  new Error(`step "${step}" failed in ${method}: ${cause instanceof Error ? cause.message : cause}`, {
    cause,
  });

/** @throws when the CombineFn is not registered in this process, or the accumulators' coder is not known */
export function combinerOf(
  { components }: Plan,
  { fn, config, accumulatorCoderId, step }: LiftedCombine,
  failed: CombineFailed,
): GroupCombiner {
  const combineFn = createCombineFn(fn, config);
  const codec = new CoderCodec(
    coderFromProto(components, accumulatorCoderId),
    `an accumulator of step "${step}"`,
  );
  const inStep = <Result>(method: string, work: () => Result): Result => {
    try {
      return work();
    } catch (error) {
      throw failed(step, method, error);
    }
  };
  return {
    codec,
    createAccumulator: () => inStep("createAccumulator", () => combineFn.createAccumulator()),
    addInput: (sum, value) => inStep("addInput", () => combineFn.addInput(sum, value)),
    mergeAccumulators: (sums) => inStep("mergeAccumulators", () => combineFn.mergeAccumulators(sums)),
    // What is decoded may refer to the bytes, which are the next encoding's.
    copy: (sum) => inStep("copying its accumulator", () => codec.decode(codec.encode(sum).slice())),
  };
}
