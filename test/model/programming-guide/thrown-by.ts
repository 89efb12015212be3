/** What a promise is rejected with, for assertions. */

/** @throws when the promise is not rejected with an Error */
export async function thrownBy(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw new Error(`rejected with ${String(error)}, which is no Error`, { cause: error });
  }
  throw new Error("was not rejected");
}
