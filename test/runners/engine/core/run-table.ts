/**
 * Runs a text table against an engine. A line is an action; the lines under it, set in, are all that the
 * stages were then given to do, or what the action shows:
 *
 *     In a@1 b@5 watermark 3     the source In emits, and its watermark moves
 *     In end                     the source has nothing more
 *     clock 1000                 processing time
 *     drain
 *     show A B                   watermarks of PCollections
 *     loads S                    what waits at the roots of a stage, and what they keep
 *     done?  wake?  counters?    what the engine says of itself
 */
import { assert } from "chai";
import { MAX_WATERMARK_MS, MIN_WATERMARK_MS, type Window } from "../../../../runners/engine/element.js";
import { Engine, type EngineOptions } from "../../../../runners/engine/engine.js";
import { type Behaviour, elementOf, FakeHost, type SplittableContext } from "./fake-host.js";
import { GLOBAL, type GraphBuilder, parseValue } from "./graph-builder.js";

export interface TableOptions {
  readonly behaviours?: Readonly<Record<string, Behaviour>>;
  /** Of the elements of sources, by their times. */
  readonly windowOf?: (timestampMs: number) => Window;
  readonly elementsMax?: number;
  readonly createGroupByKey?: NonNullable<EngineOptions["createGroupByKey"]>;
}

export class TableRun {
  readonly engine: Engine;
  readonly #host: FakeHost;
  readonly #options: TableOptions;
  readonly #sources = new Map<string, Source>();

  constructor(builder: GraphBuilder, options: TableOptions = {}) {
    const { graph } = builder;
    const { createGroupByKey } = options;
    this.engine = new Engine(graph, {
      processingTimeMs: 0,
      ...(createGroupByKey === undefined ? {} : { createGroupByKey }),
    });
    this.#options = options;
    const stages = graph.nodes.filter((node) => node.kind === "stage");
    const behaviours: Record<string, Behaviour> = { ...options.behaviours };
    for (const { id } of stages) {
      if (!stages.some((stage) => stage.roots[0]!.input === `${id}/impulse` && stage.id === id)) continue;
      if (behaviours[id] !== undefined) continue;
      const source = new Source(options.windowOf ?? (() => GLOBAL));
      this.#sources.set(id, source);
      behaviours[id] = { isSilent: true, restriction: (_, context) => source.poll(context) };
    }
    this.#host = new FakeHost(
      this.engine,
      behaviours,
      new Map(stages.map(({ id, outputs }) => [id, outputs])),
    );
  }

  /** Runs all that is ready; what was given out, line by line. */
  settle(): string[] {
    const { elementsMax } = this.#options;
    for (;;) {
      const bundle = this.engine.nextBundle(elementsMax === undefined ? {} : { elementsMax });
      if (bundle === undefined) break;
      this.engine.apply(bundle, this.#host.run(bundle));
    }
    return this.#host.lines.splice(0);
  }

  /** Does what a line says; what came of it. */
  act(line: string): string[] {
    const [verb = "", ...words] = line.split(/\s+/);
    const source = this.#sources.get(verb);
    switch (source === undefined ? verb : "source") {
      case "source":
        source!.say(words);
        this.engine.resume(verb, verb);
        return this.settle();
      case "clock":
        this.engine.advanceProcessingTime(Number(words[0]));
        return this.settle();
      case "drain":
        this.engine.drain();
        return this.settle();
      case "run":
        return this.settle();
      case "show":
        return words.map((id) => `${id} ${showTime(this.engine.watermark(id))}`);
      case "loads":
        return [...this.engine.stageLoads(words[0]!)].map(([id, { waiting, keyed }]) =>
          [
            id,
            "waiting",
            waiting,
            ...(keyed === undefined ? [] : ["keys", keyed.keys, "timers", keyed.timers]),
          ].join(" "),
        );
      case "done?":
        return [this.engine.isDone ? "yes" : "no"];
      case "wake?":
        return [String(this.engine.nextWakeUpMs ?? "never")];
      case "counters?":
        return [...this.engine.counters].map(([id, count]) => `${id.replace("\t", " ")} ${count}`);
      default:
        throw new Error(`a table has no action ${line}`);
    }
  }
}

/** Runs the table and compares it with what came of it. */
export function runTable(builder: GraphBuilder, table: string, options: TableOptions = {}): TableRun {
  const run = new TableRun(builder, options);
  run.settle();
  const lines = table.split("\n").filter((line) => line.trim() !== "");
  const margin = Math.min(...lines.map((line) => line.search(/\S/)));
  const expected = lines.map((line) => (line.search(/\S/) > margin ? `  ${line.trim()}` : line.trim()));
  const actual = expected
    .filter((line) => !line.startsWith(" "))
    .flatMap((line) => [line, ...run.act(line).map((result) => `  ${result}`)]);
  assert.equal(actual.join("\n"), expected.join("\n"));
  return run;
}

/** A source that waits for what the table says. */
class Source {
  readonly #windowOf: (timestampMs: number) => Window;
  #emissions: { readonly value: unknown; readonly timestampMs: number }[] = [];
  #watermarkMs = MIN_WATERMARK_MS;
  #isOver = false;

  constructor(windowOf: (timestampMs: number) => Window) {
    this.#windowOf = windowOf;
  }

  say(words: readonly string[]): void {
    for (let place = 0; place < words.length; place++) {
      const word = words[place]!;
      if (word === "end") {
        this.#isOver = true;
      } else if (word === "watermark") {
        this.#watermarkMs = Number(words[++place]);
      } else {
        const [value = "", time = ""] = word.split("@");
        this.#emissions.push({ value: parseValue(value), timestampMs: Number(time) });
      }
    }
  }

  poll({ emit, rest, bundle: { inputs } }: SplittableContext): void {
    for (const { value, timestampMs } of this.#emissions.splice(0)) {
      emit(elementOf(value, timestampMs, this.#windowOf(timestampMs)));
    }
    const input = inputs[0]!;
    if (input.kind !== "restrictions") throw new Error("a source has restrictions");
    const [work] = input.work;
    if (this.#isOver || work!.isTruncated) return;
    const watermarkMs = this.#watermarkMs;
    rest({
      element: work!.element,
      restriction: "rest",
      watermarkState: null,
      watermarkMs,
      resumeAtMs: Number.POSITIVE_INFINITY,
    });
  }
}

function showTime(ms: number): string {
  if (ms === MAX_WATERMARK_MS) return "max";
  return ms === MIN_WATERMARK_MS ? "min" : String(ms);
}
