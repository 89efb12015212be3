/** Windows as elements: what a runner asks of window functions that only the SDK knows, as DoFns. */
import type { DoFn } from "../../transforms/primitives/do-fn.js";
import type { KV, Window } from "../../transforms/primitives/window.js";
import type { WindowsPart } from "../graph/step.js";

export function windowsPart(part: WindowsPart): DoFn<never> {
  const answer = (value: unknown) =>
    part.work === "map" ? part.map(value as Window) : merged(part, value as Iterable<Window>);
  return {
    process({ key, value }: KV<unknown, unknown>, context) {
      context.output({ key, value: answer(value) });
    },
  };
}

/** Which windows stay as they are, and which become one. */
function merged(
  { merge }: WindowsPart & { readonly work: "merge" },
  given: Iterable<Window>,
): KV<Window[], KV<Window, readonly Window[]>[]> {
  const windows = [...new Map([...given].map((window) => [window.id, window])).values()];
  const results = merge?.(windows) ?? [];
  const consumed = new Set(results.flatMap(({ from }) => from.map(({ id }) => id)));
  return {
    key: windows.filter(({ id }) => !consumed.has(id)),
    value: results.map(({ merged, from }) => ({ key: merged, value: from })),
  };
}
