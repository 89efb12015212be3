/** Which window of a side input an element sees, and when that window is complete. */
import type { runnerApi } from "../../transforms/primitives/beam.js";
import {
  ASSIGN_MAX_TIMESTAMP_MAPPING_URN,
  GLOBAL_MAPPING_URN,
  IDENTITY_MAPPING_URN,
} from "../../transforms/primitives/par-do-payload.js";
import { GLOBAL_WINDOW, type Window } from "../../transforms/primitives/window.js";
import { windowFnFromProto } from "../../transforms/primitives/window-fns.js";

/**
 * From a main window to the side input's, as the payload says.
 * @throws when the mapping, or the side input's window function, is not known.
 */
export function windowMappingOf(
  { windowMappingFn }: runnerApi.SideInput,
  sideStrategy: runnerApi.WindowingStrategy,
): (main: Window) => Window {
  switch (windowMappingFn?.urn) {
    case GLOBAL_MAPPING_URN:
      return () => GLOBAL_WINDOW;
    case IDENTITY_MAPPING_URN:
      return (main) => main;
    case ASSIGN_MAX_TIMESTAMP_MAPPING_URN: {
      const windowFn = windowFnFromProto(sideStrategy.windowFn);
      return (main) => windowFn.sideInputWindow(main);
    }
    default:
      throw new Error(`window mapping function "${windowMappingFn?.urn ?? "none"}" is not known`);
  }
}

/** Whether a side input is to be had before its window is complete. */
export function isTriggered({ trigger }: runnerApi.WindowingStrategy): boolean {
  return (trigger?.trigger.oneofKind ?? "default") !== "default";
}
