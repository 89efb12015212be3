/** A key in a window while its elements and timers run: its state cells, opened as they are asked for. */
import type { StateSpec } from "../../transforms/primitives/state-spec.js";
import type { Window } from "../engine/element.js";
import type { StateHost } from "./host.js";
import type { OpenCell } from "./state-cells.js";

export class KeyScope {
  // Most DoFns have one state, or ask for one of theirs again and again.
  #lastSpec: StateSpec | undefined;
  #lastCell: ReturnType<OpenCell> | undefined;
  #opened: Map<StateSpec, ReturnType<OpenCell>> | undefined;

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
    if (spec === this.#lastSpec) return this.#lastCell!;
    const cell = this.#opened?.get(spec) ?? this.#open(spec);
    if (this.#lastSpec !== undefined) {
      this.#opened ??= new Map();
      this.#opened.set(this.#lastSpec, this.#lastCell!);
    }
    this.#lastSpec = spec;
    this.#lastCell = cell;
    return cell;
  }

  #open(spec: StateSpec): ReturnType<OpenCell> {
    const open = this.openers.get(spec);
    if (open === undefined) throw new Error(`no field of the DoFn holds this ${spec.kind} state`);
    return open(this.host.cells(this.root, this.keyId, this.window));
  }
}
