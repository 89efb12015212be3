/** Side inputs of the bundles of one processor: fetched once a bundle and window, as a whole or by key. */
// Loads the SDK's index, before which its messages cannot be loaded.
import "../../../transforms/primitives/beam.js";
import type { StateKey } from "apache-beam/proto/beam_fn_api";
import { decodeElements, keyIdOf } from "../../../transforms/primitives/coders/encode.js";
import type { SideInputHost } from "../../bundle/host.js";
import type { Window } from "../../engine/element.js";
import type { StageSideInput } from "../descriptor/stage-plan.js";
import { nested } from "./bundle-state.js";
import type { StateChannel } from "./state-channel.js";

type SideInputs = ReadonlyMap<string, ReadonlyMap<string, StageSideInput>>;

/** What was fetched for one window. */
interface Contents {
  elements: readonly unknown[] | undefined;
  loading: Promise<void> | undefined;
  keys: Promise<readonly unknown[]> | undefined;
  readonly values: Map<string, Promise<readonly unknown[]>>;
}

export class BundleSideInputs implements SideInputHost {
  readonly #sideInputs: SideInputs;
  readonly #channel: StateChannel;
  readonly #contents = new Map<string, Contents>();
  readonly #keyIds = new WeakMap<StageSideInput, (key: unknown) => string>();
  #instructionId = "";

  constructor(sideInputs: SideInputs, channel: StateChannel) {
    this.#sideInputs = sideInputs;
    this.#channel = channel;
  }

  /** A triggered side input may be another one in each bundle. */
  begin(instructionId: string): void {
    this.#instructionId = instructionId;
    this.#contents.clear();
  }

  mapWindow(step: string, sideInput: string, main: Window): Window {
    return this.#side(step, sideInput).mapWindow(main);
  }

  keyId(step: string, sideInput: string, key: unknown): string {
    const side = this.#side(step, sideInput);
    let ids = this.#keyIds.get(side);
    if (ids === undefined) {
      ids = keyIdOf(side.keyCoder);
      this.#keyIds.set(side, ids);
    }
    return ids(key);
  }

  load(step: string, sideInput: string, window: Window): void | Promise<void> {
    const side = this.#side(step, sideInput);
    if (side.access === "multimap") return undefined; // key by key
    const contents = this.#of(side, window);
    if (contents.elements !== undefined) return undefined;
    contents.loading ??= this.#loadElements(side, window, contents);
    return contents.loading;
  }

  elements(step: string, sideInput: string, window: Window): readonly unknown[] {
    const side = this.#side(step, sideInput);
    const { elements } = this.#of(side, window);
    if (elements !== undefined) return elements;
    const why = side.access === "multimap" ? "is read by key" : "was not loaded";
    throw new Error(`side input "${sideInput}" of step "${step}" ${why}`);
  }

  values(
    step: string,
    sideInput: string,
    window: Window,
    keyId: string,
    key: unknown,
  ): Promise<readonly unknown[]> {
    const side = this.#byKey(step, sideInput);
    const { values } = this.#of(side, window);
    let found = values.get(keyId);
    if (found === undefined) {
      const { transformId, name, windowCoder, keyCoder, valueCoder } = side;
      const multimapSideInput = {
        ...{ transformId, sideInputId: name },
        window: nested(windowCoder, window),
        key: nested(keyCoder!, key),
      };
      found = this.#get({ type: { oneofKind: "multimapSideInput", multimapSideInput } }, valueCoder!);
      values.set(keyId, found);
    }
    return found;
  }

  keys(step: string, sideInput: string, window: Window): Promise<Iterable<unknown>> {
    const side = this.#byKey(step, sideInput);
    const contents = this.#of(side, window);
    const { transformId, name: sideInputId, windowCoder, keyCoder } = side;
    const multimapKeysSideInput = { transformId, sideInputId, window: nested(windowCoder, window) };
    contents.keys ??= this.#get(
      { type: { oneofKind: "multimapKeysSideInput", multimapKeysSideInput } },
      keyCoder!,
    );
    return contents.keys;
  }

  async #loadElements(side: StageSideInput, window: Window, contents: Contents): Promise<void> {
    const { transformId, name: sideInputId, windowCoder, elementCoder } = side;
    const iterableSideInput = { transformId, sideInputId, window: nested(windowCoder, window) };
    contents.elements = await this.#get(
      { type: { oneofKind: "iterableSideInput", iterableSideInput } },
      elementCoder,
    );
  }

  async #get(key: StateKey, coder: StageSideInput["elementCoder"]): Promise<readonly unknown[]> {
    return [...decodeElements(coder, await this.#channel.get(this.#instructionId, key))];
  }

  #of({ transformId, name }: StageSideInput, window: Window): Contents {
    const id = `${transformId}\0${name}\0${window.id}`;
    let contents = this.#contents.get(id);
    if (contents === undefined) {
      contents = { elements: undefined, loading: undefined, keys: undefined, values: new Map() };
      this.#contents.set(id, contents);
    }
    return contents;
  }

  #byKey(step: string, name: string): StageSideInput {
    const side = this.#side(step, name);
    if (side.access === "multimap") return side;
    throw new Error(`side input "${name}" of step "${step}" is not read by key`);
  }

  #side(step: string, name: string): StageSideInput {
    const side = this.#sideInputs.get(step)?.get(name);
    if (side === undefined) throw new Error(`the runner knows no side input "${name}" of step "${step}"`);
    return side;
  }
}
