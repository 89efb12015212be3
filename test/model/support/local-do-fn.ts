/** DoFns of a test: registered under a name made up for them, so that they may capture what the test sees. */
import { type PCollection, withName } from "../../../transforms/primitives/beam.js";
import type { DoFn, SplittableDoFn } from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { type ParDoOptions, registeredParDo, type StepOf } from "../../../transforms/primitives/par-do.js";
import {
  type SplittableParDoOptions,
  splittableParDo,
} from "../../../transforms/primitives/splittable-par-do.js";

let registered = 0;

/** The name of a DoFn that exists in this process only. */
export function registerLocally<In>(create: () => DoFn<In> | SplittableDoFn<In>): string {
  registered += 1;
  return registerDoFn(`test/model/local-${registered}@1`, create);
}

/** ParDo with a DoFn of the test. `create` is called for each instance; what it captures is shared by all. */
export function localParDo<In, Out = unknown>(
  create: () => DoFn<In>,
  options?: ParDoOptions,
): StepOf<PCollection<In>, PCollection<Out>>;
export function localParDo<In, Outputs extends object>(
  create: () => DoFn<In>,
  options: ParDoOptions & { readonly outputs: readonly (keyof Outputs & string)[] },
): StepOf<PCollection<In>, { [Tag in keyof Outputs]: PCollection<Outputs[Tag]> }>;
export function localParDo<In>(
  create: () => DoFn<In>,
  options: ParDoOptions & { readonly outputs?: readonly string[] } = {},
): unknown {
  return registeredParDo(registerLocally(create), null, options as ParDoOptions);
}

/** A named `localParDo` with one output. */
export function parDo<In, Out = unknown>(
  name: string,
  create: () => DoFn<In>,
  options?: ParDoOptions,
): StepOf<PCollection<In>, PCollection<Out>> {
  return withName(name, localParDo<In, Out>(create, options));
}

/** A named ParDo of a plain function that emits what it returns, one output an element. */
export function mapping<In, Out>(
  name: string,
  map: (element: In) => Out,
): StepOf<PCollection<In>, PCollection<Out>> {
  return parDo<In, Out>(name, () => ({ process: (element, context) => context.output(map(element)) }));
}

/** A named ParDo with a splittable DoFn of the test. */
export function splittable<In, Out, Restriction, Position, WatermarkState = unknown>(
  name: string,
  create: () => SplittableDoFn<In, Restriction, Position, WatermarkState>,
  options: SplittableParDoOptions,
): StepOf<PCollection<In>, PCollection<Out>> {
  const fn = registerLocally<In>(create as unknown as () => SplittableDoFn<In>);
  return withName(name, splittableParDo<In, Out>(fn, null, options));
}
