/** Pipelines of numbers, and DoFns that count, throw, log and ask for a database. */
import { impulse, P, type PCollection, type Root, withName } from "../../../transforms/primitives/beam.js";
import { create } from "../../../transforms/primitives/create.js";
import type {
  DoFn,
  FinishBundleContext,
  ProcessContext,
  SetupContext,
} from "../../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../../transforms/primitives/splittable-par-do.js";
import { fixedWindows } from "../../../transforms/primitives/window-fns.js";
import { windowInto } from "../../../transforms/primitives/window-into.js";
import { COLLECT } from "../../support/collected.js";
import { TICKING_SOURCE, type TickingConfig } from "../../support/ticking-source.js";

/** Under which `collect` collects. */
export const NAME = "beam-runner";

export function collect(input: PCollection<unknown>): void {
  P(input).apply(withName("Collect", registeredParDo(COLLECT, NAME)));
}

/** Counts what it sees, in all three ways, and passes it on. */
class CountingFn implements DoFn<number> {
  process(value: number, context: ProcessContext): void {
    context.metrics.counter("seen").inc();
    context.metrics.distribution("sizes").update(value);
    context.metrics.gauge("last").set(value);
    context.output(value);
  }
}
export const COUNTING = registerDoFn("counting@beam-runner", () => new CountingFn());

/** Throws where its configuration says. */
class ThrowingFn implements DoFn {
  constructor(readonly method: string) {}
  setup(): void {
    this.#throwIn("setup");
  }
  startBundle(): void {
    this.#throwIn("startBundle");
  }
  process(_value: unknown, context: ProcessContext): void {
    context.metrics.counter("tried").inc();
    this.#throwIn("process");
  }
  finishBundle(): void {
    this.#throwIn("finishBundle");
  }
  #throwIn(method: string): void {
    if (method === this.method) throw new TypeError("not today");
  }
}
export const THROWING = registerDoFn("throwing@beam-runner", (method: string) => new ThrowingFn(method));

class DatabaseFn implements DoFn {
  constructor(readonly wants: "transaction" | "database") {}
  setup(context: SetupContext): void {
    if (this.wants === "database") void context.database;
  }
  process(): void {}
  async finishBundle(context: FinishBundleContext): Promise<void> {
    await context.transaction();
  }
}
export const DATABASE = registerDoFn(
  "database@beam-runner",
  (wants: "transaction" | "database") => new DatabaseFn(wants),
);

export const log: string[] = [];
class LoggingFn implements DoFn {
  #log!: SetupContext["log"];
  #clock!: SetupContext["clock"];
  setup({ log: given, clock, step }: SetupContext): void {
    this.#log = given;
    this.#clock = clock;
    given.info("set up", { step });
  }
  process(value: unknown, context: ProcessContext): void {
    this.#log.warn("saw", { value });
    context.output(this.#clock.now());
    context.afterCommit(() => void log.push(`committed ${String(value)}`));
  }
  teardown(): void {
    log.push("teardown");
  }
}
export const LOGGING = registerDoFn("logging@beam-runner", () => new LoggingFn());

class KeyFn implements DoFn<number> {
  process(value: number, context: ProcessContext): void {
    context.output({ key: value % 2 === 0 ? "even" : "odd", value });
  }
}
const KEY = registerDoFn("key@beam-runner", () => new KeyFn());
class ListFn implements DoFn<{ key: string; value: Iterable<number> }> {
  process({ key, value }: { key: string; value: Iterable<number> }, context: ProcessContext): void {
    context.output(`${key} ${[...value].join(",")}`);
  }
}
const LIST = registerDoFn("list@beam-runner", () => new ListFn());

export const numbers = (root: Root, ...values: number[]) => root.apply(withName("Create", create(values)));
export const counting = (root: Root, ...values: number[]) =>
  P(numbers(root, ...values)).apply(withName("Count", registeredParDo<number, number>(COUNTING, null)));

export function ticks(root: Root, config: TickingConfig): PCollection<number> {
  const start = root.apply(withName("Impulse", impulse()));
  const source = splittableParDo<Uint8Array, number>(TICKING_SOURCE, { ...config }, { bounded: false });
  return P(start).apply(withName("Tick", source));
}

/** Numbers by key and window of 10 s. */
export function windows(input: PCollection<number>): PCollection<unknown> {
  const windowed = P(input).apply(withName("Window", windowInto<number>(fixedWindows(10_000))));
  const keyed = P(windowed).apply(
    withName("Key", registeredParDo<number, { key: string; value: number }>(KEY, null)),
  );
  const grouped = P(keyed).apply(withName("Group", groupByKey<string, number>()));
  return P(grouped).apply(withName("List", registeredParDo(LIST, null)));
}

export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > 1_000) throw new Error("it did not come to it");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
