/** DoFns that emit what they read beside their elements. */
import type { DoFn, ProcessContext } from "../../../transforms/primitives/do-fn.js";
import {
  iterableSideInput,
  mapSideInput,
  multimapSideInput,
  singletonSideInput,
} from "../../../transforms/primitives/side-input-spec.js";
import { valueState } from "../../../transforms/primitives/state-spec.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { sorted } from "./grouping.js";

/** Emits each element with all elements of the side input. */
export class WithAllFn<T> implements DoFn<string> {
  readonly side = iterableSideInput<T>();

  process(element: string, context: ProcessContext): void {
    context.output([element, sorted(context.sideInput(this.side))]);
  }
}

/** Emits each element with the one element of the side input. */
export class WithOneFn<T> implements DoFn<string> {
  readonly side: ReturnType<typeof singletonSideInput<T>>;

  constructor(...fallback: T[]) {
    this.side = singletonSideInput<T>(...fallback);
  }

  process(element: string, context: ProcessContext): void {
    context.output([element, context.sideInput(this.side)]);
  }
}

/** Emits each element with what the map has under it. */
export class LookUpFn implements DoFn<string> {
  readonly side = mapSideInput<string, number>();

  async process(element: string, context: ProcessContext): Promise<Iterable<unknown>> {
    const view = context.sideInput(this.side);
    return [[element, (await view.get(element)) ?? "none"]];
  }
}

/** Emits each element with all values the multimap has under it. */
export class LookUpAllFn implements DoFn<string> {
  readonly side = multimapSideInput<string, number>();

  async process(element: string, context: ProcessContext): Promise<Iterable<unknown>> {
    const view = context.sideInput(this.side);
    return [[element, sorted(await view.get(element))]];
  }
}

/** Emits each element with the keys of the multimap. */
export class KeysFn implements DoFn<string> {
  readonly side = multimapSideInput<string, number>();

  async process(element: string, context: ProcessContext): Promise<Iterable<unknown>> {
    return [[element, sorted(await context.sideInput(this.side).keys())]];
  }
}

/** Counts a key's elements, and emits the count times the factor beside it. */
export class ScaledCountFn implements DoFn<KV<string, string>> {
  readonly factor = singletonSideInput<number>();
  readonly count = valueState<number>();

  process({ key }: KV<string, string>, context: ProcessContext): void {
    const cell = context.state(this.count);
    const count = (cell.read() ?? 0) + 1;
    cell.write(count);
    context.output([key, count * context.sideInput(this.factor)]);
  }
}

/** Sums two side inputs. */
export class WithTwoFn implements DoFn<string> {
  readonly small = singletonSideInput<number>();
  readonly large = iterableSideInput<number>();

  process(element: string, context: ProcessContext): void {
    const large = [...context.sideInput(this.large)].reduce((a, b) => a + b, 0);
    context.output([element, large + context.sideInput(this.small)]);
  }
}
