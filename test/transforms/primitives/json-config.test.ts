/** What may be configured: JSON, and nothing that its text would drop or change. */
import { expect } from "chai";
import {
  impulse,
  P,
  type PCollection,
  Pipeline,
  Root,
  withName,
} from "../../../transforms/primitives/beam.js";
import { combinePerKey, registerCombineFn } from "../../../transforms/primitives/combine-per-key.js";
import { composite } from "../../../transforms/primitives/composite.js";
import type { JsonValue } from "../../../transforms/primitives/fn-registry.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { mustBeJson } from "../../../transforms/primitives/json-config.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import type { KV } from "../../../transforms/primitives/window.js";
import { registeredWindowFn, registerWindowFn } from "../../../transforms/primitives/window-fns.js";
import { registerTimestampFn, withTimestamps } from "../../../transforms/primitives/with-timestamps.js";

const odd = (value: unknown) => value as JsonValue;

describe("configurations", () => {
  it("are JSON, where fields that are undefined are not there", () => {
    const shared = { deep: [1, "a", null, true] };
    for (const config of [
      null,
      0,
      "",
      [],
      {},
      { a: shared, b: shared },
      { a: undefined },
      Object.create(null),
    ]) {
      expect(() => mustBeJson("fn", odd(config))).not.to.throw();
    }
  });

  const around: Record<string, unknown> = {};
  around["again"] = { around };
  for (const [config, message] of [
    [undefined, /config is undefined$/],
    [{ since: new Date(0) }, /config\.since is /],
    [{ max: Number.NaN }, /config\.max is NaN$/],
    [{ max: [1, Number.POSITIVE_INFINITY] }, /config\.max\[1\] is Infinity$/],
    [[undefined], /config\[0\] is undefined$/],
    [{ "the map": new Map() }, /config\["the map"\] is /],
    [{ map: () => 1 }, /config\.map is a function$/],
    [{ id: 1n }, /config\.id is 1n$/],
    [around, /config\.again\.around is /],
  ] as const) {
    it(`are refused with path and value: ${message.source}`, () => {
      expect(() => mustBeJson("fn", odd(config))).to.throw(TypeError, message);
      expect(() => mustBeJson("fn", odd(config))).to.throw(
        /^the configuration of "fn" must be JSON, but config/,
      );
    });
  }

  it("are looked at by every transform that takes one, under the name of its function", () => {
    const config = odd({ at: new Date(0) });
    const input = new Root(new Pipeline()).apply(withName("Impulse", impulse())) as PCollection<never>;
    registerDoFn("do@json", () => ({ process() {} }));
    registerTimestampFn("time@json", () => () => 0);
    registerWindowFn("window@json", () => ({ assign: () => [] }));
    registerCombineFn("combine@json", () => ({
      createAccumulator: () => 0,
      addInput: () => 0,
      mergeAccumulators: () => 0,
      extractOutput: () => 0,
    }));
    const uses: Record<string, () => unknown> = {
      "do@json": () => P(input).apply(withName("Do", registeredParDo("do@json", config))),
      "time@json": () => P(input).apply(withName("Time", withTimestamps("time@json", config))),
      "window@json": () => registeredWindowFn("window@json", config).toProto(),
      "combine@json": () =>
        P(input as PCollection<KV<string, number>>).apply(
          withName("Combine", combinePerKey("combine@json", config)),
        ),
      "composite@json": () =>
        P(input).apply(
          withName(
            "Composite",
            composite("composite@json", config, (all) => all),
          ),
        ),
    };
    for (const [name, use] of Object.entries(uses)) {
      expect(use).to.throw(`the configuration of "${name}" must be JSON, but config.at is `);
    }
  });
});
