/** A key in a window while its elements and timers run: its state cells, opened as they are asked for. */
import type { StateSpec } from "../../transforms/primitives/state-spec.js";
import type { Window } from "../engine/element.js";
import type { StateHost } from "./host.js";
import type { OpenCell } from "./state-cells.js";

export class KeyScope {
  readonly #opened = new Map<StateSpec, ReturnType<OpenCell>>();

  constructor(
    readonly keyId: string,
    readonly key: unknown,
    readonly window: Window,
    private readonly root: string,
    private readonly host: StateHost,
    private readonly openers: ReadonlyMap<StateSpec, OpenCell>,
  ) {}

  /** @throws when the DoFn does not declare the state in a field. */
  state(spec: StateSpec): ReturnType<OpenCell> {
    let cell = this.#opened.get(spec);
    if (cell === undefined) {
      const open = this.openers.get(spec);
      if (open === undefined) throw new Error(`no field of the DoFn holds this ${spec.kind} state`);
      cell = open(this.host.cells(this.root, this.keyId, this.window));
      this.#opened.set(spec, cell);
    }
    return cell;
  }
}
