/** The ends of Beam's time, in ms since 1970, drawn in by one so that a JavaScript number holds them exactly. */

/** An element without an event time of its own. */
export const MIN_TIMESTAMP_MS = -9223372036854774;
/** Nothing comes later. */
export const MAX_TIMESTAMP_MS = 9223372036854774;
/** The last event time of the global window: one day before the end, so that its timers still fire. */
export const GLOBAL_WINDOW_END_MS = 9223371950454774;
