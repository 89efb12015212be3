/** Gives `node:util` the one function that apache-beam still needs: gone from Node 24, deprecated in Node 22. */
import util from "node:util";

// serialize-closures, a dependency of apache-beam 2.49, reads util.isPrimitive while it is loaded, so
// this module must run before the SDK: an import of its own, since imports run in order. Node 22 has the
// function still, but prints a warning to whoever calls it.
const patched = util as { isPrimitive?: (value: unknown) => boolean };
patched.isPrimitive = (value) => value === null || (typeof value !== "object" && typeof value !== "function");
