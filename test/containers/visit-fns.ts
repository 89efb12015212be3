/** DoFns of the worker image's test: their module is not in the image. */
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { visitLine } from "./visit-text.js";

export const VISITS = registerDoFn("worker-image/visits@1", (count: number) => ({
  *process() {
    for (let n = 0; n < count; n++) yield visitLine(n);
  },
}));

/** Posts each element to the URL, since a container shares no files with the test. */
export const POST = registerDoFn("worker-image/post@1", (url: string) => ({
  async process(element: string) {
    const { ok, status } = await fetch(url, { method: "POST", body: element });
    if (!ok) throw new Error(`${url} answers ${status}`);
  },
}));
