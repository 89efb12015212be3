/** Several looks at the file system at once, a bounded number of them. */

const AT_ONCE_MAX = 16;

/** Does the work for every item. Rejects with the first error; what is under way then still ends. */
export async function atOnce<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: AT_ONCE_MAX }, worker));
}
