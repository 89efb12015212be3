/** Puts back the one function of `node:util` that apache-beam still needs and Node 24 no longer has. */
import util from "node:util";

// serialize-closures, a dependency of apache-beam 2.49, reads util.isPrimitive while it is loaded, so
// this module must run before the SDK: an import of its own, since imports run in order.
const patched = util as { isPrimitive?: (value: unknown) => boolean };
patched.isPrimitive ??= (value) =>
  value === null || (typeof value !== "object" && typeof value !== "function");
