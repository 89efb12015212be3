/** Values that are there at once in-process and come later over the Fn API. */

/** Applies `next` to a value, now if it is there. */
export function whenThere<In, Out>(value: In | Promise<In>, next: (value: In) => Out): Out | Promise<Out> {
  return isPromise(value) ? value.then(next) : next(value);
}

/** Whether it has to be awaited; promises of other libraries count too. */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined | null)?.then === "function";
}
