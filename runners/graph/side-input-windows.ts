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

/** Whether a side input is to be had before its window is complete: its trigger may fire before the window's end. */
export function isTriggered({ trigger }: runnerApi.WindowingStrategy): boolean {
  return mayFireEarly(trigger);
}

function mayFireEarly(proto: runnerApi.Trigger | undefined): boolean {
  const trigger = proto?.trigger ?? { oneofKind: undefined };
  switch (trigger.oneofKind) {
    case undefined:
    case "default":
    case "never":
      return false;
    case "always":
    case "elementCount":
    case "afterProcessingTime":
    case "afterSynchronizedProcessingTime":
      return true;
    case "afterEndOfWindow":
      return mayFireEarly(trigger.afterEndOfWindow.earlyFirings);
    case "repeat":
      return mayFireEarly(trigger.repeat.subtrigger);
    case "afterEach":
      return mayFireEarly(trigger.afterEach.subtriggers[0]);
    case "afterAny":
      return trigger.afterAny.subtriggers.some(mayFireEarly);
    case "afterAll":
      return trigger.afterAll.subtriggers.every(mayFireEarly);
    case "orFinally":
      return mayFireEarly(trigger.orFinally.main) || mayFireEarly(trigger.orFinally.finally);
  }
}
