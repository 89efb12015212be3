/** Registers every DoFn that the primitives name: a worker needs them whatever modules it is given. */
import "./combine-per-key.js";
import "./create.js";
import "./par-do.js";
import "./window-into.js";
import "./with-timestamps.js";
