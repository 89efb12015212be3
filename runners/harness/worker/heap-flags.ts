/** How V8 sizes the heap of a worker. */

/**
 * Bundles are made of short-lived buffers, and V8 would begin with so small an old space that it goes through all of
 * it a hundred times in a million records.
 */
export const heapFlags = ["--initial-old-space-size=256", "--min-semi-space-size=32"];
