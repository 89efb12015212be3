/**
 * A process of `bench -- state`: drops repeats among so many ids, each remembered with a timer, or counts by key, and
 * says what it took. MILLRACE_BENCH_URL, _STORE (a folder) and _DURABILITY say where, _KIND what, _FROM and _TO which
 * places of the stream.
 */
import { readFileSync } from "node:fs";
import { directRunner } from "millrace/runners";
import type { StateDurability } from "../../runners/job/runner.js";
import { deduplicatePerKey } from "../../transforms/deduplicate-per-key.js";
import { impulse, P, type PCollection, type Root, withName } from "../../transforms/primitives/beam.js";
import { VarIntCoder } from "../../transforms/primitives/coders/scalar-coders.js";
import type {
  DoFn,
  ProcessContext,
  ProcessContinuation,
  RestrictionTracker,
  SplittableDoFn,
  SplittableProcessContext,
} from "../../transforms/primitives/do-fn.js";
import { registerDoFn } from "../../transforms/primitives/fn-registry.js";
import { registeredParDo } from "../../transforms/primitives/par-do.js";
import { splittableParDo } from "../../transforms/primitives/splittable-par-do.js";
import { valueState } from "../../transforms/primitives/state-spec.js";
import { manualWatermarkEstimator } from "../../transforms/primitives/watermark-estimator.js";
import type { KV } from "../../transforms/primitives/window.js";
import { PositionTracker } from "../support/position-tracker.js";
import { keyAt, type StateKind } from "./state-keys.js";

const AT_ONCE = 20_000;
const HORIZON_MS = 30 * 24 * 3_600_000;

const env = (name: string) => process.env[`MILLRACE_BENCH_${name}`]!;
const [from, to] = [Number(env("FROM")), Number(env("TO"))];
const kind = env("KIND") as StateKind;

/** Begins where this process is told to. */
class IdsFn implements SplittableDoFn<Uint8Array, number, number, number> {
  readonly restoresPosition = true;
  initialRestriction = () => from;
  createTracker = (next: number) => new PositionTracker(next);
  initialWatermarkState = () => 0;
  createWatermarkEstimator = manualWatermarkEstimator;
  process(
    _element: Uint8Array,
    tracker: RestrictionTracker<number, number>,
    context: SplittableProcessContext<number>,
  ): ProcessContinuation {
    const start = tracker.currentRestriction();
    for (let at = start; at < Math.min(to, start + AT_ONCE); at++) {
      if (!tracker.tryClaim(at)) break;
      context.output({ key: keyAt(kind, at), value: 1 }, at);
    }
    return { resume: tracker.currentRestriction() < to, delayMs: 0 };
  }
}

class CountFn implements DoFn<unknown> {
  process(_element: unknown, context: ProcessContext): void {
    context.metrics.counter("passed").inc();
  }
}

class CountByKeyFn implements DoFn<KV<string, number>> {
  readonly count = valueState<number | bigint>(new VarIntCoder());

  process(_element: KV<string, number>, context: ProcessContext): void {
    const count = context.state(this.count);
    const before = count.read();
    if (before === undefined) context.metrics.counter("passed").inc();
    count.write(Number(before ?? 0) + 1);
  }
}

const IDS = registerDoFn("bench/ids@1", () => new IdsFn());
const COUNT = registerDoFn("bench/count@1", () => new CountFn());
const COUNT_BY_KEY = registerDoFn("bench/count-by-key@1", () => new CountByKeyFn());

function build(root: Root): void {
  const start = root.apply(withName("Impulse", impulse()));
  const ids = P(start).apply(
    withName("Ids", splittableParDo<Uint8Array, KV<string, number>>(IDS, null, { bounded: false })),
  ) as PCollection<KV<string, number>>;
  if (kind === "counts") {
    ids.apply(withName("Count by key", registeredParDo(COUNT_BY_KEY, null)));
    return;
  }
  const passed = ids.apply(
    withName(
      "Deduplicate",
      deduplicatePerKey<string, number>({ horizon: { timeDomain: "event-time", durationMs: HORIZON_MS } }),
    ),
  );
  P(passed).apply(withName("Count", registeredParDo(COUNT, null)));
}

let anonPeakMb = 0;
const watch = setInterval(() => {
  const [, kb] = /RssAnon:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  anonPeakMb = Math.max(anonPeakMb, Number(kb) / 1024);
}, 100);
const runner = directRunner({
  connection: { connectionString: env("URL") },
  pipelineName: "bench-state",
  once: true,
  localStore: { directory: env("STORE"), durability: env("DURABILITY") as StateDurability },
});
const result = await runner.runAsync(build);
let readyS: number | undefined;
let cpuAtReadyS = 0;
const cpuS = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
result.job.subscribe((event) => {
  if (event.type !== "commit" || readyS !== undefined) return;
  readyS = process.uptime();
  cpuAtReadyS = cpuS();
});
await result.waitUntilFinish();
clearInterval(watch);
if (result.failure !== undefined) throw result.failure;
const { passed } = await result.counters();
process.stdout.write(
  `${JSON.stringify({ readyS, cpuAtReadyS, wallS: process.uptime(), cpuS: cpuS(), anonPeakMb, passed })}\n`,
);
