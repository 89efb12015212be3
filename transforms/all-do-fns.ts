/** Registers every DoFn and record format that the transforms name: import it where a graph is run. */
import "./csv-format.js";
import "./deduplicate-by-fn.js";
import "./deduplicate-fn.js";
import "./deduplicate-per-key-fn.js";
import "./read-from-directory/cut-files-fn.js";
import "./read-from-directory/list-files-fn.js";
import "./read-from-directory/read-from-directory-fn.js";
import "./read-from-directory/read-ranges-fn.js";
import "./read-from-directory/watch-directory-fn.js";
import "./split.js";
import "./validate.js";
import "./write-dead-letters-fn.js";
import "./write-to-postgres-fn.js";
