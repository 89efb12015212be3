/** Side inputs of a step as its DoFn reads them: loaded by window before the element, the same for all elements of one call. */
import { inspect } from "node:util";
import { keyIdOf } from "../../transforms/primitives/coders/encode.js";
import type {
  MapView,
  MultimapView,
  SideInputSpec,
  SingletonSideInputSpec,
} from "../../transforms/primitives/side-input-spec.js";
import type { Window } from "../engine/element.js";
import type { SideInputHost } from "./host.js";
import { whenThere } from "./maybe-promise.js";

type View = { readonly value: unknown };

/** What a main window sees. */
interface WindowViews {
  /** Windows of the side inputs by name. */
  readonly windows: Map<string, Window>;
  readonly views: Map<SideInputSpec, View>;
  /** Undefined once everything is there. */
  loading: Promise<void> | undefined;
}

const generalKeyId = keyIdOf();

export class SideInputReader {
  /** By id of the main window. */
  readonly #windows = new Map<string, WindowViews>();
  #last: { readonly window: Window; readonly seen: WindowViews } | undefined;

  constructor(
    private readonly step: string,
    private readonly specs: ReadonlyMap<SideInputSpec, string>,
    private readonly host: SideInputHost,
  ) {}

  /** Forgets what was read, but for what is still on its way: a triggered side input may have changed. */
  refresh(): void {
    this.#last = undefined;
    for (const [id, { loading }] of this.#windows) if (loading === undefined) this.#windows.delete(id);
  }

  /** Loads all side inputs for a main window; a promise only while something is not there yet. */
  load(window: Window): void | Promise<void> {
    return this.#seen(window).loading;
  }

  /** @throws when no field of the DoFn holds the declaration, or a singleton has not one element. */
  view(spec: SideInputSpec, window: Window): unknown {
    const { views, windows } = this.#seen(window);
    let view = views.get(spec);
    if (view === undefined) {
      const name = this.specs.get(spec);
      if (name === undefined) throw new Error(`no field of the DoFn holds this ${spec.kind} side input`);
      view = { value: this.#createView(spec, name, windows.get(name)!) };
      views.set(spec, view);
    }
    return view.value;
  }

  #seen(window: Window): WindowViews {
    if (this.#last?.window === window) return this.#last.seen;
    let seen = this.#windows.get(window.id);
    if (seen === undefined) {
      seen = this.#startLoading(window);
      this.#windows.set(window.id, seen);
    }
    this.#last = { window, seen };
    return seen;
  }

  #startLoading(main: Window): WindowViews {
    const seen: WindowViews = { windows: new Map(), views: new Map(), loading: undefined };
    const pending: Promise<void>[] = [];
    for (const name of this.specs.values()) {
      const window = this.host.mapWindow(this.step, name, main);
      seen.windows.set(name, window);
      const loaded = this.host.load(this.step, name, window);
      if (loaded !== undefined) pending.push(loaded);
    }
    if (pending.length > 0) {
      seen.loading = Promise.all(pending).then(() => {
        seen.loading = undefined;
      });
      seen.loading.catch(() => undefined); // whoever waits for it is told
    }
    return seen;
  }

  #createView(spec: SideInputSpec, name: string, window: Window): unknown {
    switch (spec.kind) {
      case "iterable":
        return this.host.elements(this.step, name, window);
      case "singleton":
        return onlyElement(spec, name, this.host.elements(this.step, name, window));
      case "multimap":
        return this.#multimap(name, window);
      case "map":
        return this.#map(name, window);
    }
  }

  #multimap(name: string, window: Window): MultimapView<unknown, unknown> {
    const { step, host } = this;
    const keyId = (key: unknown) => host.keyId?.(step, name, key) ?? generalKeyId(key);
    return {
      get: (key) => host.values(step, name, window, keyId(key), key),
      keys: () => host.keys(step, name, window),
    };
  }

  #map(name: string, window: Window): MapView<unknown, unknown> {
    const { get, keys } = this.#multimap(name, window);
    return { get: (key) => whenThere(get(key), (values) => onlyValue(name, key, [...values])), keys };
  }
}

function onlyElement(
  spec: SingletonSideInputSpec<unknown>,
  name: string,
  elements: readonly unknown[],
): unknown {
  if (elements.length === 1) return elements[0];
  if (elements.length === 0 && spec.defaultValue !== undefined) return spec.defaultValue;
  const without = elements.length === 0 ? " and no default" : "";
  throw new Error(`singleton side input "${name}" must have one element, got ${elements.length}${without}`);
}

function onlyValue(name: string, key: unknown, values: readonly unknown[]): unknown {
  if (values.length <= 1) return values[0];
  throw new Error(
    `map side input "${name}" must have one value a key, got ${values.length} of key ${inspect(key)}`,
  );
}
