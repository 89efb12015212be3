/**
 * One benchmark of the model, run as a process of its own: `node model-case.js CASE ELEMENTS`. Prints JSON:
 * elements, CPU seconds of the run without start-up, peak memory and how memory was halfway.
 */
import { performance } from "node:perf_hooks";
import { directRunner } from "../../runners/direct/beam-runner.js";
import { CsvScanner } from "../../transforms/csv-scanner.js";
import { impulse, P, type Root, withName } from "../../transforms/primitives/beam.js";
import { create } from "../../transforms/primitives/create.js";
import type { DoFn, ProcessContext } from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { groupByKey } from "../../transforms/primitives/group-by-key.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../transforms/primitives/splittable-par-do.js";
import type { KV } from "../../transforms/primitives/window.js";
import { fixedWindows } from "../../transforms/primitives/window-fns.js";
import { windowInto } from "../../transforms/primitives/window-into.js";
import { type ChunksConfig, ChunksFn } from "./chunks-fn.js";
import { dedupeCases } from "./dedupe-cases.js";

const USERS = 10_000;
const WINDOW_MS = 10_000;
/** Event time passes so fast: 100 events a ms would be one window for every million. */
const EVENTS_PER_MS = 10;

/** What the last step of a case saw. */
const seen = { elements: 0, groups: 0 };

/** CSV bytes as a file would give them, `elements` records in order of their event times. */
class CsvChunks extends ChunksFn {
  override emit(from: number, to: number, context: ProcessContext): void {
    context.output(csvOf(from, to), Math.floor(from / EVENTS_PER_MS));
  }
}

/** The user of an event: spread over all users, the same in every run. */
function csvOf(from: number, to: number): Buffer {
  let text = "";
  for (let n = from; n < to; n++) {
    text += `evt_${n},user_${(n * 7919) % USERS},page_view,${Math.floor(n / EVENTS_PER_MS)}\n`;
  }
  return Buffer.from(text, "latin1");
}

class ParseLines implements DoFn<Buffer> {
  process(chunk: Buffer, context: ProcessContext): void {
    const scanner = new CsvScanner({ delimiter: 0x2c, recordBytesMax: 65_536 }, { byteOffset: 0, line: 1 });
    scanner.push(chunk);
    scanner.end();
    while (scanner.next()) {
      context.output({ key: scanner.field(1), value: scanner.field(0) }, Number(scanner.field(3)));
    }
  }
}

class CountGroups implements DoFn<KV<string, Iterable<unknown>>> {
  process(group: KV<string, Iterable<unknown>>): void {
    seen.groups++;
    for (const _ of group.value) seen.elements++;
  }
}

class Count implements DoFn<unknown> {
  process(): void {
    seen.elements++;
  }
}

class Numbers implements DoFn<unknown> {
  constructor(readonly config: { readonly elements: number }) {}
  process(_: unknown, context: ProcessContext): void {
    for (let n = 0; n < this.config.elements; n++) context.output(n);
  }
}

class PassOn implements DoFn<unknown> {
  process(element: unknown, context: ProcessContext): void {
    context.output(element);
  }
}

registerDoFn("bench_csv_chunks@1", (config: ChunksConfig) => new CsvChunks(config));
registerDoFn("bench_parse_lines@1", () => new ParseLines());
registerDoFn("bench_count_groups@1", () => new CountGroups());
registerDoFn("bench_count@1", () => new Count());
registerDoFn("bench_numbers@1", (config: { elements: number }) => new Numbers(config));
registerDoFn("bench_pass_on@1", () => new PassOn());

const HOPS = 20;

/** Each gives the number of elements that must arrive, or throws. */
const cases: Record<string, (root: Root, elements: number) => void> = {
  "csv-gbk": (root, elements) => {
    const chunks = P(root.apply(withName("Impulse", impulse()))).apply(
      withName(
        "Chunks",
        splittableParDo("bench_csv_chunks@1", { elements, perMs: EVENTS_PER_MS }, { bounded: true }),
      ),
    );
    P(chunks)
      .apply(withName("Parse", registeredParDo<Buffer, KV<string, string>>("bench_parse_lines@1", {})))
      .apply(withName("Windows", windowInto(fixedWindows(WINDOW_MS))))
      .apply(withName("Group", groupByKey<string, string>()))
      .apply(withName("Count", registeredParDo("bench_count_groups@1", {})));
  },
  hops: (root, elements) => chain(root, elements, HOPS),
  "no-hops": (root, elements) => chain(root, elements, 0),
  ...dedupeCases((input) => P(input).apply(withName("Count", registeredParDo("bench_count@1", {})))),
  create: (root, elements) => {
    const values = Array.from({ length: elements }, (_, n) => n);
    P(root.apply(withName("Create", create(values)))).apply(
      withName("Count", registeredParDo("bench_count@1", {})),
    );
  },
};

function chain(root: Root, elements: number, hops: number): void {
  let last = P(root.apply(withName("Impulse", impulse()))).apply(
    withName("Numbers", registeredParDo<Uint8Array, unknown>("bench_numbers@1", { elements })),
  );
  for (let hop = 0; hop < hops; hop++) {
    last = P(last).apply(withName(`Hop${hop}`, registeredParDo<unknown, unknown>("bench_pass_on@1", {})));
  }
  P(last).apply(withName("Count", registeredParDo("bench_count@1", {})));
}

async function main(name: string, elements: number): Promise<void> {
  const build = cases[name];
  if (build === undefined) throw new Error(`a case is one of ${Object.keys(cases).join(", ")}, got ${name}`);
  const rssMb: number[] = [];
  const sampler = setInterval(() => rssMb.push(process.memoryUsage.rss() / 2 ** 20), 200);
  const startMs = performance.now();
  const before = process.cpuUsage();
  await directRunner().run((root) => build(root, elements));
  const { user, system } = process.cpuUsage(before);
  clearInterval(sampler);
  rssMb.push(process.memoryUsage.rss() / 2 ** 20);
  if (seen.elements !== elements) throw new Error(`${seen.elements} of ${elements} elements arrived`);
  const half = rssMb.slice(Math.floor(rssMb.length / 3), Math.ceil(rssMb.length / 2));
  console.log(
    JSON.stringify({
      elements,
      groups: seen.groups,
      cpuS: (user + system) / 1e6,
      wallS: (performance.now() - startMs) / 1000,
      halfwayRssMb: Math.max(...half),
      peakRssMb: Math.max(...rssMb),
    }),
  );
}

await main(process.argv[2] ?? "", Number(process.argv[3]));
