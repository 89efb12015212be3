/** What waits at a root of restrictions for a later bundle. */
import type { Residual } from "./bundle.js";
import type { Element } from "./element.js";

export interface Rest {
  /** Undefined: the restriction of its element was not begun in this process. */
  readonly residual: Residual | undefined;
  readonly element: Element;
  readonly holdMs: number;
  /** The bundle that left it did truncated rests. */
  readonly wasTruncated: boolean;
  /** In the order of their coming. */
  readonly number: number;
}
