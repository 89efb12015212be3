/** How an element travels between fused steps: by a call, so that nothing is allocated for it. */
import type { PaneInfo, Window } from "../engine/element.js";

/** Takes an element apart: its value, event time (ms since 1970), windows (at least one) and pane. */
export type Receive = (
  value: unknown,
  timestampMs: number,
  windows: readonly Window[],
  pane: PaneInfo,
) => void;

/** Gives each element to all of these, in order. */
export function receiveAll(receivers: readonly Receive[]): Receive {
  const [first, second] = receivers;
  if (first === undefined) return () => undefined;
  if (second === undefined) return first;
  if (receivers.length === 2) {
    return (value, timestampMs, windows, pane) => {
      first(value, timestampMs, windows, pane);
      second(value, timestampMs, windows, pane);
    };
  }
  return (value, timestampMs, windows, pane) => {
    for (const receive of receivers) receive(value, timestampMs, windows, pane);
  };
}
